"""The pages render what was found, and nothing of it as markup."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute

from data_platform import summary
from data_platform.pages import app
from data_platform.pages.app import make_app
from data_platform.pages.day import day_of
from data_platform.pages.render import render
from data_platform.records import results
from data_platform.records.results import KeptResult
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack

if TYPE_CHECKING:
    from tests.conftest import Tiny

ATTACK = "<script>alert('x')</script>"
PATHS = ("/", "/health", "/data", "/reports/fx_rates/index.html")
NOW = datetime(2026, 3, 2, 14, 37, tzinfo=UTC)


def component(**changes: Any) -> dict[str, Any]:
    return {
        "name": "trino",
        "namespace": "processing",
        "version": "476",
        "summary": "SQL over the lakehouse.",
        "state": "running",
        "page": "http://127.0.0.1:8440/ui/",
        "endpoints": {"http": "http://127.0.0.1:8440"},
        "checks_declared": 1,
        "checks": [
            {"name": "counts-rows", "status": "passed", "seconds": 0.5, "evidence": "25", "at": "2026-03-02T14:00:00"}
        ],
        **changes,
    }


def overview(*components: dict[str, Any], lease: dict[str, str] | None = None) -> str:
    platform = {"target": "local", "profile": "default", "lease": lease, "components": list(components)}
    answer = render("overview.html", platform=platform, name="tiny", healthy=summary.is_healthy(platform))
    return bytes(answer.body).decode()


def health(evidence: str, status: str = "passed") -> str:
    kept = KeptResult(NOW, "trino", "counts-rows", status, 0.5, evidence, "a1", "health")
    return bytes(render("health.html", name="tiny", day=day_of([("trino", "counts-rows")], [kept], NOW)).body).decode()


def test_the_overview_shows_component_version_state_checks_and_address() -> None:
    page = overview(component())
    for text in ("trino", "476", "running", "1 of 1 passed", "http://127.0.0.1:8440/ui/", "2026-03-02 14:00:00"):
        assert text in page
    assert "Every component is there" in page


def test_the_overview_says_who_changes_the_platform() -> None:
    lease = {"holder": "stack_deploy/first", "purpose": "deploy", "since": "2026-03-02T14:00:00", "until": "later"}
    sentence = "stack_deploy/first is changing it (deploy), since 2026-03-02 14:00:00."
    assert sentence in overview(component(), lease=lease)
    assert "is changing it" not in overview(component())


def test_results_that_cannot_be_read_are_a_page_with_the_reason(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[KeptResult]:
        raise PlatformError("the database platform has no schema yet", "trigger stack_deploy")

    monkeypatch.setattr("data_platform.targets.current.current", lambda: SimpleNamespace(stack=load_stack(tiny.root)))
    monkeypatch.setattr(results, "since", refuse)
    answer = app.health()
    assert answer.status_code == 503
    for words in ("the database platform has no schema yet", "trigger stack_deploy"):
        assert words in bytes(answer.body).decode()


@pytest.mark.parametrize("state", ["failed", "stopped", "starting", "absent"])
def test_a_component_that_needs_care_changes_the_sentence(state: str) -> None:
    page = overview(component(), component(name="minio", state=state))
    assert "Some components need care" in page
    assert "Every component is there" not in page


def test_a_failed_check_is_shown_with_its_evidence() -> None:
    check = {
        "name": "counts-rows",
        "status": "failed",
        "seconds": 1,
        "evidence": "24, not 25",
        "at": "2026-03-02T14:00",
    }
    page = overview(component(checks=[check]))
    assert "counts-rows: 24, not 25" in page
    assert "0 of 1 passed" in page
    assert "Some components need care" in page


def test_a_component_without_a_page_shows_its_addresses_and_one_without_a_server_says_so() -> None:
    assert "http://127.0.0.1:8440<br>" in overview(component(page=""))
    assert "no server of its own" in overview(component(page="", endpoints={}))


def test_evidence_is_text_and_never_markup() -> None:
    check = {"name": "counts-rows", "status": "failed", "seconds": 1, "evidence": ATTACK, "at": "2026-03-02T14:00"}
    pages = [overview(component(checks=[check])), health(ATTACK), health(ATTACK, "failed")]
    for page in pages:
        assert ATTACK not in page
        assert "&lt;script&gt;" in page


def test_the_health_page_shows_the_grid_and_the_sentence() -> None:
    page = health("25 rows")
    assert page.count('class="cell ') == 24
    assert page.count('class="cell passed"') == 1
    assert "All 1 checks passed" in page
    assert "25 rows" in page
    assert "1 of 1" in page


def test_pages_load_nothing_from_elsewhere_and_may_not_run_scripts() -> None:
    answer = render("health.html", name="tiny", day=day_of([], [], NOW))
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    body = bytes(answer.body).decode()
    assert "<script" not in body
    assert "http" not in body


def test_every_page_needs_a_login() -> None:
    made = make_app()
    routes = [route for route in made.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes} == {"/", "/health", "/data", "/reports/{key:path}"}
    for route in routes:
        assert len(route.dependant.dependencies) == 1, route.path
    assert made.openapi_url is None
    assert len(made.routes) == len(routes), "no documentation pages beside ours"


@pytest.mark.enable_socket  # an event loop wants a pair of sockets; nothing is connected
def test_without_a_login_a_page_is_refused() -> None:
    import asyncio

    import httpx

    async def ask() -> dict[str, int]:
        transport = httpx.ASGITransport(app=make_app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
            return {path: (await client.get(path)).status_code for path in PATHS}

    assert asyncio.run(ask()) == dict.fromkeys(PATHS, 401)
