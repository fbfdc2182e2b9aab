"""Images reach the node once, and by the name that pods use."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from bootstrap.cluster import archives, binaries, images, namespaces
from bootstrap.cluster.layout import Layout
from data_platform.stack.errors import PlatformError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What containerd is asked for, in place of a node."""
    found: list[list[str]] = []

    def run(command: list[str], **_: object) -> str:
        found.append(command[command.index("k8s.io") + 1 :])
        return ""

    monkeypatch.setattr(images, "run", run)
    monkeypatch.setattr(namespaces, "entering", lambda _: ["nsenter"])
    return found


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"program")
    return path


def test_a_loaded_image_gets_the_name_that_kubernetes_asks_for(
    tmp_path: Path, program: Path, asked: list[list[str]]
) -> None:
    archives.write(tmp_path / "x.tar", "data-platform/x:1", {"/x": program}, ["/x"])
    assert images.load_images(tmp_path, tmp_path / "x.tar") == ["docker.io/data-platform/x:1"]
    assert asked == [
        ["images", "import", str(tmp_path / "x.tar")],
        ["images", "tag", "--force", "data-platform/x:1", "docker.io/data-platform/x:1"],
    ]


def test_an_archive_without_a_name_is_refused(tmp_path: Path, program: Path, asked: list[list[str]]) -> None:
    import tarfile

    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(program, "program")
    with pytest.raises(PlatformError, match="names no image"):
        images.load_images(tmp_path, tmp_path / "x.tar")
    assert asked == []


class Node:
    """Content of a node, in place of containerd."""

    def __init__(self, *there: str) -> None:
        self.there = list(there)
        #: Of each command: its words, and what it read.
        self.asked: list[tuple[list[str], Path | None]] = []

    def run(self, command: list[str], *, reads: Path | None = None, **_: Any) -> str:
        words = command[command.index("k8s.io") + 1 :]
        self.asked.append((words, reads))
        return "\n".join(self.there) if words[:2] == ["content", "list"] else ""


def node(monkeypatch: pytest.MonkeyPatch, *there: str) -> Node:
    made = Node(*there)
    monkeypatch.setattr(images, "run", made.run)
    monkeypatch.setattr(namespaces, "entering", lambda _: ["nsenter"])
    return made


DIGEST = "sha256:" + "a" * 64


def test_a_layer_is_linked_into_the_nodes_content_and_not_copied(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = node(monkeypatch).asked
    for _ in range(2):  # the second time after containerd has forgotten it, but not yet removed the file
        images.add_layers(tmp_path, {DIGEST: program})
    (made,) = (Layout(tmp_path).containerd / "io.containerd.content.v1.content" / "blobs" / "sha256").iterdir()
    assert made.name == "a" * 64
    assert made.samefile(program)
    said = ["content", "ingest", f"--expected-digest={DIGEST}", "--expected-size=7", f"layer-{DIGEST}"]
    assert [entry for entry in asked if "ingest" in entry[0]] == [(said, program)] * 2


def test_a_layer_that_the_node_has_is_not_added_again(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = node(monkeypatch, DIGEST)
    other = "sha256:" + "b" * 64
    images.add_layers(tmp_path, {DIGEST: program, other: program})
    assert [words[-1] for words, _ in found.asked if "ingest" in words] == [f"layer-{other}"]


def test_a_layer_on_another_disk_is_read_by_containerd(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", link)
    found = node(monkeypatch)
    images.add_layers(tmp_path, {DIGEST: program})
    assert found.asked[-1][1] == program


def test_our_own_images_are_loaded_once(
    tmp_path: Path, program: Path, asked: list[list[str]], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = binaries.programs(cache)
    monkeypatch.setattr(binaries.Programs, "path", lambda *_: program)
    images.load_own(Layout(tmp_path), programs, cache)
    assert [words[:2] for words in asked] == [["images", "list"], *[["images", "import"]] * 4]
    known = "\n".join(image.name for image in images.own(programs).values())
    asked.clear()

    def run(command: list[str], **_: object) -> str:
        asked.append(command)
        return known

    monkeypatch.setattr(images, "run", run)
    images.load_own(Layout(tmp_path), programs, cache)
    assert len(asked) == 1


@pytest.mark.enable_socket
def test_without_a_cluster_there_is_nothing_to_enter(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no cluster runs"):
        namespaces.entering(Layout(tmp_path))
