"""Secrets as programs write them, and a search that finds them again: for what must hold none."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.secret_values import PIECE

#: What a program may do to a value before it is in its log.
WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in an address": lambda value: f"postgresql://nessie:{quote(value, safe='')}@db:5432/nessie",
    "of a form": lambda value: f"a=1&password={quote_plus(value)}&b=2",
    "quoted in small letters": lambda value: re.sub("%..", lambda sign: sign[0].lower(), quote(value, safe="")),
    "quoted twice": lambda value: quote(quote(value, safe=""), safe=""),
    "JSON": lambda value: json.dumps({"a": value}),
    "JSON with its own letters": lambda value: json.dumps({"a": value}, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps({"line": json.dumps({"a": value})}),
    "JSON of Go": lambda value: (
        json.dumps(value).replace("&", "\\u0026").replace("<", "\\u003c").replace("'", "\\u0027")
    ),
    "Python": repr,
    "a shell": shlex.quote,
    "XML": html.escape,
    "properties": lambda value: value.replace("\\", "\\\\").replace(":", "\\:").replace("!", "\\!").replace(" ", "\\ "),
    "SQL": lambda value: f"alter role x password '{value.replace(chr(39), chr(39) * 2)}'",
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "a login": lambda value: f"Basic {base64.b64encode(f'nessie:{value}'.encode()).decode()}",
    "a login of another length": lambda value: base64.b64encode(f"trino:{value}".encode()).decode(),
    "base64 in the middle": lambda value: base64.b64encode(f'{{"auth": "{value}", "b": 1}}'.encode()).decode(),
}


def plainly(text: str) -> list[str]:
    """A text, and what is in it of base64, as its bytes would be read."""
    found = [text]
    for before in range(4):
        letters = "".join(each for each in text if each.isascii() and (each.isalnum() or each in "+/-_")).translate(
            str.maketrans("-_", "+/")
        )
        part = letters[before:]
        part = part[:-1] if len(part) % 4 == 1 else part
        found.append(base64.b64decode(part + "=" * (-len(part) % 4)).decode(errors="replace"))
    return found


def planted(value: str) -> str:
    """A value, written in each way, as lines of a log."""
    return "".join(f"2026-11-20 {way}: {write(value)}\n" for way, write in WAYS.items())


def shown(secrets: Mapping[str, str], files: Mapping[str, str]) -> dict[str, set[str]]:
    """Files that show secrets, or pieces of them, as they are or in base64, with the names of these."""
    pieces = {value[at : at + PIECE]: name for name, value in secrets.items() for at in range(len(value) - PIECE + 1)}
    found = {
        name: {pieces[piece] for text in plainly(content) for piece in _pieces(text) & pieces.keys()}
        for name, content in files.items()
    }
    return {name: names for name, names in found.items() if names}


def _pieces(text: str) -> set[str]:
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}


def content_of(path: Path) -> dict[str, str]:
    """Files of an archive by their names below its one folder."""
    with tarfile.open(path) as opened:
        names = [member.name for member in opened]
        assert {name.partition("/")[0] for name in names} == {path.name.partition(".")[0]}
        return {name.partition("/")[2]: opened.extractfile(name).read().decode() for name in names}  # type: ignore[union-attr]
