"""What `status --json` and the pages say of the platform."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.checks.base import Address
from data_platform.datasets.pipeline_state import paused
from data_platform.records import leases, results
from data_platform.records.results import KeptResult
from data_platform.stack.load import load_stack
from data_platform.summary import describe, is_healthy

if TYPE_CHECKING:
    from tests.conftest import Tiny

PIPELINES = (paused("pipelines_a", [], "a"),)
AT = datetime(2026, 3, 2, 14, 37, 12, tzinfo=UTC)


def kept(component: str, name: str, status: str = "passed") -> KeptResult:
    return KeptResult(AT, component, name, status, 0.5, "evidence", "a1", "health")


@pytest.fixture
def place(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Any:
    stack = load_stack(tiny.root)

    def internal(component: str, endpoint: str) -> Address:
        return Address("127.0.0.1", 1, f"http://{component}.{endpoint}.svc")

    def public(component: str, endpoint: str) -> str:
        return f"https://{component}.{endpoint}.example"

    monkeypatch.setattr(results, "latest", lambda _: [])
    monkeypatch.setattr(leases, "current", lambda *_, **__: None)
    return SimpleNamespace(
        name="local", stack=stack, internal_address=internal, public_url=public, condition=lambda _: "running"
    )


def entry(place: Any, name: str) -> dict[str, Any]:
    (found,) = (c for c in describe(place)["components"] if c["name"] == name)
    return dict(found)


def test_every_component_is_described_in_order(place: Any) -> None:
    found = describe(place)
    assert [c["name"] for c in found["components"]] == list(place.stack.components)
    assert (found["target"], found["profile"]) == ("local", "default")
    assert found["airflow"] == {"url": "https://orchestrator.api.example"}
    assert found["lease"] is None


def test_a_component_has_its_page_and_its_addresses(place: Any) -> None:
    # What people open is as they open it; the rest as components reach it.
    assert entry(place, "reader")["page"] == "https://reader.http.example/ui/"
    assert entry(place, "reader")["endpoints"] == {"http": "https://reader.http.example"}
    assert entry(place, "minio")["page"] == ""
    assert entry(place, "minio")["endpoints"] == {"http": "http://minio.http.svc"}


def test_a_page_for_operators_is_none_that_people_are_shown(tiny: Tiny, place: Any) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["endpoints"]["http"].update(audience=["operators"]))
    place.stack = load_stack(tiny.root)
    assert entry(place, "reader")["page"] == ""
    assert entry(place, "reader")["endpoints"] == {"http": "http://reader.http.svc"}


def test_the_contract_names_every_key(place: Any, root: Path) -> None:
    found = describe(place, PIPELINES)
    (contract,) = re.findall(
        r"`status --json`: `(.*?)`;", (root / "docs/architecture.md").read_text(encoding="utf-8"), re.DOTALL
    )
    told = set(re.findall(r'"(\w+)"', contract))
    check = {"name", "status", "seconds", "evidence", "at"}
    (pipeline,) = found["pipelines"]
    keys = {*found, *found["airflow"], *found["components"][0], *check, "credentials_file"}
    keys |= {*pipeline, *pipeline["next"][0]}
    assert told == keys


def test_results_of_checks_that_are_no_longer_declared_are_left_out(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        kept("reader", "answers-on-its-page"),
        kept("reader", "removed-long-ago", "failed"),
        kept("portal", "answers-on-its-page", "failed"),
    ]
    monkeypatch.setattr(results, "latest", lambda _: found)
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
    def refuse(*_: object, **__: object) -> list[KeptResult]:
        raise ConnectionRefusedError

    monkeypatch.setattr(results, "latest", refuse)
    monkeypatch.setattr(leases, "current", refuse)
    assert describe(place)["lease"] is None
    assert entry(place, "reader")["checks"] == []
    assert entry(place, "reader")["checks_declared"] == 1


def test_who_changes_the_platform_is_told(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    until = AT + timedelta(minutes=5)
    lease = leases.Lease("platform", "stack_deploy/first", "deploy", AT, AT, until, 3.0)
    monkeypatch.setattr(leases, "current", lambda _, patience: None if patience else lease)
    assert describe(place)["lease"] == {
        "holder": "stack_deploy/first",
        "purpose": "deploy",
        "since": "2026-03-02T14:37:12+00:00",
        "until": "2026-03-02T14:42:12+00:00",
    }


@pytest.mark.parametrize(("condition", "healthy"), [("running", True), ("installed", True), ("failed", False)])
def test_one_sick_component_makes_the_platform_unhealthy(place: Any, condition: str, healthy: bool) -> None:
    place.condition = lambda name: condition if name == "portal" else "running"
    assert is_healthy(describe(place)) is healthy


def test_pipelines_that_need_care_are_told_and_leave_the_platform_healthy(place: Any) -> None:
    found = describe(place, PIPELINES)
    assert [(one["dataset"], one["state"]) for one in found["pipelines"]] == [("a", "paused")]
    assert found["pipelines"][0]["next"][0]["url"] == "https://orchestrator.api.example/dags/pipelines_a"
    assert is_healthy(found)
    assert describe(place)["pipelines"] == []
