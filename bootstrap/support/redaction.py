"""Takes secrets out of a text: values that are known, however a program has written them, and what looks like one.

A text is redacted as a whole: what is long is cut before (`data_platform.targets.local.tails`), so no value lies over
the edge of two pieces.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from bootstrap.support import patterns

#: Shorter values are found in words of all kinds; they are redacted by the names before them alone (`patterns.NAMED`).
SHORTEST = 8
#: Of a value that is long and random a piece of this length is a secret too: some are cut to what a format wants, and
#: lines are broken.
PIECE = 16
#: Which values are so: no word and no address.
_RANDOM = re.compile(r"(?![/.])(?=(?:[^0-9]*[0-9]){3})[\w+/=~.-]{24,}")
#: Characters by which a value, or a piece, is looked for: in any `PIECE` of a value one such block, at a multiple of
#: its length, is whole.
_BLOCK = PIECE // 2
#: Signs that some writers of JSON write as their numbers (Go, Gson).
_ESCAPED = "&<>='\u2028\u2029"


class Redacted(NamedTuple):
    """A text without secrets, and how often each was found."""

    text: str
    counts: Counter[str]


class _Form(NamedTuple):
    """A value in one way of writing it; `least` characters of it are enough to be one."""

    text: str
    label: str
    least: int


class Redactor:
    """Takes what is secret out of texts.

    Args:
        secrets: values by their labels, such as `trino/password`; the first label of a value counts.
        public: words that are no secret even if they are somebody's value: names of components and holders.
        places: what is not told either, by what takes its place: the machine's name, folders with a user's name.
    """

    def __init__(
        self, secrets: Mapping[str, str], public: Iterable[str] = (), places: Mapping[str, str] | None = None
    ) -> None:
        self.public = frozenset(public)
        by_value: dict[str, str] = {}
        for label, value in secrets.items():
            by_value.setdefault(value.strip(), label)
        by_value.pop("", None)
        #: Labels of values that are too short, or too common, to be looked for.
        self.unsearched = sorted(
            label for value, label in by_value.items() if len(value) < SHORTEST or value in self.public
        )
        self._blocks: dict[str, list[tuple[_Form, int]]] = {}
        for value, label in by_value.items():
            if label not in self.unsearched:
                self._learn(value, label)
        self._places = [
            (re.compile(rf"(?<![\w-]){re.escape(place)}(?![\w-])"), word)
            for place, word in sorted((places or {}).items(), key=lambda each: -len(each[0]))
            if place not in self.public
        ]

    def _learn(self, value: str, label: str) -> None:
        is_random = _RANDOM.fullmatch(value) is not None
        for text in forms(value):
            least = PIECE if is_random and len(text) >= PIECE else len(text)
            form = _Form(text, label, least)
            ends = range(0, len(text) - _BLOCK + 1, _BLOCK) if least < len(text) else (0,)
            for at in ends:
                self._blocks.setdefault(text[at : at + _BLOCK], []).append((form, at))

    def __call__(self, text: str) -> Redacted:
        """The text without secrets."""
        counts: Counter[str] = Counter()
        text = self._without_known(text, counts)
        small = text.lower()
        for pattern in patterns.PATTERNS:
            if pattern.sign not in small:
                continue
            text = pattern.found.sub(partial(_replaced, pattern, counts), text)
        text = patterns.NAMED.sub(lambda match: self._named(match, counts), text)
        for place, word in self._places:
            text = place.sub(word, text)
        return Redacted(text, counts)

    def _named(self, match: re.Match[str], counts: Counter[str]) -> str:
        after = patterns.named(match, self.public)
        if after != match[0]:
            counts[patterns.marked("named value")] += 1
        return after

    def _without_known(self, text: str, counts: Counter[str]) -> str:
        parts, done = [], 0
        for start, end, label in _merged(self._spans(text)):
            mark = f"«secret: {label}»"
            counts[mark] += 1
            parts += [text[done:start], mark]
            done = end
        return "".join([*parts, text[done:]])

    def _spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where values are, or pieces of them: begin, end, label."""
        blocks = self._blocks
        for at in [i for i in range(len(text) - _BLOCK + 1) if text[i : i + _BLOCK] in blocks]:
            for form, offset in blocks[text[at : at + _BLOCK]]:
                before = _common(text[max(0, at - offset) : at][::-1], form.text[:offset][::-1])
                rest = form.text[offset:]
                after = _common(text[at : at + len(rest)], rest)
                if before + after >= form.least:
                    yield at - before, at + after, form.label


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common from their beginning on."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))


def _merged(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Spans in their order, without overlaps; of those that overlap the longest gives its label."""
    found: list[tuple[int, int, str]] = []
    for start, end, label in sorted(set(spans)):
        if found and start < found[-1][1]:
            first, last, before = found[-1]
            found[-1] = (first, max(last, end), before if last - first >= end - start else label)
        else:
            found.append((start, end, label))
    return found


def _replaced(pattern: patterns.Pattern, counts: Counter[str], match: re.Match[str]) -> str:
    mark = patterns.marked(pattern.kind)
    after = pattern.replaced(match, mark)
    if after is None:
        return match[0]
    counts[mark] += 1
    return after


def forms(value: str) -> set[str]:
    """A value as programs write it: plain, quoted for URLs, escaped for JSON, XML, shells and properties, in base64.

    Args:
        value: of at least `SHORTEST` characters.
    """
    found = {value, html.escape(value), html.escape(value, quote=False), shlex.quote(value)}
    found |= {written(value, safe="") for written in (quote, quote_plus)} | {quote(value), quote(quote(value, safe=""))}
    found |= {re.sub("%[0-9A-F]{2}", lambda number: number[0].lower(), text) for text in found}
    for of_ascii in (True, False):
        once = json.dumps(value, ensure_ascii=of_ascii)[1:-1]
        found |= {once, once.replace("/", "\\/"), json.dumps(once)[1:-1]}
        found.add("".join(f"\\u{ord(sign):04x}" if sign in _ESCAPED else sign for sign in once))
    found |= {repr(value)[1:-1], re.sub(r"([\\:=#! ])", r"\\\1", value), value.replace("'", "''")}
    found |= set(_base64(value))
    return {text for text in found if len(text) >= SHORTEST}


def _base64(value: str) -> Iterator[str]:
    """The characters that a value alone decides, wherever in something encoded it begins."""
    content = value.encode()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]
        yield from (own, own.replace("+", "-").replace("/", "_"))
    yield base64.b64encode(content).decode()
