"""Names under which files land."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from data_platform.datasets.landing.names import landing_name, shown
from data_platform.stack.errors import PlatformError

NFD = unicodedata.normalize("NFD", "Taux été.csv")


@pytest.mark.parametrize(
    ("name", "lands"),
    [
        ("rates.csv", "rates.csv"),
        ("SHOUT.CSV", "SHOUT.CSV"),
        ("no suffix", "no suffix"),
        ("-n.csv", "-n.csv"),
        ("a 'b' \"c\" $d \\ *.csv", "a 'b' \"c\" $d \\ *.csv"),
        ("Capture d\u2019écran à 10.00.00\u202fPM.csv", "Capture d\u2019écran à 10.00.00\u202fPM.csv"),
        ("率.csv", "率.csv"),
        ("part.csv", "part.csv"),
        ("a.part.csv", "a.part.csv"),
        (NFD, "Taux été.csv"),
        (" rates.csv ", "rates.csv"),
        ("\u00a0rates.csv\u00a0", "rates.csv"),
        ("a" * 251 + ".csv", "a" * 251 + ".csv"),
        (unicodedata.normalize("NFD", "é" * 125) + ".csv", "é" * 125 + ".csv"),
    ],
)
def test_a_name_lands_tidy(name: str, lands: str) -> None:
    assert landing_name(Path("/somewhere") / name) == lands


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"\xff.csv", "is not UTF-8"),
        ("left of \ufffd.csv".encode(), "is not UTF-8"),
        (b"\xed\xa0\x80.csv", "is not UTF-8"),
        (b"a\tb.csv", "control characters"),
        (b"a.csv\r", "control characters"),
        (b"\x1b[2Ja.csv", "control characters"),
        ("a\u2028b.csv".encode(), "ends of lines"),
        ("\u00a0".encode(), "is blank"),
        (b".a.csv", "begins with a dot"),
        (b" .a.csv", "begins with a dot"),
        (b".~lock.a.csv#", "begins with a dot"),
        (b"._a.csv", "begins with a dot"),
        (b"a.csv.part", "ends in .part"),
        (b"a.part ", "ends in .part"),
        ("é".encode() * 126 + b".csv", "has 256 bytes, and 255 are the most"),
    ],
)
def test_a_name_that_no_flow_takes_is_refused(name: bytes, why: str) -> None:
    with pytest.raises(PlatformError, match=why) as caught:
        landing_name(Path(os.fsdecode(b"/somewhere/" + name)))
    assert not any(ord(c) < ord(" ") or "\ud800" <= c <= "\udfff" for c in caught.value.problem)


def test_what_is_shown_can_be_printed_and_tells_names_apart() -> None:
    names = (b"a.csv", b"\xe9.csv", b"\xe8.csv", b"a\n.csv", b"\x1b[31m", "été\u2028".encode())
    found = [shown(name) for name in names]
    assert found == ["a.csv", r"\xe9.csv", r"\xe8.csv", r"a\n.csv", r"\x1b[31m", "été\\u2028"]
    for text in found:
        text.encode("utf-8")
