"""The network between two components is slow, cut or silent, and nothing hangs, is lost or is left half done.

Each operation is done by the caller's own client while its way to one server is broken (tests/edges.py, toxics.py). How
well it came through is decided in tests/verdicts.py; a deep run writes that down (proof/networks.json), and
docs/reference/networks.md shows it. Each case reads: while the way is …, this is done; then within … it has ended, what
it left is the old state or the new one, and when the way is sound again it is done within ….
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from bootstrap.proof import verdicts as record
from data_platform.targets.local.state import State
from tests import edges, throwaway
from tests.attempts import PATIENCE, observed
from tests.edges import EDGES, Edge
from tests.ingesting import Ingestion
from tests.lake import Lake
from tests.operations import OPERATIONS, World
from tests.running import UP_SECONDS, Running, end
from tests.toxics import FAULTS, Fault, Toxiproxy
from tests.verdicts import Found, Verdict, decide

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]

#: Components that call each other; what they need comes with them.
_COMPONENTS = ("nessie", "nifi", "spark", "trino")
#: Only these runs are wanted: those of `up`.
_NOT_PAUSED = ("stack_deploy", "stack_upgrade")


def checkout(place: Path) -> Path:
    """A copy of this checkout whose calls go by ways, in the place of an earlier copy, whose processes may run."""
    shutil.rmtree(place / "new", ignore_errors=True)
    new = throwaway.checkout(place / "new", edges.NETWORK)
    edges.lead(new)
    made = place / new.name
    shutil.rmtree(made, ignore_errors=True)
    return new.rename(made)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform of its own. With DATA_PLATFORM_TEST_STATE it is kept, beside that one, and used again."""
    kept = os.environ.get("DATA_PLATFORM_TEST_STATE")
    place = Path(f"{kept}-networks") if kept else tmp_path_factory.mktemp("networks")
    place.mkdir(parents=True, exist_ok=True)
    running = Running(place / "a state", root=checkout(place))
    _make_sound(running)
    try:
        running.bootstrap("up", "--only", ",".join(_COMPONENTS), seconds=UP_SECONDS)
        with paused(running):
            yield running
        if not kept:
            end(running)
    finally:
        # Also when it did not come up.
        if not kept and running.folder.exists():
            running.bootstrap("down", "--purge")


def _make_sound(platform: Running) -> None:
    """Take away what an interrupted run has left on the ways of a kept platform: it could not be brought up over it."""
    if State(platform.folder).settings_file.exists():
        # It may be down.
        with suppress(httpx.TransportError), toxiproxy(platform) as session:
            session.reset()


def toxiproxy(platform: Running) -> Toxiproxy:
    return Toxiproxy(platform.target.address(edges.NETWORK, edges.API).url)


@contextmanager
def paused(platform: Running) -> Iterator[None]:
    """While it lasts no DAG runs by itself: a pipeline would write the tables too."""
    with platform.airflow() as airflow:
        dags = [dag for dag in airflow.dag_ids() if dag not in _NOT_PAUSED]
    assert dags
    _set_paused(platform, dags, True)
    yield
    _set_paused(platform, dags, False)


def _set_paused(platform: Running, dags: list[str], value: bool) -> None:
    with platform.airflow() as airflow:
        for dag in dags:
            airflow._request("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": value})


@pytest.fixture(scope="module")
def world(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    lake = Lake(platform)
    ingestion = Ingestion(platform, tmp_path_factory.mktemp("ingest"), "ingest_network")
    ingestion.write()
    ingestion.deploy()
    with lake.trino, lake.nessie:
        made = World(platform, lake, ingestion, lake.dataset())
        yield made
        made.close()


@pytest.fixture(scope="module")
def network(platform: Running) -> Iterator[Toxiproxy]:
    with toxiproxy(platform) as made:
        assert made.ways().keys() == {edge.name for edge in EDGES}
        yield made


def told(platform: Running, edge: Edge, fault: Fault, found: Found) -> str:
    """The verdict as the record has it, without paths of this machine."""
    why = found.why.replace(str(platform.folder), "STATE").replace(str(platform.root), "ROOT")
    return json.dumps({"way": edge.name, "fault": fault.name, "verdict": str(found.verdict), "why": why})


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "-") for fault in FAULTS])
@pytest.mark.parametrize("edge", EDGES, ids=[edge.name for edge in EDGES])
def test_an_operation_comes_through_or_ends_with_a_name_and_leaves_nothing_half_done(
    world: World, network: Toxiproxy, edge: Edge, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    seen = observed(network, edge, fault, lambda: OPERATIONS[edge.name](world), world.platform.programs)
    found = decide(edge, fault, seen, PATIENCE)
    record_property(record.PROPERTY, told(world.platform, edge, fault, found))
    print(f"{edge.name}, {fault.name}: {found.verdict}: {found.why}")
    assert found.verdict is not Verdict.FAILED, found.why
