"""The check `reconciled`: somebody must do something with what is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from data_platform.checks.base import CheckFailed, Deadline, Platform
from data_platform.checks.reconciled import Params, check
from data_platform.clients.kubernetes_errors import FORBIDDEN, TIMEOUT, ClusterError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

PARAMS = Params.model_validate(
    {
        "wanted": {"apiVersion": "a.example/v1", "kind": "Thing", "spec": {"size": 1}},
        "namespace_of": "jobs",
        "becomes": {"status.state": "Seen"},
    }
)


@pytest.fixture(scope="module")
def stack(root: Path) -> Stack:
    """This checkout's stack, on Kubernetes."""
    return load_stack(root, target=KUBERNETES)


class Watched(FakeCluster):
    """Somebody, or nobody, writes the status of what is made."""

    def __init__(self, status: dict[str, Any] | None, reason: str = TIMEOUT) -> None:
        super().__init__()
        self.status, self.reason = status, reason
        self.made: list[dict[str, Any]] = []

    def wait_until(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, done: Callable[..., bool], **_: object
    ) -> dict[str, Any] | None:
        there = self.objects[kind, namespace, name]
        self.made.append(there)
        if self.status is not None:
            there["status"] = self.status
        if done(there):
            return there
        raise ClusterError(f"{api_version} not done", "look", self.reason)


def ask(stack: Stack, cluster: Watched) -> str:
    return check(
        PARAMS,
        cast("Platform", SimpleNamespace(cluster=cluster, namespace=lambda of: places.namespace(stack, of))),
        Deadline(1),
    )


def test_it_is_made_where_it_belongs_seen_and_removed(stack: Stack) -> None:
    cluster = Watched({"state": "Seen", "more": {"of": "it"}})
    assert ask(stack, cluster).endswith("in data-platform-processing became status.state is Seen")
    (made,) = cluster.made
    assert (made["spec"], made["metadata"]["namespace"]) == ({"size": 1}, "data-platform-processing")
    assert cluster.objects == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "status.state is not there"),
        ({"state": "Refused"}, "status.state is Refused"),
        ({"state": None}, "not there"),
    ],
)
def test_what_nobody_does_something_with_has_not_passed(stack: Stack, status: dict[str, Any] | None, said: str) -> None:
    cluster = Watched(status)
    with pytest.raises(CheckFailed, match=said):
        ask(stack, cluster)
    assert cluster.objects == {}


def test_an_error_of_the_cluster_is_told_as_it_is(stack: Stack) -> None:
    with pytest.raises(ClusterError, match="not done"):
        ask(stack, Watched(None, FORBIDDEN))


def test_something_must_become_of_it() -> None:
    with pytest.raises(ValueError, match="becomes"):
        Params.model_validate({**PARAMS.model_dump(), "becomes": {}})
