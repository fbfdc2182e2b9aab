"""A probe of Airflow's processes says no when there is no fresh heartbeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import pytest

from data_platform.targets.kubernetes import heartbeat


class Database:
    """Answers one query."""

    def __init__(self, answer: tuple[bool | None] | None) -> None:
        self.answer = answer
        self.asked: tuple[Any, ...] = ()
        #: Deadline of its statements.
        self.seconds = float("inf")

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
    answer: tuple[bool | None] | None,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database, asked = Database(answer), list[str]()
    monkeypatch.setattr(heartbeat.Connection, "connect", lambda address, **_: asked.append(address) or database)
    address = tmp_path / "secrets" / "database-url"
    address.parent.mkdir()
    address.write_text("postgresql+psycopg2://airflow:secret@h:5432/airflow")
    monkeypatch.setattr(heartbeat.socket, "getfqdn", lambda: "airflow-scheduler-1")
    assert heartbeat.main(["SchedulerJob"], {"ETC": str(tmp_path)}) == code
    # The login is in the file that airflow.cfg reads, not in the environment.
    assert asked == ["postgresql://airflow:secret@h:5432/airflow"]
    assert database.seconds <= 10
    assert database.asked[1:] == ("SchedulerJob", "airflow-scheduler-1")
    assert ("no heartbeat of SchedulerJob" in capsys.readouterr().err) == (code == 1)


def test_a_call_without_a_job_type_is_refused() -> None:
    assert heartbeat.main([], {}) == 2
