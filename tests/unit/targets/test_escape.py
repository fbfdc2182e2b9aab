"""A value comes out of a file of any kind as it went in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from data_platform.stack.errors import PlatformError
from data_platform.targets import escape
from data_platform.targets.render import render, rendered_files

#: What a path of Linux may be called, and what a secret may hold.
HOSTILE = (
    "/srv/R&D <x> 'a' \"b\" !",
    "/srv/Müller/データ/😀",
    " leads and ends with a blank ",
    "a=b:c#d!e~f|g^h,i;j(k)[l]{m}%n$o@p`q",
    "tab\tline\nreturn\r",
    "back\\slash\\u0041",
    "- yes: no",
    "]]> --> &amp; {{ X }} ${Y}",
)
ROOT = Path(__file__).resolve().parents[3]


def of_properties(text: str) -> dict[str, str]:
    """Read like java.util.Properties, for keys without escapes; its reader knows Latin-1 alone."""
    signs = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
    found = {}
    for line in text.split("\n"):
        if not (stripped := line.lstrip(" \t\f")) or stripped[0] in "#!":
            continue
        assert stripped.isascii()
        key, value = re.fullmatch(r"([^=:\s]+)[ \t]*[=: \t][ \t]*(.*)", stripped).groups()  # type: ignore[union-attr]
        parts = re.sub(
            r"\\(?:u([0-9a-f]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else signs.get(m[2], m[2]), value
        )
        found[key] = parts.encode("utf-16", "surrogatepass").decode("utf-16")
    return found


READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "a.xml": ('<a name="{{ X }}">{{ X }}</a>', lambda text: _of_element(ET.fromstring(text))),
    "b.xml": ("<a name='{{ X }}'>{{ X }}</a>", lambda text: _of_element(ET.fromstring(text))),
    "a.json": ('{"x": "{{ X }}"}', lambda text: json.loads(text)["x"]),
    "b.json": ("{{ {'x': X} | tojson }}", lambda text: json.loads(text)["x"]),
    "a.yaml": ('x: "{{ X }}"\n', lambda text: yaml.safe_load(text)["x"]),
    "a.yml": ('x: ["{{ X }}"]\n', lambda text: yaml.safe_load(text)["x"][0]),
    "a.properties": ("before=1\nx={{ X }}\nafter=2\n", lambda text: of_properties(text)["x"]),
    "a.conf": ("x    {{ X | properties }}\nafter   2\n", lambda text: of_properties(text)["x"]),
}


def _of_element(element: ET.Element) -> str:
    assert element.get("name") == element.text
    return str(element.text)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", READERS)
def test_a_value_comes_out_of_a_file_of_each_kind_as_it_went_in(tmp_path: Path, name: str, value: str) -> None:
    template, read = READERS[name]
    (tmp_path / f"{name}.j2").write_text(template, encoding="utf-8")
    assert read(rendered_files(tmp_path, {"X": value})[name].decode()) == value


def test_single_quotes_are_doubled_and_what_the_two_readers_understand_differently_is_refused() -> None:
    template = "hba_file = '{{ X | single_quoted }}/a'"
    assert render(template, {"X": "/srv/O'Neill & Söhne"}, "x") == "hba_file = '/srv/O''Neill & Söhne/a'"
    for value in ("a\\b", "a\nb"):
        with pytest.raises(PlatformError, match=r"postgresql\.conf: "):
            render(template, {"X": value}, "postgresql.conf")


def test_a_file_of_another_kind_has_values_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "zoo.cfg.j2").write_text("dataDir={{ X }}\n")
    assert rendered_files(tmp_path, {"X": "/a b&c"}) == {"zoo.cfg": b"dataDir=/a b&c\n"}
    with pytest.raises(PlatformError, match=r"zoo\.cfg\.j2: a value of one line cannot hold '\\n'"):
        rendered_files(tmp_path, {"X": "/a\nadmin.enableServer=true"})


def test_what_xml_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="XML cannot hold"):
        escape.xml("a\x01b")


def test_what_a_command_says_is_left_as_it_is() -> None:
    assert render("{{ X }}", {"X": HOSTILE[0]}, "local.yaml: server") == HOSTILE[0]


#: What is there of a path in files of components, and how it is read from them.
_PLACE = "/srv/R&D <new> Müller's (1) !/data"


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("integration/nifi/etc/state-management.xml.j2", "Directory"),
        ("integration/nifi/etc/nifi.properties.j2", "nifi.flow.configuration.archive.dir"),
        ("processing/spark/etc/spark-defaults.conf.j2", "spark.sql.warehouse.dir"),
        ("storage/postgresql/etc/postgresql.conf.j2", "hba_file"),
    ],
)
def test_files_of_the_stack_name_a_folder_of_any_name(file: str, key: str) -> None:
    path = ROOT / "stack" / "components" / file
    text = path.read_text(encoding="utf-8")
    known = dict.fromkeys(re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", text), "1")
    known = {k: v for k, v in known.items() if k not in ("ZOOKEEPER_CLIENT_HOST", "ZOOKEEPER_CLIENT_PORT")}
    places = {"DATA": _PLACE, "ETC": _PLACE, "BIND": "127.0.0.1"}
    made = render(text, known | places, str(path), path.parent, path.stem)
    if path.stem.endswith(".xml"):
        document = ET.fromstring(made)
        (found,) = [each.text for each in document.iter("property") if each.get("name") == key]
    elif path.stem == "postgresql.conf":
        (line,) = [each for each in made.splitlines() if each.startswith(f"{key} = ")]
        found = line.removeprefix(f"{key} = ")[1:-1].replace("''", "'")
    else:
        found = of_properties(made)[key]
    assert str(found).startswith(_PLACE)
