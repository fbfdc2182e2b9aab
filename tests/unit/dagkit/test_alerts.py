"""A failed task tells of itself, and a broken channel does not hide the failure."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from data_platform.clients import webhook
from data_platform.clients.webhook import Address
from data_platform.dagkit.alerts import alert, text

TI = SimpleNamespace(dag_id="stack_health", task_id="trino", log_url="http://airflow.test/log?a=1&b=2")
CONTEXT: Any = {"ti": TI, "run_id": "run-1", "exception": ValueError("no rows")}
MESSAGE = {
    "dag": "stack_health", "task": "trino", "run": "run-1", "error": "no rows", "log": "http://airflow.test/log?a=1&b=2"
}  # fmt: skip
TEXT = "stack_health.trino failed in run run-1: no rows\nhttp://airflow.test/log?a=1&b=2"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Address, object]]:
    found: list[tuple[Address, object]] = []
    monkeypatch.setattr(webhook, "deliver", lambda address, message: found.append((address, message)) or "")
    return found


def connect(monkeypatch: pytest.MonkeyPatch, connection: Connection | Exception) -> None:
    def get(name: str) -> Any:
        assert name == "alerts"
        if isinstance(connection, Exception):
            raise connection
        return connection

    monkeypatch.setattr(BaseHook, "get_connection", get)


def channel(host: str, **more: Any) -> Connection:
    return Connection(conn_id="alerts", conn_type="http", host=host, **more)


@pytest.mark.parametrize(
    "connection", [channel("https://alerts.test:8443/hook"), channel("alerts.test/hook", schema="https", port=8443)]
)
def test_the_channel_gets_what_one_wants_to_know(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[Address, object]]
) -> None:
    connect(monkeypatch, connection)
    alert(CONTEXT)
    assert sent == [(Address("https://alerts.test:8443/hook"), {"text": TEXT, **MESSAGE})]


def test_an_error_calls_nobody_and_is_cut() -> None:
    assert "&lt;!channel&gt; a &amp; b" in text({**MESSAGE, "error": "<!channel> a & b"})
    long = text({**MESSAGE, "error": "x" * 100_000})
    assert "x" * 1000 + "…\n" in long
    assert len(long) < 1200


def test_without_a_channel_it_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, sent: list[tuple[Address, object]], caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, AirflowNotFoundException("alerts"))
    with caplog.at_level(logging.ERROR, "data_platform.alerts"):
        alert(CONTEXT)
    assert sent == []
    assert [record.getMessage() for record in caplog.records] == [f"ALERT {MESSAGE}"]


def test_a_channel_that_refuses_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, channel("https://alerts.test/hook"))
    monkeypatch.setattr(webhook, "deliver", lambda *_: "403 Forbidden")
    with caplog.at_level(logging.ERROR, "data_platform.alerts"):
        alert(CONTEXT)
    assert caplog.records[-1].getMessage() == "the alert could not be delivered to connection alerts: 403 Forbidden"


@pytest.mark.parametrize("broken", [channel(""), channel("https://SECRET:x"), RuntimeError("https://SECRET")])
def test_a_connection_that_is_broken_is_told_without_its_content(
    broken: Connection | Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, broken)
    with caplog.at_level(logging.ERROR, "data_platform.alerts"):
        alert(CONTEXT)
    assert "could not be delivered" in caplog.records[-1].getMessage()
    assert "SECRET" not in caplog.text
