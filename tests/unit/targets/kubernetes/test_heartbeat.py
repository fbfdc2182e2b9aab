"""A probe of Airflow's processes says no when there is no fresh heartbeat."""

from __future__ import annotations

from typing import Any, Self

import psycopg
import pytest

from data_platform.targets.kubernetes import heartbeat

ENVIRONMENT = {
    "POSTGRESQL_SQL_HOST": "h",
    "POSTGRESQL_SQL_PORT": "5432",
    "AIRFLOW_DATABASE_USER": "airflow",
    "AIRFLOW_DATABASE_PASSWORD": "secret",
}


class Database:
    """Answers one query."""

    def __init__(self, answer: tuple[bool | None] | None) -> None:
        self.answer = answer
        self.asked: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, query: str, parameters: tuple[Any, ...]) -> Database:
        assert "state = 'running'" in query
        self.asked = parameters
        return self

    def fetchone(self) -> tuple[bool | None] | None:
        return self.answer


@pytest.mark.parametrize(("answer", "code"), [((True,), 0), ((False,), 1), ((None,), 1), (None, 1)])
def test_only_a_fresh_heartbeat_is_good(
    answer: tuple[bool | None] | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(answer)
    monkeypatch.setattr(psycopg, "connect", lambda **_: database)
    monkeypatch.setattr(heartbeat.socket, "getfqdn", lambda: "airflow-scheduler-1")
    assert heartbeat.main(["SchedulerJob"], ENVIRONMENT) == code
    assert database.asked[1:] == ("SchedulerJob", "airflow-scheduler-1")
    assert ("no heartbeat of SchedulerJob" in capsys.readouterr().err) == (code == 1)


def test_a_call_without_a_job_type_is_refused() -> None:
    assert heartbeat.main([], ENVIRONMENT) == 2
