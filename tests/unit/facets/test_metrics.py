"""The facet `metrics`: what it asks of a component, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.checks.run import arguments
from data_platform.facets.metrics import Metrics
from data_platform.stack.load import load_stack
from tests.unit.stack.conftest import refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny

SAID = {"endpoint": "http", "path": "/q/metrics", "names": ["up", "memory_bytes"]}
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def reader(tiny: Tiny) -> Tiny:
    """The small stack, whose reader has metrics."""
    tiny.edit(tiny.component("reader"), lambda c: c.update(metrics=SAID))
    return tiny


BROKEN: dict[str, tuple[Change, tuple[str, ...]]] = {
    "no_endpoint_of_that_name": (
        lambda c: c["metrics"].update(endpoint="grpc"),
        ("metrics.endpoint: there is no endpoint 'grpc'; there is: http",),
    ),
    "an_endpoint_without_http": (
        lambda c: c["endpoints"].update(raw={"port": 21031, "scheme": "tcp"}) or c["metrics"].update(endpoint="raw"),
        ("metrics.endpoint: 'raw' does not speak HTTP",),
    ),
    "no_process_of_that_name": (
        lambda c: c["metrics"].update(process="worker"),
        ("metrics.process: there is no process 'worker'; there is: server",),
    ),
    "no_names": (lambda c: c["metrics"].update(names=[]), ("metrics.names", "at least 1")),
    "what_is_no_name": (lambda c: c["metrics"].update(names=["up{job='x'}"]), ("metrics.names.0", "pattern")),
    "a_user_with_a_password": (lambda c: c["metrics"].update(user="me:secret"), ("metrics.user", "pattern")),
    "an_unknown_key": (lambda c: c["metrics"].update(port=1), ("metrics.port: unknown key",)),
    "a_check_of_that_name": (
        lambda c: c["checks"].append({"name": "serves-its-metrics", "kind": "http"}),
        ("metrics has a check serves-its-metrics, and so has `checks`", "another name"),
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_mistake_is_named(reader: Tiny, case: str) -> None:
    change, said = BROKEN[case]
    reader.edit(reader.component("reader"), change)
    error = refusal(reader)
    assert str(reader.component("reader")) in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


def test_its_check_is_one_of_the_components_and_takes_its_arguments(reader: Tiny) -> None:
    component = load_stack(reader.root).components["reader"].component
    assert [check.name for check in component.checks] == ["answers-on-its-page"]
    (spec,) = component.all_checks[1:]
    assert (spec.name, spec.kind, spec.within) == ("serves-its-metrics", "metrics", 30)
    assert arguments("reader", spec).model_dump() == {
        "component": "reader",
        "endpoint": "http",
        "path": "/q/metrics",
        "user": "",
        "names": ("up", "memory_bytes"),
    }


def test_who_has_none_is_not_asked_for_them(tiny: Tiny) -> None:
    component = load_stack(tiny.root).components["reader"].component
    assert component.all_checks == component.checks
    assert "metrics" not in component.facets


def test_its_chart_is_told_where_they_are(reader: Tiny) -> None:
    item = load_stack(reader.root).components["reader"]
    side = item.component.facets["metrics"]
    assert side.secrets() == {}
    assert side.chart(item, {}) == {"serviceMonitor": {"endpoint": "http", "scheme": "http", "path": "/q/metrics"}}


def test_a_user_is_in_a_secret_with_an_empty_password(reader: Tiny) -> None:
    item = load_stack(reader.root).components["reader"]
    side = Metrics.model_validate({**SAID, "user": "me", "process": "server"})
    assert side.secrets() == {"scraper": {"username": "me", "password": ""}}
    told = side.chart(item, {"scraper": "reader-scraper"})["serviceMonitor"]
    assert (told["login"], told["process"]) == ("reader-scraper", "server")
