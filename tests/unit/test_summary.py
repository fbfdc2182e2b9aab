"""What `status --json` and the pages say of the platform."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.checks import history
from data_platform.checks.base import Address
from data_platform.checks.history import KeptResult
from data_platform.stack.load import load_stack
from data_platform.summary import describe, is_healthy

if TYPE_CHECKING:
    from tests.conftest import Tiny

AT = datetime(2026, 3, 2, 14, 37, 12, tzinfo=UTC)


def kept(component: str, name: str, status: str = "passed") -> KeptResult:
    return KeptResult(AT, component, name, status, 0.5, "evidence", "a1", "health")


@pytest.fixture
def place(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Any:
    stack = load_stack(tiny.root)

    def address(component: str, endpoint: str) -> Address:
        return Address("127.0.0.1", 1, f"http://{component}.{endpoint}")

    monkeypatch.setattr(history, "latest", lambda _: [])
    return SimpleNamespace(name="local", stack=stack, address=address, condition=lambda _: "running")


def entry(place: Any, name: str) -> dict[str, Any]:
    (found,) = (c for c in describe(place)["components"] if c["name"] == name)
    return dict(found)


def test_every_component_is_described_in_order(place: Any) -> None:
    found = describe(place)
    assert [c["name"] for c in found["components"]] == list(place.stack.components)
    assert (found["target"], found["profile"]) == ("local", "default")
    assert found["airflow"] == {"url": "http://airflow.api"}


def test_a_component_has_its_page_and_its_addresses(place: Any) -> None:
    assert entry(place, "reader")["page"] == "http://reader.http/ui/"
    assert entry(place, "minio")["page"] == ""
    assert entry(place, "minio")["endpoints"] == {"http": "http://minio.http"}


def test_results_of_checks_that_are_no_longer_declared_are_left_out(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [
        kept("reader", "answers-on-its-page"),
        kept("reader", "removed-long-ago", "failed"),
        kept("portal", "answers-on-its-page", "failed"),
    ]
    monkeypatch.setattr(history, "latest", lambda _: results)
    assert entry(place, "reader")["checks"] == [
        {
            "name": "answers-on-its-page",
            "status": "passed",
            "seconds": 0.5,
            "evidence": "evidence",
            "at": "2026-03-02T14:37:12+00:00",
        }
    ]
    assert not is_healthy(describe(place))


def test_without_the_database_the_platform_is_described_all_the_same(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> list[KeptResult]:
        raise ConnectionRefusedError

    monkeypatch.setattr(history, "latest", refuse)
    assert entry(place, "reader")["checks"] == []
    assert entry(place, "reader")["checks_declared"] == 1


@pytest.mark.parametrize(("condition", "healthy"), [("running", True), ("installed", True), ("failed", False)])
def test_one_sick_component_makes_the_platform_unhealthy(place: Any, condition: str, healthy: bool) -> None:
    place.condition = lambda name: condition if name == "portal" else "running"
    assert is_healthy(describe(place)) is healthy
