"""One layout holds all images; an archive holds those that were asked for."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.images.layout import CONTAINERD_NAME, Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Two images that share a layer."""
    found = Layout(tmp_path / "layout")
    shared, own = found.add(b"shared"), found.add(b"own")
    one, _ = found.add_image({"User": "1000"}, [("base", shared)])
    two, _ = found.add_image({"User": "1000"}, [("base", shared), ("own", own)])
    found.write_index({"localhost/p/one:1": one, "localhost/p/two:1": two})
    return found


def test_blobs_are_named_by_their_content(layout: Layout) -> None:
    for path in layout.blobs.iterdir():
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(list(layout.blobs.iterdir())) == 6


def test_images_are_found_by_their_name(layout: Layout) -> None:
    found = layout.images()
    assert set(found) == {"localhost/p/one:1", "localhost/p/two:1"}
    assert [item["size"] for item in layout.manifest(found["localhost/p/two:1"])["layers"]] == [6, 3]


def test_an_archive_holds_the_images_asked_for_and_a_shared_layer_once(layout: Layout, tmp_path: Path) -> None:
    layout.write_archive(tmp_path / "both.tar", ["localhost/p/one:1", "localhost/p/two:1"])
    layout.write_archive(tmp_path / "one.tar", ["localhost/p/one:1"])
    with tarfile.open(tmp_path / "both.tar") as tar:
        names = tar.getnames()
        index = tar.extractfile("index.json")
        assert index is not None
        found = [item["annotations"][CONTAINERD_NAME] for item in json.load(index)["manifests"]]
    assert found == ["localhost/p/one:1", "localhost/p/two:1"]
    assert len(names) == len(set(names)) == 8
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert len(tar.getnames()) == 5


def test_an_archive_of_an_unknown_image_is_refused_and_leaves_no_file(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="has no image localhost/p/three:1"):
        layout.write_archive(tmp_path / "three.tar", ["localhost/p/one:1", "localhost/p/three:1"])
    assert not list(tmp_path.glob("*.tar"))


def test_a_manifest_that_is_gone_is_named(layout: Layout) -> None:
    blob = layout.images()["localhost/p/one:1"]
    layout.path(blob.digest).unlink()
    with pytest.raises(PlatformError, match=blob.digest):
        layout.manifest(blob)


def test_an_archive_that_meets_a_full_disk_leaves_no_file_and_names_it(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/\.one\.tar\.partial'"):
        layout.write_archive(tmp_path / "one.tar", ["localhost/p/one:1"])
    assert [path.name for path in tmp_path.iterdir()] == ["layout"]


def test_a_blob_that_meets_a_full_disk_leaves_no_draft(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(layout.blobs.iterdir())

    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as stream:
            stream.write(content[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        layout.add(b"another one")
    assert sorted(layout.blobs.iterdir()) == before
