"""Images on their way to the test cluster's node: what the bootstrap installs comes first, no layer is copied."""

from __future__ import annotations

import argparse
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bootstrap import images
from bootstrap.cluster import images as node_images
from bootstrap.progress import Progress
from data_platform.clients.kubernetes import Cluster
from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.images.layout import Layout
from data_platform.targets.local.state import State

STACK = {"trino": False, "postgresql": True, "airflow": True, "minio": False}


def load(there: Sequence[str], tmp_path: Path) -> images.Loaded:
    """Load what a node that has some of the images lacks."""
    node = {"status": {"images": [{"names": [f"localhost/{name}:1"]} for name in there]}}
    stack = SimpleNamespace(
        components={n: SimpleNamespace(component=SimpleNamespace(bootstrap=first)) for n, first in STACK.items()}
    )
    cluster = SimpleNamespace(list_objects=lambda *_: [node])
    return images.load(State(tmp_path), cast("Stack", stack), cast("Cluster", cluster), Progress())


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was brought, in its order."""
    found: list[list[str]] = []
    built = {name: SimpleNamespace(reference=f"localhost/{name}:1") for name in STACK}
    monkeypatch.setattr(images, "build", lambda *_: built)
    monkeypatch.setattr(images, "bring", lambda _state, names, _progress: found.append(list(names)))
    return found


def test_what_the_bootstrap_installs_comes_first_and_the_rest_beside_it(
    tmp_path: Path, brought: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def bring(_state: State, names: Sequence[str], _progress: Progress) -> None:
        if "localhost/trino:1" in names:
            assert goes_on.wait(30), "nobody went on while the rest was being loaded"
        brought.append(list(names))

    monkeypatch.setattr(images, "bring", bring)
    loaded = load([], tmp_path)
    assert brought == [["localhost/postgresql:1", "localhost/airflow:1"]]
    assert not loaded.rest.done()
    goes_on.set()
    loaded.rest.result(30)
    assert brought[1:] == [["localhost/minio:1", "localhost/trino:1"]]
    assert loaded.references == {name: f"localhost/{name}:1" for name in STACK}


def test_what_is_there_is_not_loaded_again(tmp_path: Path, brought: list[list[str]]) -> None:
    load(["airflow", "trino"], tmp_path).rest.result(30)
    assert brought == [["localhost/postgresql:1"], ["localhost/minio:1"]]


@pytest.mark.usefixtures("brought")
def test_a_fault_of_the_rest_is_met_by_who_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring(_state: State, names: Sequence[str], _progress: Progress) -> Any:
        if "localhost/trino:1" in names:
            raise PlatformError("no room on the node", "make some")

    monkeypatch.setattr(images, "bring", bring)
    loaded = load([], tmp_path)
    with pytest.raises(PlatformError, match="no room on the node"):
        loaded.rest.result(30)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Two images that share a layer."""
    made = Layout(tmp_path / "layout")
    shared, own = made.add(b"shared"), made.add(b"own")
    one, _ = made.add_image({}, [("base", shared)])
    two, _ = made.add_image({}, [("base", shared), ("own", own)])
    made.write_index({"localhost/p/one:1": one, "localhost/p/two:1": two})
    monkeypatch.setattr(images, "_layout", lambda: made)
    monkeypatch.setattr(images, "cache_folder", lambda: tmp_path)
    return made


class Node:
    """What the node is given, in its order; it refuses as many images as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: int = 0) -> None:
        self.given: list[Any] = []
        self.refuses = refuses
        monkeypatch.setattr(node_images, "add_layers", lambda _, layers: self.given.append(dict(layers)))
        monkeypatch.setattr(node_images, "load_images", self.load)

    def load(self, _: Path, archive: Path) -> None:
        with tarfile.open(archive) as tar:
            self.given.append(sorted(tar.getnames()))
        if self.refuses:
            self.refuses -= 1
            raise PlatformError("content digest sha256:… not found", "look")


def test_an_images_layers_are_added_right_before_an_archive_without_them(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(monkeypatch)
    images.bring(State(tmp_path), ["localhost/p/two:1", "localhost/p/one:1"], Progress())
    two, one = layout.layers("localhost/p/two:1"), layout.layers("localhost/p/one:1")
    assert [path.read_bytes() for path in two.values()] == [b"shared", b"own"]
    added = [found for found in node.given if isinstance(found, dict)]
    archives = [found for found in node.given if isinstance(found, list)]
    assert node.given == [two, archives[0], one, archives[1]]
    assert added == [two, one]
    for name, archive in zip(["localhost/p/two:1", "localhost/p/one:1"], archives, strict=True):
        manifest, configuration, *_ = layout.blobs_of(layout.images()[name])
        small = [f"blobs/sha256/{blob.digest[7:]}" for blob in (manifest, configuration)]
        assert archive == sorted(["oci-layout", "index.json", *small])


def test_a_layer_that_containerd_removed_is_added_again_and_a_second_refusal_is_told(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = layout.layers("localhost/p/one:1")
    node = Node(monkeypatch, refuses=1)
    images.bring(State(tmp_path), ["localhost/p/one:1"], Progress())
    assert [found for found in node.given if isinstance(found, dict)] == [layers, layers]
    Node(monkeypatch, refuses=2)
    with pytest.raises(PlatformError, match="not found"):
        images.bring(State(tmp_path), ["localhost/p/one:1"], Progress())


@pytest.mark.usefixtures("layout")
def test_an_image_that_is_not_in_the_layout_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch)
    with pytest.raises(PlatformError, match="has no image localhost/p/three:1"):
        images.bring(State(tmp_path), ["localhost/p/three:1"], Progress())
    assert node.given == []


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Where which profile's images were pushed to."""
    found: list[tuple[str, str]] = []

    def push(stack: Stack, _: argparse.Namespace, registry: str) -> int:
        found.append((stack.profile, registry))
        return 0

    monkeypatch.setattr(images, "_push", push)
    return found


def asked(**more: object) -> argparse.Namespace:
    plain = {"action": "push", "registry": None, "profile": None, "environment": None}
    return argparse.Namespace(**plain | more)


def test_images_are_those_of_an_environment_and_go_to_its_registry(
    tmp_path: Path, registry: list[tuple[str, str]]
) -> None:
    bank = tmp_path / "bank.yaml"
    bank.write_text("{target: kubernetes, registry: bank.example/data}")
    assert images.images(asked(environment=str(bank))) == 0
    images.images(asked(environment=str(bank), registry="other.example/data"))
    images.images(asked(registry="plain.example/data"))
    assert registry == [("default", f"{host}.example/data") for host in ("bank", "other", "plain")]


@pytest.mark.parametrize(
    ("text", "said"), [("{target: kubernetes}", "says no registry"), ("{target: local}", "local, which has no images")]
)
def test_an_environment_without_a_registry_or_without_images_is_refused(
    tmp_path: Path, registry: list[tuple[str, str]], text: str, said: str
) -> None:
    (tmp_path / "bank.yaml").write_text(text)
    with pytest.raises(PlatformError, match=said):
        images.images(asked(environment=str(tmp_path / "bank.yaml")))
    assert registry == []
