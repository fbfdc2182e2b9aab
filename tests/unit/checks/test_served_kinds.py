"""The check `served_kinds`, against a cluster in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from data_platform.checks.base import CheckFailed, Deadline, Platform
from data_platform.checks.served_kinds import Params, check
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

PARAMS = Params.model_validate(
    {"kinds": [{"api_version": "a.example/v1", "kind": "One"}, {"api_version": "a.example/v2", "kind": "Two"}]}
)


def ask(*kinds: tuple[str, str]) -> str:
    cluster = FakeCluster()
    cluster.kinds |= set(kinds)
    return check(PARAMS, cast("Platform", SimpleNamespace(cluster=cluster)), Deadline(0.2))


def test_all_of_them_must_be_known() -> None:
    known = ask(("a.example/v1", "One"), ("a.example/v2", "Two"))
    assert known == "the cluster knows One of a.example/v1, Two of a.example/v2"


def test_another_version_is_not_the_one() -> None:
    with pytest.raises(CheckFailed, match=r"^the cluster does not know Two of a\.example/v2$"):
        ask(("a.example/v1", "One"), ("a.example/v1", "Two"))
