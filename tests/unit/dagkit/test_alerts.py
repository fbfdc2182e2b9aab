"""A failed task tells of itself, and a broken channel does not hide the failure."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from data_platform.clients import webhook
from data_platform.dagkit.alerts import alert

TI = SimpleNamespace(dag_id="stack_health", task_id="trino", log_url="http://airflow.test/log")
CONTEXT: Any = {"ti": TI, "run_id": "run-1", "exception": ValueError("no rows")}
MESSAGE = {
    "dag": "stack_health", "task": "trino", "run": "run-1", "error": "no rows", "log": "http://airflow.test/log"
}  # fmt: skip


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    monkeypatch.setattr(webhook, "deliver", lambda url, message: found.append((url, message)) or "")
    return found


def connect(monkeypatch: pytest.MonkeyPatch, host: str | None) -> None:
    def get(name: str) -> Any:
        assert name == "alerts"
        if host is None:
            raise AirflowNotFoundException(name)
        return SimpleNamespace(host=host)

    monkeypatch.setattr(BaseHook, "get_connection", get)


def test_the_channel_gets_what_one_wants_to_know(
    monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, object]]
) -> None:
    connect(monkeypatch, "https://alerts.test/hook")
    alert(CONTEXT)
    assert sent == [("https://alerts.test/hook", MESSAGE)]


def test_without_a_channel_it_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, object]], caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, None)
    with caplog.at_level(logging.ERROR, "data_platform.alerts"):
        alert(CONTEXT)
    assert sent == []
    assert [record.getMessage() for record in caplog.records] == [f"ALERT {MESSAGE}"]


def test_a_channel_that_refuses_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, "https://alerts.test/hook")
    monkeypatch.setattr(webhook, "deliver", lambda *_: "403 Forbidden")
    with caplog.at_level(logging.ERROR, "data_platform.alerts"):
        alert(CONTEXT)
    assert caplog.records[-1].getMessage() == "the alert could not be delivered to connection alerts: 403 Forbidden"
