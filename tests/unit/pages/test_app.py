"""The pages render what was found, and nothing of it as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute
from markupsafe import escape

from data_platform import summary, times
from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Pipeline, Run, State, Step, paused
from data_platform.pages import app
from data_platform.pages.app import by_namespace, make_app
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
AT = NOW - timedelta(minutes=3)
NAMESPACES = {"storage": "what is kept", "datalab": "of nobody", "processing": "what is computed"}
#: How a page tells AT to a browser that runs no scripts.
TOLD = '<time datetime="2026-03-02T14:34:00Z" title="2026-03-02 14:34:00 UTC">2026-03-02 14:34 UTC (3 min ago)</time>'


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
            {
                "name": "counts-rows",
                "status": "passed",
                "seconds": 0.5,
                "evidence": "25",
                "at": "2026-03-02T15:34:00+01:00",
            }
        ],
        **changes,
    }


def overview(*components: dict[str, Any], lease: dict[str, str] | None = None) -> str:
    platform = {"target": "local", "profile": "default", "lease": lease, "components": list(components)}
    groups = by_namespace(NAMESPACES, components, lambda one: str(one["namespace"]))
    values = {"platform": platform, "groups": groups, "namespaces": NAMESPACES, "name": "tiny"}
    answer = render("overview.html", now=NOW, healthy=summary.is_healthy(platform), **values)
    return bytes(answer.body).decode()


def health(evidence: str, status: str = "passed", looked: Sequence[Pipeline] = ()) -> str:
    kept = KeptResult(AT, "trino", "counts-rows", status, 0.5, evidence, "a1", "health")
    day = day_of([("trino", "counts-rows")], [kept], NOW)
    values = {"pipelines": looked, "groups": {"processing": day.rows}, "namespaces": NAMESPACES}
    return bytes(render("health.html", now=NOW, name="tiny", day=day, **values).body).decode()


def test_the_overview_shows_component_version_state_checks_and_address() -> None:
    page = overview(component())
    for text in ("trino", "476", "running", "1 of 1 passed", "http://127.0.0.1:8440/ui/", TOLD):
        assert text in page
    assert "Every component is there" in page


def test_the_overview_says_who_changes_the_platform() -> None:
    lease = {"holder": "stack_deploy/first", "purpose": "deploy", "since": AT.isoformat(), "until": "later"}
    sentence = f"stack_deploy/first is changing it (deploy), since {TOLD}."
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
    assert f"{TOLD}, 0.50 s: 25 rows" in page
    assert "1 of 1" in page


def test_pages_load_nothing_from_elsewhere_and_run_no_script_but_that_of_their_times() -> None:
    answer = render("health.html", name="tiny", pipelines=(), groups={}, namespaces={}, day=day_of([], [], NOW))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert answer.headers["Cache-Control"] == "no-store"
    body = bytes(answer.body).decode()
    # A browser runs it only if it is, to the letter, what the policy names.
    (script,) = re.findall(r'<script id="times">(.*?)</script>', body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.findall(r"script-src ([^;]*);", policy) == [f"'sha256-{digest}'"]
    assert body.count("<script") == 1
    assert "http" not in body
    assert re.findall(r"\son\w+=", body) == []


def test_the_script_tells_how_long_ago_something_was_by_the_list_of_the_package() -> None:
    body = bytes(render("report_missing.html", key="x", dataset="").body).decode()
    (units,) = re.findall(r"const UNITS = (.*?);", body)
    assert json.loads(units) == [list(unit) for unit in times.UNITS]


def test_components_are_grouped_by_namespace_in_the_order_of_the_stack() -> None:
    page = overview(
        component(), component(name="minio", namespace="storage"), component(name="dbt", namespace="processing")
    )
    names = re.findall(r'scope="rowgroup"[^>]*>(\w+ <span>[^<]*)<|<td><strong>(\w+)<', page)
    assert [group or name for group, name in names] == [
        "storage <span>what is kept",
        "minio",
        "processing <span>what is computed",
        "trino",
        "dbt",
    ]


def test_a_component_of_a_namespace_that_is_not_the_platforms_comes_last() -> None:
    page = overview(component(name="spark-operator", namespace="spark-operator"), component())
    names = re.findall(r'scope="rowgroup"[^>]*>([\w-]+) <span>', page)
    assert names == ["processing", "spark-operator"]


def test_the_page_of_health_asks_for_the_pipelines_and_groups_checks_by_namespace(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SimpleNamespace(stack=load_stack(tiny.root))
    monkeypatch.setattr("data_platform.targets.current.current", lambda: place)
    monkeypatch.setattr(results, "since", lambda *_: [])
    monkeypatch.setattr(pipelines, "look", lambda target, _: [paused("pipelines_a", [], "a")] * (target is place))
    page = bytes(app.health().body).decode()
    names = re.findall(r'scope="rowgroup"[^>]*>(\w+)|<td class="check"><strong>(\w+)<|<strong class="\w+">(\w+)<', page)
    assert ["".join(name) for name in names] == [
        "paused", "core", "portal", "storage", "minio", "postgresql", "processing", "reader",
    ]  # fmt: skip


def test_the_health_page_tells_the_state_of_pipelines_and_the_next_step() -> None:
    late = Pipeline(
        "pipelines_a", "a", State.LATE, (f"{ATTACK} since ", AT), (Step("run it now", "do that", "/dags/a"),)
    )
    page = health("25 rows", looked=(late, paused("stack_health", [Run("r", "queued", AT)])))
    assert f'<strong class="skipped">late</strong><small>{escape(ATTACK)} since {TOLD}</small>' in page
    assert '<a href="/dags/a" target="_blank" rel="noreferrer">run it now</a>, or <code>do that</code>' in page
    assert (
        f'<strong>stack_health</strong></td><td><strong class="skipped">paused</strong><small>a run waits since {TOLD}'
        in page
    )
    assert "Pipelines, and DAGs of the platform itself that are paused" in page
    assert "that are paused" not in health("25 rows", looked=(late,))


def test_hours_can_be_written_in_the_zone_of_the_reader() -> None:
    page = health("25 rows")
    assert page.count("data-hour=") == page.count("data-from=") == 24
    assert '<th class="hour" data-hour="2026-03-02T14:00:00Z" title="2026-03-02 14:00 UTC">14</th>' in page
    assert 'data-from="2026-03-02T14:00:00Z" data-says="passed, 1 run" title="14:00 UTC: passed, 1 run"' in page


def test_every_page_leads_to_the_others() -> None:
    for page in (overview(component()), health("25 rows")):
        assert re.findall(r'<a href="([^"]+)"(?: aria-current="page")?>', page)[:4] == [
            "/data-platform/",
            "/data-platform/health",
            "/data-platform/data",
            "/",
        ]
        assert page.count('aria-current="page"') == 1


def test_the_menu_leads_to_pages_of_ours_in_tabs_of_their_own() -> None:
    from data_platform_plugin import DataPlatformPlugin

    views = DataPlatformPlugin.external_views
    assert {view["name"]: view["href"].removeprefix("/data-platform") for view in views} == {
        "Platform": "/",
        "Health": "/health",
        "Data": "/data",
    }
    # With a route Airflow shows it in a frame, in which no link leads out.
    assert [view["name"] for view in views if "url_route" in view] == []
    assert {route.path for route in make_app().routes if isinstance(route, APIRoute)} > {"/", "/health", "/data"}


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
