"""Servers are killed or away while files come in, and every file arrives.

Reads like a runbook: when … is killed, then … within … seconds.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.supervisor import Supervisor
from data_platform.datasets.landing import landing_of
from data_platform.targets.local.state import State
from tests.holding import paused, soon
from tests.ingesting import SECONDS, Ingestion, sha256
from tests.running import Running

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]

FILES = 800
#: So many of them have arrived before.
FIRST = 50
#: Seconds in which all files must have arrived after the fault.
ARRIVED_SECONDS = 600.0


@pytest.fixture
def ingestion(platform: Running, tmp_path: Path) -> Iterator[Ingestion]:
    made = Ingestion(platform, tmp_path, "ingest_drill")
    made.write()
    made.deploy()
    yield made
    made.remove()


def contents(count: int) -> dict[str, bytes]:
    """Files of a few kB, all different: every tenth is to be refused."""
    rows = "".join(f"2024-01-{day:02},1.{day},655.957,\n" for day in range(1, 29)) * 4
    return {
        f"file {number}.csv": f"{'Datum' if number % 10 == 0 else 'Date'},USD,XOF,\n{rows}#{number}\n".encode()
        for number in range(count)
    }


def all_arrived(ingestion: Ingestion, files: dict[str, bytes]) -> None:
    ingestion.landed(ARRIVED_SECONDS)
    good = {sha256(content) for content in files.values() if content.startswith(b"Date,")}
    assert ingestion.raw() == good
    refused = [name for name in files if files[name].startswith(b"Datum,")]
    assert refused
    for name in refused:
        assert "called 'Datum'" in ingestion.refused(name, files[name])["reason"]
    landing = Path(landing_of(ingestion.target).made(ingestion.dataset))
    assert not landing.with_name(f"{landing.name}.dead-letters").exists()


def test_nifi_is_killed_in_the_middle_of_many_files(platform: Running, ingestion: Ingestion) -> None:
    files = contents(FILES)
    some = dict(list(files.items())[:FIRST])
    for name, content in some.items():
        ingestion.land(name, content)
    ingestion.landed()
    killed = platform.programs()["nifi.nifi"]
    # What comes now gets as far as to the store.
    with paused(platform.programs()["minio.server"]):
        for name, content in files.items():
            if name not in some:
                ingestion.land(name, content)
        soon(lambda: ingestion.held("Put into raw") >= FILES // 4)
        os.kill(killed, signal.SIGKILL)
    all_arrived(ingestion, files)
    assert platform.programs()["nifi.nifi"] != killed


def test_nifi_is_killed_right_after_a_deployment(platform: Running, ingestion: Ingestion) -> None:
    """What deploy_flow has returned from is on disk: files that come in then survive a kill."""

    def change(definition: dict[str, object]) -> None:
        definition["labels"] = []

    ingestion.write(change)
    assert "upgraded" in ingestion.deploy()
    files = contents(20)
    for name, content in files.items():
        ingestion.land(name, content)
    os.kill(platform.programs()["nifi.nifi"], signal.SIGKILL)
    all_arrived(ingestion, files)
    assert ingestion.deploy() == "flow ingest_drill: unchanged"


def test_the_object_store_is_away_for_a_while(platform: Running, ingestion: Ingestion) -> None:
    supervisor = Supervisor(State(platform.folder).socket)
    files = contents(40)
    supervisor.stop("minio.server")
    try:
        for name, content in files.items():
            ingestion.land(name, content)

        def look() -> None:
            assert ingestion.held("Put into raw") == 36
            assert ingestion.held("Put into quarantine") == 4
            assert any("could not be put as raw/" in line for line in ingestion.bulletins())

        Deadline(SECONDS).retry(look, on=AssertionError)
    finally:
        supervisor.start("minio.server")
    all_arrived(ingestion, files)
