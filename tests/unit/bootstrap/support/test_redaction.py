"""No known value is left in a text, in whichever way a program has written it, whole or in pieces."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.support.redaction import PIECE, SHORTEST, Redactor
from data_platform.stack.holders import new_secret
from tests.secret_values import leaks
from tests.written_secrets import WAYS, plainly

SECRET = new_secret()
OF_SECRET = Redactor({"nessie/password": SECRET})
#: As a person would choose one.
CHOSEN = "p@ss/w0rd:! &<é'\""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [SECRET, CHOSEN], ids=["generated", "chosen"])
def test_a_known_value_is_found_in_whichever_way_it_is_written(value: str, way: str) -> None:
    written = WAYS[way](value)
    found = Redactor({"nessie/password": value})(f"before {written} after")
    assert "«secret: nessie/password»" in found.text
    assert found.counts["«secret: nessie/password»"] >= 1
    assert found.text.startswith("before ")
    assert found.text.endswith(" after")
    for text in plainly(found.text.replace("«secret: nessie/password»", " ")):
        assert value not in text
        assert leaks({"it": value}, text) == [] or value == CHOSEN


@pytest.mark.parametrize("way", WAYS)
def test_without_redaction_each_of_these_ways_shows_it(way: str) -> None:
    assert Redactor({})(WAYS[way](SECRET)).counts["«secret: nessie/password»"] == 0
    assert any(SECRET in text for text in plainly(WAYS[way](SECRET)))


@given(start=st.integers(0, 64 - PIECE), length=st.integers(PIECE, 64), before=st.text(max_size=20))
def test_a_piece_of_a_generated_value_is_a_secret_too(start: int, length: int, before: str) -> None:
    # Not a hexadecimal digit, which might go on what is looked for.
    piece = SECRET[start : start + length]
    text = OF_SECRET(f"{before}|{piece}|").text
    assert text.endswith("|«secret: nessie/password»|")
    assert leaks({"it": SECRET}, text) == []


def test_lines_that_a_program_broke_hold_no_piece() -> None:
    broken = "\n".join(base64.b64encode(SECRET.encode()).decode()[i : i + 20] for i in range(0, 88, 20))
    text = Redactor({"a/b": SECRET})(broken).text
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert leaks({"it": encoded}, text) == []


def test_values_beside_each_other_are_told_apart() -> None:
    one, other = new_secret(), new_secret()
    found = Redactor({"a/one": one, "b/other": other})(f"{one}{other} {other}:{one}")
    assert found.text == "«secret: a/one»«secret: b/other» «secret: b/other»:«secret: a/one»"
    assert found.counts == {"«secret: a/one»": 2, "«secret: b/other»": 2}


def test_what_is_no_secret_stays_as_it_is() -> None:
    text = "2026-11-20 INFO nessie: 4 tables in s3://lakehouse/warehouse, digest 0f44edd2667bded4358846dfa1ecedbb «»\n"
    assert Redactor({"nessie/password": SECRET}, {"nessie"})(text) == (text, {})


def test_a_value_that_is_a_word_is_not_looked_for_and_is_named() -> None:
    known = {"a/short": "x" * (SHORTEST - 1), "b/name": "data-platform", "c/empty": "", "d/enough": "y" * SHORTEST}
    redactor = Redactor(known, {"data-platform"})
    assert redactor.unsearched == ["a/short", "b/name"]
    text = f"data-platform says {'x' * 7} and {'y' * 8}"
    assert redactor(text).text == f"data-platform says {'x' * 7} and «secret: d/enough»"


def test_a_short_value_is_redacted_where_its_name_is_before_it() -> None:
    found = Redactor({"a/password": "abc"})('{"db_password": "abc", "b": "abc"} password=abc')
    assert found.text == ('{"db_password": "«redacted: named value»", "b": "abc"} password=«redacted: named value»')


def test_of_a_long_value_that_people_can_read_no_words_are_taken_for_it() -> None:
    redactor = Redactor({"git/url": "https://git.example.com/data/platform.git"})
    assert redactor("https://git.example.com is away").text == "https://git.example.com is away"
    assert redactor("clone https://git.example.com/data/platform.git").text == "clone «secret: git/url»"


def test_the_machine_and_folders_of_its_user_are_not_told() -> None:
    places = {"vm-17.example.com": "host", "vm-17": "host", "/home/anna": "~", "/home/anna/p/.platform": "<state>"}
    redactor = Redactor({}, (), places)
    said = "vm-17.example.com vm-17: /home/anna/p/.platform/logs /home/anna/x vm-170 my-vm-17 /home/annabel"
    assert redactor(said).text == "host host: <state>/logs ~/x vm-170 my-vm-17 /home/annabel"


def test_a_machine_that_is_called_as_a_component_is_keeps_its_name() -> None:
    assert Redactor({}, {"trino"}, {"trino": "host"})("trino runs").text == "trino runs"


def test_what_is_redacted_stays_so_when_it_is_redacted_again() -> None:
    redactor = Redactor({"reader/token": SECRET, "x/secret": CHOSEN})
    once = redactor(f"token={SECRET} Authorization: Bearer zzz password: hush {CHOSEN}").text
    assert redactor(once) == (once, {})


def test_json_stays_json() -> None:
    content = {
        "token": SECRET,
        "password": 123456,
        "secret": None,
        "pass": CHOSEN,
        "api_key": True,
        "x": [f"a {SECRET}"],
    }
    found = json.loads(Redactor({"a/b": SECRET, "c/d": CHOSEN})(json.dumps(content)).text)
    assert found == {
        "token": "«secret: a/b»", "password": "«redacted: named value»", "secret": None, "pass": "«secret: c/d»",
        "api_key": True, "x": ["a «secret: a/b»"],
    }  # fmt: skip
