"""A layer depends on what is in it alone."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.images.layers import Entry, folder, from_folder, write_layer
from data_platform.targets.local.artifacts import EPOCH, sha256_of


def tree(place: Path, names: tuple[str, ...], mode: int, when: int) -> Path:
    """Files made in an order, with a mode and at a time."""
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n", encoding="utf-8")
        path.chmod(mode)
        os.utime(path, (when, when))
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / f"{when}.pyc").write_bytes(b"left by a run")
    return place


def layer(source: Path, file: Path) -> str:
    return write_layer(from_folder(source, "opt/it", {}), file).digest


def test_the_same_files_give_the_same_layer_whoever_made_them_and_when(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", ("a", "b/c", "b/d"), 0o600, 1_000_000_000)
    two = tree(tmp_path / "two", ("b/d", "b/c", "a"), 0o644, 1_700_000_000)
    digest = layer(one, tmp_path / "1.tar")
    assert layer(two, tmp_path / "2.tar") == digest
    assert digest == f"sha256:{sha256_of(tmp_path / '1.tar')}"


@pytest.mark.parametrize("change", ["content", "name", "executable", "one more"])
def test_another_file_gives_another_layer(tmp_path: Path, change: str) -> None:
    one = tree(tmp_path / "one", ("a", "b"), 0o644, 1)
    before = layer(one, tmp_path / "1.tar")
    match change:
        case "content":
            (one / "a").write_text("other\n", encoding="utf-8")
        case "name":
            (one / "a").rename(one / "z")
        case "executable":
            (one / "a").chmod(0o755)
        case _:
            (one / "c").touch()
    assert layer(one, tmp_path / "2.tar") != before


def test_everything_belongs_to_root_is_of_one_time_and_has_its_folders(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", ("b/c", "run"), 0o600, 1)
    (one / "run").chmod(0o700)
    layer(one, tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as tar:
        members = {member.name: member for member in tar}
    assert list(members) == sorted(members)
    assert set(members) == {"opt", "opt/it", "opt/it/b", "opt/it/b/c", "opt/it/run"}
    assert {(m.uid, m.gid, m.mtime) for m in members.values()} == {(0, 0, EPOCH)}
    assert [members[n].mode for n in ("opt/it/b", "opt/it/b/c", "opt/it/run")] == [0o755, 0o644, 0o755]


def test_of_two_entries_with_one_path_the_later_one_counts(tmp_path: Path) -> None:
    entries = [Entry("etc/name", "file", "first"), folder("etc", mode=0o700), Entry("etc/name", "file", "second")]
    write_layer(entries, tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as tar:
        assert tar.getnames() == ["etc", "etc/name"]
        stream = tar.extractfile("etc/name")
        assert stream is not None
        assert stream.read() == b"second"
        assert tar.getmember("etc").mode == 0o700


def test_a_link_to_another_artifact_leads_to_its_place_in_the_image(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one", ("a",), 0o644, 1), tmp_path / "other-0123"
    (one / "near").symlink_to("a")
    (one / "far").symlink_to(other / "lib")
    found = {e.path: e for e in from_folder(one, "opt/one", {other: "/opt/other"})}
    assert found["opt/one/near"].content == "a"
    assert found["opt/one/far"].content == "/opt/other/lib"


def test_a_link_to_what_the_image_does_not_have_is_refused(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", ("a",), 0o644, 1)
    (one / "far").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlatformError, match="which is not in the image"):
        list(from_folder(one, "opt/one", {}))
