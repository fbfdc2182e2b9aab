"""How a value is written into a file of each kind, so that any path or name comes out of it as it went in.

A template's kind follows from its name (`state-management.xml.j2` is XML). In a file whose name does not tell, or in a
string of another kind inside of it, a template says the kind itself: `{{ DATA | properties }}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from xml.sax.saxutils import escape

#: Characters that end a line or begin another text in files of every kind.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
#: What XML 1.0 cannot hold at all (https://www.w3.org/TR/xml/#charsets).
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: A reader makes blanks of bare line ends and tabs of an attribute.
_IN_ATTRIBUTES = {'"': "&quot;", "'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_PROPERTIES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def xml(value: str) -> str:
    """Text of an element, or of an attribute in quotes of either kind.

    Raises:
        ValueError: XML cannot hold one of its characters.
    """
    if found := _NOT_IN_XML.search(value):
        raise ValueError(f"XML cannot hold the character {found[0]!r}")
    return escape(value, _IN_ATTRIBUTES)


def quoted(value: str) -> str:
    """Inside of double quotes, in JSON and in YAML, which reads such a text the same way (YAML 1.2, 1.3)."""
    # YAML knows no pairs of surrogates.
    return json.dumps(value, ensure_ascii=False)[1:-1]


def properties(value: str) -> str:
    """Value of a Java properties file (java.util.Properties, load). Readers differ in the encoding, so it is ASCII."""
    escaped = "".join(_PROPERTIES.get(sign, sign) if sign < "\x7f" else _utf16(sign) for sign in value)
    # Blanks before a value are not its own.
    return re.sub(r"^ ", r"\\ ", escaped)


def _utf16(sign: str) -> str:
    code = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{code[at : at + 2].hex()}" for at in range(0, len(code), 2))


def single_quoted(value: str) -> str:
    """Inside of single quotes, in SQL and in postgresql.conf.

    Raises:
        ValueError: it holds a backslash or a control character, which the two do not read alike.
    """
    if "\\" in value:
        raise ValueError("SQL and postgresql.conf read a backslash differently")
    return plain(value).replace("'", "''")


def plain(value: str) -> str:
    """Of a kind that is not known: as it is, on one line.

    Raises:
        ValueError: it holds a control character.
    """
    if found := _CONTROLS.search(value):
        raise ValueError(f"a value of one line cannot hold {found[0]!r}")
    return value


#: By the end of a file's name.
_BY_SUFFIX: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        ".xml": xml,
        ".json": quoted,
        ".yaml": quoted,
        ".yml": quoted,
        ".properties": properties,
        ".sql": single_quoted,
    }
)
#: By the name that a template says.
FILTERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"xml": xml, "quoted": quoted, "properties": properties, "single_quoted": single_quoted}
)


def of_file(name: str) -> Callable[[str], str]:
    """How values are written into a file.

    Args:
        name: of the file, without the suffix of a template.
    """
    return _BY_SUFFIX.get(PurePosixPath(name).suffix, plain)
