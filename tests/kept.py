"""What users leave in a platform before it is taken over, and must find again after."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from data_platform.checks.base import Deadline
from tests.running import Running
from tests.visits import SECONDS, Visit, airflow_token, visit

#: Days of the drill's own: the ECB publishes on no Saturday.
QUEUED, WAITING = "2003-03-01", "2003-03-08"
URN = "urn:li:dataset:(urn:li:dataPlatform:file,kept,PROD)"
PIPELINE = "pipelines_fx_rates"


class Kept(NamedTuple):
    """What was there before the take-over."""

    #: In every row, object, variable … that users left.
    word: str
    #: State of each run that had ended, by `<DAG>/<run>`.
    runs: dict[str, str]
    #: The pipeline's last run, and how many lines the logs of its tasks have.
    run: str
    logs: dict[str, int]
    #: Rows of each table of the lakehouse.
    tables: dict[str, int]
    #: Newest commit of the table catalog.
    commit: str
    #: Of a session in Airflow.
    token: str


def leave(seen: Visit) -> Kept:
    """Do what users do, and note what is there."""
    word = uuid.uuid4().hex
    seen.rows("create schema lakehouse.kept")
    seen.rows("create table lakehouse.kept.words (number integer, word varchar)")
    seen.rows(f"insert into lakehouse.kept.words values (1, '{word}'), (2, '{word}')")
    with seen.own_database("trino", "analytics") as analytics:
        analytics.execute("create table kept (word text)")
        analytics.execute("insert into kept values (%s)", (word,))
    for content in (f"{word} first", f"{word} last"):
        seen.store().put_object("raw", "kept/word", io.BytesIO(content.encode()), len(content))
    with seen.airflow() as airflow:
        # Its password is another word: Airflow hides what it knows as a password wherever it shows something.
        login = {"password": uuid.uuid4().hex, "extra": json.dumps({"kept": word})}
        connection = {"connection_id": "kept", "conn_type": "generic", **login}
        airflow.post("/api/v2/variables", json={"key": "kept", "value": word}).raise_for_status()
        airflow.post("/api/v2/connections", json=connection).raise_for_status()
    _describe(seen, word)
    ended = runs(seen)
    run = max(name for name in ended if name.startswith(PIPELINE))
    with seen.http("nessie.http") as nessie:
        commit = nessie.get("/api/v2/trees/main").raise_for_status().json()["reference"]["hash"]
    return Kept(word, ended, run, logs(seen, run), tables(seen), commit, airflow_token(seen))


def _describe(seen: Visit, word: str) -> None:
    """Describe a dataset in the catalog."""
    value = json.dumps({"customProperties": {}, "description": word, "tags": []})
    proposal = {
        "entityType": "dataset",
        "entityUrn": URN,
        "changeType": "UPSERT",
        "aspectName": "datasetProperties",
        "aspect": {"contentType": "application/json", "value": value},
    }
    with seen.http("datahub.http", seen.secrets["datahub"]["token"]) as catalog:
        catalog.post("/aspects?action=ingestProposal", json={"proposal": proposal}).raise_for_status()


def described(seen: Visit) -> str:
    """What the catalog says of that dataset."""
    with seen.http("datahub.http", seen.secrets["datahub"]["token"]) as catalog:
        found = catalog.get(f"/entitiesV2/{quote(URN)}").raise_for_status().json()
    return str(found["aspects"]["datasetProperties"]["value"]["description"])


def runs(seen: Visit) -> dict[str, str]:
    """Runs that have ended, and how."""
    found: dict[str, str] = {}
    with seen.airflow() as airflow:
        for dag in ("stack_deploy", PIPELINE):
            answer = airflow.get(f"/api/v2/dags/{dag}/dagRuns", params={"limit": 100}).raise_for_status()
            found |= {f"{dag}/{run['dag_run_id']}": run["state"] for run in answer.json()["dag_runs"]}
    return {run: state for run, state in found.items() if state in ("success", "failed")}


def logs(seen: Visit, run: str) -> dict[str, int]:
    """How many lines the logs of two tasks of a run have."""
    dag, _, run_id = run.partition("/")
    found = {}
    with seen.airflow() as airflow:
        for task in ("load", "publish"):
            path = f"/api/v2/dags/{dag}/dagRuns/{quote(run_id)}/taskInstances/{task}/logs/1"
            answer = airflow.get(path, headers={"Accept": "application/json"}).raise_for_status()
            found[task] = len(answer.json()["content"])
    return found


def tables(seen: Visit) -> dict[str, int]:
    """Rows of every table that readers of the lakehouse see."""
    found = seen.rows("select table_schema, table_name from lakehouse.information_schema.tables")
    not_kept = ("information_schema", "scratch")
    names = sorted(f'"{schema}"."{table}"' for schema, table in found if schema not in not_kept)
    return {name: seen.rows(f"select count(*) from lakehouse.{name}")[0][0] for name in names}


def hold_files(platform: Running, folder: Path) -> None:
    """Leave one file in a queue of NiFi and another one in the landing folder."""
    with visit(platform) as seen, seen.http("nifi.http") as nifi:
        _stop(nifi, "Put into raw")
        _ingest(platform, folder, QUEUED)
        Deadline(SECONDS).retry(lambda: _require_queued(nifi), on=NotYetError)
        _stop(nifi, "Take landed files")
        _ingest(platform, folder, WAITING)


class NotYetError(Exception):
    """It has not happened yet."""


def _ingest(platform: Running, folder: Path, day: str) -> None:
    file = folder / f"{day}.csv"
    file.write_text(f"Date,USD,JPY\n{day},1.07,126.5\n", encoding="utf-8")
    platform.bootstrap("ingest", "fx_rates", str(file))


def _status(nifi: httpx.Client) -> dict[str, Any]:
    """Processors and queues of the dataset's flow."""
    (group,) = nifi.get("/nifi-api/process-groups/root/process-groups").raise_for_status().json()["processGroups"]
    answer = nifi.get(f"/nifi-api/flow/process-groups/{group['id']}/status").raise_for_status()
    found: dict[str, Any] = answer.json()["processGroupStatus"]["aggregateSnapshot"]
    return found


def _stop(nifi: httpx.Client, name: str) -> None:
    """Stop a processor; it works on nothing any more then."""
    found = [item["processorStatusSnapshot"] for item in _status(nifi)["processorStatusSnapshots"]]
    (place,) = [f"/nifi-api/processors/{item['id']}" for item in found if item["name"] == name]
    revision = nifi.get(place).raise_for_status().json()["revision"]
    nifi.put(f"{place}/run-status", json={"revision": revision, "state": "STOPPED"}).raise_for_status()

    def look() -> None:
        if nifi.get(place).raise_for_status().json()["status"]["aggregateSnapshot"]["activeThreadCount"]:
            raise NotYetError(f"{name} is still working")

    Deadline(SECONDS).retry(look, on=NotYetError)


def _require_queued(nifi: httpx.Client) -> None:
    queues = [item["connectionStatusSnapshot"] for item in _status(nifi)["connectionStatusSnapshots"]]
    waiting = {queue["destinationName"]: queue["flowFilesQueued"] for queue in queues if queue["flowFilesQueued"]}
    if waiting != {"Put into raw": 1}:
        raise NotYetError(f"waiting: {waiting}")
