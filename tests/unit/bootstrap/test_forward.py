"""`forward` leads to the pages of a platform on Kubernetes, at the ports that its links name."""

from __future__ import annotations

import argparse
import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap import forward as module
from bootstrap.forward import forward
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from tests.conftest import Tiny


class Cluster:
    """Notes which ports are led where, and refuses those that are taken."""

    def __init__(self) -> None:
        self.forwarded: list[tuple[str, str, int, int]] = []
        self.ended: list[str] = []
        self.taken: dict[int, int] = {}

    @contextmanager
    def port_forward(self, service: str, namespace: str, port: int, local: int) -> Iterator[None]:
        if local in self.taken:
            raise OSError(self.taken[local], "no")
        self.forwarded.append((service, namespace, port, local))
        yield
        self.ended.append(service)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, set[signal.Signals]]]:
    """What the process was asked to do with its signals, which the tests' own must not."""
    found: list[tuple[int, set[signal.Signals]]] = []
    monkeypatch.setattr(module.signal, "pthread_sigmask", lambda how, which: found.append((how, which)))
    return found


@pytest.fixture
def cluster(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, signals: list[tuple[int, set[signal.Signals]]]) -> Cluster:
    for folder in tiny.root.glob("stack/components/*/*"):
        (folder / "kubernetes.yaml").write_text("{}\n", encoding="utf-8")
    made = Cluster()

    def wait(which: set[signal.Signals]) -> None:
        # Blocked before, or the signal would end the process with its forwards as they are.
        assert signals == [(signal.SIG_BLOCK, which)]
        assert which == {signal.SIGINT, signal.SIGTERM}
        assert made.forwarded
        assert not made.ended

    monkeypatch.setattr(module.signal, "sigwait", wait)
    stack = load_stack(tiny.root, target=KUBERNETES)
    target: Any = KubernetesTarget(stack, Settings(), made, None, inside=False)  # type: ignore[arg-type]
    monkeypatch.setattr(module, "open_target", lambda _: target)
    return made


def ask(*components: str) -> int:
    return forward(argparse.Namespace(components=list(components)))


def test_all_pages_are_led_to_until_it_is_ended(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask() == 0
    assert cluster.forwarded == [
        ("reader", "tiny-processing", 21030, 21030),
        ("portal", "tiny-core", 21040, 21040),
    ]
    assert cluster.ended == ["portal", "reader"]
    shown = capsys.readouterr().out.splitlines()
    # The addresses are those of links (`KubernetesTarget.public_url`).
    assert [line.split() for line in shown[:2]] == [
        ["reader.http", "http://127.0.0.1:21030/ui/"],
        ["portal.http", "http://127.0.0.1:21040/"],
    ]


def test_only_what_is_named_is_led_to(cluster: Cluster) -> None:
    ask("portal")
    assert [service for service, *_ in cluster.forwarded] == ["portal"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["radar"], "there is no component 'radar'"),
        (["s3"], "minio: no page that people open"),
        (["portal", "postgresql", "s3"], "minio, postgresql: no page that people open"),
    ],
)
def test_what_has_no_page_is_refused_before_anything_is_led(cluster: Cluster, words: list[str], said: str) -> None:
    with pytest.raises(PlatformError, match=said):
        ask(*words)
    assert cluster.forwarded == []


def test_a_taken_port_is_named_and_the_others_are_given_back(cluster: Cluster) -> None:
    cluster.taken[21040] = errno.EADDRINUSE
    with pytest.raises(PlatformError) as caught:
        ask()
    assert caught.value.problem == ("port 21040 of this machine is taken, to which portal.http was to be forwarded")
    assert "leave portal out" in caught.value.remedy
    assert [service for service, *_ in cluster.forwarded] == ["reader"]


def test_another_mistake_of_the_machine_is_told_as_it_is(cluster: Cluster) -> None:
    cluster.taken[21040] = errno.EACCES
    with pytest.raises(PermissionError):
        ask()


def test_a_platform_on_this_machine_needs_none(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "open_target", lambda _: LocalTarget(load_stack(tiny.root), State(tmp_path / "state")))
    with pytest.raises(PlatformError, match="this platform listens on this machine") as caught:
        ask()
    assert "bootstrap status" in caught.value.remedy
