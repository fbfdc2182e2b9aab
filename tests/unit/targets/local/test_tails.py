"""The end of a file begins with a whole line, however large the file is."""

from __future__ import annotations

from pathlib import Path

from data_platform.targets.local.tails import tail


def test_a_small_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\ntwo\xff\n")
    assert tail(tmp_path / "a.log", 100) == ("one\ntwo\ufffd\n", 0)


def test_the_end_of_a_large_one_begins_with_a_whole_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("password=abcdefgh\nthe last line\n")
    assert tail(tmp_path / "a.log", 20) == ("the last line\n", 18)
    # A cut between two lines cannot be told from one within a line.
    assert tail(tmp_path / "a.log", 14) == ("", 32)


def test_where_there_is_no_line_as_much_as_a_long_one_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x" * 50_000)
    text, left_out = tail(tmp_path / "a.log", 20_000)
    assert len(text) == 20_000 - 8192
    assert left_out + len(text) == 50_000
