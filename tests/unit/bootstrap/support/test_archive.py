"""The archive is readable by its owner alone, names all that it holds and lacks, and takes no other file's place."""

from __future__ import annotations

import errno
import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bootstrap.support import archive
from bootstrap.support.archive import Entry, Part, place_for, write
from bootstrap.support.redaction import Redactor
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import new_secret

AT = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
SECRET = new_secret()
PARTS = [
    Part("status", "states", [Entry("status.json", "as of status", '{"a": 1}')], 1.25),
    Part(
        "logs", "what servers said", [Entry("logs/a.log", "a log", f"token={SECRET}\n", 7)], 2.0, f"no {SECRET}\n → x"
    ),
]


def content(path: Path) -> dict[str, str]:
    """Files of an archive by their names."""
    with tarfile.open(path) as opened:
        return {member.name: opened.extractfile(member).read().decode() for member in opened}  # type: ignore[union-attr]


def made(path: Path) -> archive.Packed:
    return write(path, PARTS, Redactor({"reader/token": SECRET}), AT, {"format": 1})


def test_it_holds_what_was_gathered_and_says_what_and_what_lacks(tmp_path: Path) -> None:
    packed = made(tmp_path / "help.tar.gz")
    found = content(packed.path)
    assert sorted(found) == ["help/README.md", "help/logs/a.log", "help/manifest.json", "help/status.json"]
    assert packed.files == len(found)
    assert found["help/logs/a.log"] == "token=«secret: reader/token»\n"
    manifest = json.loads(found["help/manifest.json"])
    assert manifest["made"] == "2026-11-20T10:15:00+00:00"
    assert manifest["redacted"] == {"«secret: reader/token»": 1}
    status, log = manifest["files"]
    assert status == {"name": "status.json", "what": "as of status", "bytes": 8}
    assert log["redacted"] == {"«secret: reader/token»": 1}
    assert (log["bytes"], log["bytes_before_it_left_out"]) == (len(found["help/logs/a.log"].encode()), 7)
    assert [part.get("lacks") for part in manifest["parts"]] == [None, "no «secret: reader/token»\n → x"]
    assert "- **logs** (what servers said): no «secret: reader/token» → x" in found["help/README.md"]
    assert "| `logs/a.log` |" in found["help/README.md"]
    assert SECRET not in "".join(found.values())


def test_it_is_its_owners_alone_and_says_nothing_of_the_machine(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = made(tmp_path / "help.tgz").path
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as opened:
        members = opened.getmembers()
    assert {(m.mode, m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {
        (0o600, 0, 0, "", "", AT.timestamp())
    }


def test_the_same_is_the_same_archive(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    for folder in (one, other):
        folder.mkdir()
    assert made(one / "x.tar.gz").path.read_bytes() == made(other / "x.tar.gz").path.read_bytes()


def test_what_is_beyond_its_size_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TOTAL", 20)
    entries = [Entry("a", "", "x" * 15), Entry("b", "", "x" * 6), Entry("c", "", "x" * 5)]
    path = write(tmp_path / "x.tgz", [Part("p", "", entries, 1.0)], Redactor({}), AT, {}).path
    found = content(path)
    assert {"x/a", "x/c"} <= found.keys()
    assert "x/b" not in found
    assert json.loads(found["x/manifest.json"])["parts"][0]["lacks"].endswith("at most: b")


def test_files_that_are_called_alike_once_they_are_redacted_are_both_there(tmp_path: Path) -> None:
    entries = [Entry(f"runs/password={word}/x", "", word) for word in ("one1", "two2")]
    path = write(tmp_path / "x.tgz", [Part("p", "", entries, 1.0)], Redactor({}), AT, {}).path
    names = [name for name in content(path) if "/runs/" in name]
    assert len(names) == 2
    assert not any("one1" in name or "two2" in name for name in names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.zip", "does not end in .tar.gz or .tgz"),
        ("there.tgz", "is there already"),
        ("link.tgz", "is there already"),
        ("none/x.tgz", "there is no folder"),
        ("file/x.tgz", "there is no folder"),
    ],
)
def test_a_place_that_will_not_do_is_refused_before_anything_is_gathered(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "there.tgz").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link.tgz").symlink_to("nowhere")
    with pytest.raises(PlatformError, match=said):
        place_for(tmp_path / name)


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PlatformError, match="you may not write to"):
        place_for(tmp_path / "x.tgz")


def test_a_file_that_came_meanwhile_is_left(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_text("mine")
    with pytest.raises(PlatformError, match="is there already"):
        made(tmp_path / "x.tgz")
    assert (tmp_path / "x.tgz").read_text() == "mine"


def test_a_full_disk_is_named_and_no_half_archive_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(PlatformError, match=r"the disk .* is full"):
        made(tmp_path / "x.tgz")
    assert list(tmp_path.iterdir()) == []
