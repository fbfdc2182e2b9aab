"""Archives of images: the same content gives the same bytes; names are those that Kubernetes asks for."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from bootstrap.cluster import archives


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    return path


def test_the_same_content_gives_the_same_bytes(program: Path, tmp_path: Path) -> None:
    for name in ("one.tar", "two.tar"):
        archives.write(tmp_path / name, "localhost/x:1", {"/x": program}, ["/x"])
        os.utime(program, (1, 1))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_every_blob_has_the_digest_that_names_it(program: Path, tmp_path: Path) -> None:
    archives.write(tmp_path / "x.tar", "localhost/x:1", {"/bin/x": program}, ["/bin/x"], "0:0")
    with tarfile.open(tmp_path / "x.tar") as tar:
        blobs = {m.name: tar.extractfile(m) for m in tar.getmembers() if m.name.startswith("blobs/")}
        content = {name: stream.read() for name, stream in blobs.items() if stream}
        assert len(content) == 3
        assert all(hashlib.sha256(data).hexdigest() == name.rpartition("/")[2] for name, data in content.items())
        index = json.loads(tar.extractfile("index.json").read())  # type: ignore[union-attr]
    digest = index["manifests"][0]["digest"].partition(":")[2]
    manifest = json.loads(content[f"blobs/sha256/{digest}"])
    config = json.loads(content[f"blobs/sha256/{manifest['config']['digest'].partition(':')[2]}"])
    assert config["config"] == {"Entrypoint": ["/bin/x"], "User": "0:0"}


def test_names_of_an_archive(program: Path, tmp_path: Path) -> None:
    archives.write(tmp_path / "x.tar", "localhost/x:1", {"/x": program}, ["/x"])
    assert archives.names(tmp_path / "x.tar") == ["localhost/x:1"]
    (tmp_path / "manifest.json").write_text(json.dumps([{"RepoTags": ["a:1", "b:2"]}, {"RepoTags": None}]))
    with tarfile.open(tmp_path / "docker.tar", "w") as tar:
        tar.add(tmp_path / "manifest.json", "manifest.json")
    assert archives.names(tmp_path / "docker.tar") == ["a:1", "b:2"]
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(program, "program")
    assert archives.names(tmp_path / "other.tar") == []


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("trino", "docker.io/library/trino:latest"),
        ("data-platform/trino:476", "docker.io/data-platform/trino:476"),
        ("localhost/x:1", "localhost/x:1"),
        ("registry.example:5000/x", "registry.example:5000/x:latest"),
        ("registry.example/x@sha256:ab", "registry.example/x@sha256:ab"),
    ],
)
def test_whole_names(name: str, whole: str) -> None:
    assert archives.whole_name(name) == whole
