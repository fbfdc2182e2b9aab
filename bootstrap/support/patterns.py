"""What looks like a secret, whoever's it is: for values that nobody has told us. Standard library only.

Each pattern keeps what is no secret (names, addresses) and replaces the rest: a reader still sees what was said.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

#: Ends the name of what holds a secret.
_NAMES = (
    r"password|passwd|passphrase|pwd|secret|token|api[_-]?key|secret[_-]?(?:access[_-]?)?key|private[_-]?key"
    r"|fernet[_-]?(?:key|seed)|encryption[_-]?key|signature|x-amz-credential|webhook(?:[_-]?url)?"
)
NAME = re.compile(rf"(?i)(?:{_NAMES})$")
#: `name = value`, in files, JSON, query strings and Python's way of showing things; with JSON within JSON. What is
#: before the name (`db_password`) does not matter, unless it is the beginning of a mark of ours.
NAMED = re.compile(
    rf"""(?ix) (?<!«) (?P<name>{_NAMES})
    (?P<between>\\*["']?\s*(?:=>|[:=])\s*(?:b(?=["']))?)
    (?: (?P<open>\\*["']) (?P<quoted>(?:(?!(?P=open))(?:\\.|[^\r\n]))+) (?P=open)
      | (?P<cut>\\*["'])? (?P<bare>(?![\[{{(<])[^\s"'«]+?) (?=[,;)\]}}>\\]*(?:[\s"'«]|&[\w.-]+=|\Z)) )"""
)
#: What stands in the place of a value, or is none.
_NO_VALUE = re.compile(
    r"(?i)(?:\*+|x{3,}|\.{3}|…|null|none|nil|true|false|undefined|not generated yet|<.*>|\$[{(].*|(?-i:\$[A-Z_]+)"
    r"|%\(?\w+\)?s?|\{.*)$"
)
#: Between the marks of a key; line ends may be escaped. A cut may have taken one of the marks.
_KEY = r"(?:[A-Za-z0-9+/=:,. ]|-(?!----)|\\+[nr]|\r?\n)++"
_LINES = r"(?:[A-Za-z0-9+/=]|\\+[nr]|\r?\n)++"
_PEM = re.compile(
    rf"(?P<begin>-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)(?:{_KEY}(?P<end>-----END [A-Z0-9 ]*PRIVATE KEY-----)|{_LINES})"
)
_CUT_PEM = re.compile(rf"\A{_LINES}(?P<end>-----END [A-Z0-9 ]*PRIVATE KEY-----)")
#: Between the name of a header and what it says: in a request, in JSON, or as a pair of Python's texts.
_SAID = r"""\\*["']?\s*(?:[:=]\s*(?:b?\\*["'])?|,\s*b?["'])"""
_BASIC = re.compile(r"(?i)(?P<keep>basic\s+)(?P<value>[A-Za-z0-9+/_-]{6,}={0,2})")
#: A password in an address. What follows a port is a path, not a password.
_URL = re.compile(r"(?P<keep>://[^\s/:@\"'<>]{0,256}:)(?!\d{1,5}[/?#])[^\s\"'<>«]{1,512}(?P<after>@)")
_QUOTED_URL = re.compile(r"(?i)(?P<keep>%3a%2f%2f[^\s%&\"']{0,256}%3a)[^\s&\"'«]{1,512}?(?P<after>%40)")


#: Begins keys and tokens of well-known services.
_AWS = ("AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA")
_TOKENS = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-AgE", "hvs.", "sk-", "AIza"),
    *(f"xox{kind}-" for kind in "abeoprs"),
)


class Pattern(NamedTuple):
    """One kind of secret.

    Attributes:
        kind: what it is called in the place of the value.
        sign: is in each text that has one, in small letters: the others need not be searched.
        found: where it is.
        replaced: the text that takes its place, for a match and the mark of the kind; None where it is no secret.
    """

    kind: str
    sign: str
    found: re.Pattern[str]
    replaced: Callable[[re.Match[str], str], str | None]


def marked(kind: str) -> str:
    """What stands in the place of something that looks like a secret."""
    return f"«redacted: {kind}»"


def _whole(match: re.Match[str], mark: str) -> str | None:
    del match
    return mark


def _kept(match: re.Match[str], mark: str) -> str | None:
    return match["keep"] + mark + (match["after"] if "after" in match.re.groupindex else "")


def _key(match: re.Match[str], mark: str) -> str | None:
    return match["begin"] + mark + (match["end"] or "")


def _end_of_key(match: re.Match[str], mark: str) -> str | None:
    return mark + match["end"]


def _basic(match: re.Match[str], mark: str) -> str | None:
    """Only what is a login: `Basic authentication failed` is none."""
    value = match["value"].replace("-", "+").replace("_", "/").rstrip("=")
    try:
        login = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return match["keep"] + mark if b":" in login else None


def _simple(kind: str, sign: str, pattern: str) -> Pattern:
    return Pattern(kind, sign, re.compile(pattern), _kept if "(?P<keep>" in pattern else _whole)


#: In this order: what is known by more than its form comes first.
PATTERNS = (
    Pattern("private key", "private key-----", _PEM, _key),
    Pattern("private key", "private key-----", _CUT_PEM, _end_of_key),
    _simple(
        "authorization",
        "authorization",
        rf"(?i)(?P<keep>authorization{_SAID})(?![«\s])[^\r\n\"'\\«]+",
    ),
    _simple("cookie", "cookie", rf"(?i)(?P<keep>cookie{_SAID})(?![«\s])[^\r\n\"'\\«]{{4,}}"),
    _simple("token", "bearer", r"(?i)(?P<keep>bearer\s+)(?=[\w.~+/-]{0,512}?\d)[\w.~+/-]{8,}=*"),
    Pattern("login", "basic", _BASIC, _basic),
    Pattern("password of an address", "://", _URL, _kept),
    Pattern("password of an address", "%3a%2f%2f", _QUOTED_URL, _kept),
    _simple("token of an address", "://", r"(?P<keep>://)[^\s/:@\"'<>«]{16,512}(?P<after>@)"),
    # As Kubernetes writes variables of an environment, in JSON and in YAML.
    _simple(
        "named value",
        '"value"',
        rf"""(?i)(?P<keep>"name":\s*"[\w.-]{{0,80}}?(?:{_NAMES})",\s*"value":\s*")(?:\\.|[^"\\«])+""",
    ),
    _simple("named value", "value:", rf"(?i)(?P<keep>name:[ ]*[\w.-]{{0,80}}?(?:{_NAMES})\s+value:[ ]*)[^\s«]+"),
    # A part that is empty, or that was cut, is a part all the same.
    _simple("token (JWT)", "eyj", r"eyJ(?<!\weyJ)[\w-]{8,}(?:\.[\w-]*){1,4}"),
    *(_simple("AWS key", sign.lower(), rf"{sign}(?<!\w{sign})[A-Z0-9]{{16}}\b") for sign in _AWS),
    _simple("webhook", "hooks.slack.com/", r"(?P<keep>hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/-]+"),
    _simple("webhook", "webhook.office.com/", r"(?P<keep>webhook\.office\.com/)[\w@/.-]+"),
    *(_simple("token", sign.lower(), rf"{re.escape(sign)}(?<!\w{re.escape(sign)})[\w-]{{16,}}") for sign in _TOKENS),
    _simple("encrypted value", "gaaaaa", r"gAAAAA(?<!\wgAAAAA)[\w-]{60,}={0,2}"),
    _simple("digest of a password", "scram-sha-", r"SCRAM-SHA-(?:1|256)\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+"),
    _simple("digest of a password", "$", r"\$(?:2[abxy]|5|6|y|argon2id?)\$[\w./$=,+-]{20,}"),
)


def named(match: re.Match[str], public: Collection[str]) -> str:
    """What takes the place of a match of `NAMED`: the name with a mark, or the same where the value is no secret.

    Args:
        match: where it was found.
        public: words that are no secret, such as names of credentials.
    """
    value = match["quoted"] or match["bare"]
    name = match["name"]
    nothing = value in public or _NO_VALUE.match(value) or "«" in value
    if nothing or value.lower() == name.lower():
        return match[0]
    begin, end = (match["open"] or match["cut"] or ""), (match["open"] or "")
    if not begin and (after_name := re.match(r"""\\*["']""", match["between"])):
        # A number in JSON: it stays JSON.
        begin = end = after_name[0]
    return f"{name}{match['between']}{begin}{marked('named value')}{end}"
