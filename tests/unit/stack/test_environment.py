"""An environment says what differs, and nothing that its target cannot be told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from data_platform.stack.environment import Environment

WHOLE = {
    "summary": "what a bank works with",
    "target": "kubernetes",
    "profile": "default",
    "capabilities": {"s3": "minio"},
    "domain": "data.bank.example",
    "authorities": "/etc/bank/ca.pem",
    "retention": {"runs_days": 30, "logs_days": 7},
    "promoted_from": "staging",
    "size": "production",
    "context": "bank",
    "kubeconfig": "~/.kube/bank",
    "registry": "registry.example/data",
    "storage_class": "fast",
    "cluster_services": {"spark-operator": "administrator"},
    "values": {"trino": {"workloads": {"worker": {"replicas": 4}}}},
}


def test_what_it_does_not_say_it_does_not_know() -> None:
    said = Environment.model_validate({"target": "local"}).model_dump(exclude_none=True)
    assert {key for key, value in said.items() if value} == {"target"}


def test_it_may_say_all_of_it() -> None:
    assert Environment.model_validate(WHOLE).model_dump() == WHOLE
    assert set(WHOLE) == set(Environment.model_fields)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": None}, "target"),
        ({"target": "moon"}, "target"),
        ({"sise": "small"}, "sise"),
        ({"size": "huge"}, "size"),
        ({"domain": "https://data.bank.example"}, "domain"),
        ({"domain": "data..example"}, "domain"),
        ({"registry": ""}, "registry"),
        ({"values": {"trino": 4}}, "values.trino"),
        ({"kubeconfig": "kube/config"}, "kubeconfig: it must be an absolute path, or begin with ~"),
        ({"authorities": "ca.pem"}, "authorities: it must be an absolute path, or begin with ~"),
        ({"context": None}, "kubeconfig needs context"),
    ],
)
def test_a_mistake_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Environment.model_validate(WHOLE | change)
    (mistake,) = caught.value.errors()
    assert said in ".".join(map(str, mistake["loc"])) + mistake["msg"]


@pytest.mark.parametrize("key", ["size", "context", "registry", "storage_class", "values"])
def test_what_only_a_cluster_has_is_refused_on_local(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}: for the target kubernetes only"):
        Environment.model_validate({"target": "local", key: WHOLE[key]})


def test_the_past_is_kept_for_as_long_as_it_is_said_and_no_shorter_than_is_needed() -> None:
    assert Environment.model_validate({"target": "local"}).retention is None
    said = Environment.model_validate({"target": "local", "retention": {"logs_days": 7}}).retention
    assert said is not None
    assert (said.runs_days, said.logs_days) == (90, 7)
    for wrong in ({"runs_days": 6}, {"logs_days": 0}, {"runs": 30}):
        with pytest.raises(ValidationError):
            Environment.model_validate({"target": "local", "retention": wrong})
