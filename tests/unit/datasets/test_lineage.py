"""What is sent to the catalog about NiFi and dbt, and what is said when there is nothing to send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Address, Deadline
from data_platform.clients import s3
from data_platform.datasets import lineage
from data_platform.stack.errors import PlatformError

JOB = "urn:li:dataJob:(urn:li:dataFlow:(nifi,1,PROD),2)"


class Place:
    """A platform whose servers nobody calls."""

    def address(self, component: str, endpoint: str) -> Address:
        assert endpoint == "http"
        return Address("127.0.0.1", 1, f"http://{component}")

    def credentials(self, holder: str) -> dict[str, str]:
        assert holder == "pipelines"
        return {"datahub_token": "secret", "s3_access_key": "key", "s3_secret_key": "secret"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a source is given; its answer is under `urns`."""
    found: dict[str, Any] = {"urns": [JOB]}

    def ingest(target: Any, source: type, name: str, config: dict[str, Any], deadline: Deadline) -> list[str]:
        del target, deadline
        documents = {key: Path(config[key]).read_text() for key in ("manifest_path", "catalog_path") if key in config}
        found.update(source=source.__name__, name=name, config=config, documents=documents)
        urns: list[str] = found["urns"]
        return urns

    monkeypatch.setattr(lineage, "_ingest", ingest)
    return found


def emit(function: Any) -> str:
    return str(function(Place(), "x", Deadline(5)))


def test_nifi_is_asked_where_it_is_and_told_to_add(sent: dict[str, Any]) -> None:
    assert emit(lineage.emit_nifi_lineage) == "nifi: 1 processors, 1 entities"
    assert sent["config"]["site_url"] == "http://flows/nifi/"
    assert sent["config"]["incremental_lineage"] is True
    assert sent["config"]["process_group_pattern"] == {"allow": ["NiFi Flow$", "x$"]}


def test_a_nifi_without_our_processors_is_a_failure(sent: dict[str, Any]) -> None:
    sent["urns"] = ["urn:li:dataFlow:(nifi,1,PROD)"]
    with pytest.raises(PlatformError, match="no processor that takes in or stores files of x"):
        emit(lineage.emit_nifi_lineage)


def test_dbts_documents_come_from_the_reports_and_every_name_is_the_common_one(
    sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = {"x/dbt/manifest.json": b"M", "x/dbt/catalog.json": b"C"}
    monkeypatch.setattr(s3, "client", lambda *_: "store")
    monkeypatch.setattr(s3, "read", lambda _, bucket, key: store.get(key) if bucket == "reports" else None)
    sent["urns"] = ["urn:li:dataset:(urn:li:dataPlatform:iceberg,lakehouse.marts.m,PROD)"]
    assert emit(lineage.emit_dbt_lineage) == "dbt: 1 tables, 1 entities"
    assert sent["documents"] == {"manifest_path": "M", "catalog_path": "C"}
    config = sent["config"]
    assert (config["target_platform"], config["convert_urns_to_lowercase"]) == ("iceberg", True)
    assert config["incremental_lineage"] is True
    assert not Path(config["manifest_path"]).exists(), "the copy is left"


def test_missing_documents_are_named(sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "client", lambda *_: "store")
    monkeypatch.setattr(s3, "read", lambda *place: b"M" if place[-1].endswith("manifest.json") else None)
    with pytest.raises(PlatformError, match=r"reports/x/dbt/ has no catalog[.]json(?s:.)*let the task `docs`"):
        emit(lineage.emit_dbt_lineage)
    assert "config" not in sent


def test_dbts_recipe_is_one(tmp_path: Path) -> None:
    from datahub.ingestion.source.dbt.dbt_core import DBTCoreConfig

    files = {name: str(tmp_path / name) for name in ("manifest.json", "catalog.json", "run_results.json")}
    read = DBTCoreConfig.model_validate(lineage.dbt_recipe(files))
    assert (read.target_platform, read.env, read.include_column_lineage) == ("iceberg", "PROD", True)
    assert read.run_results_paths == [files["run_results.json"]]


class Answer:
    """An answer of NiFi."""

    ok = True

    def __init__(self, body: Any) -> None:
        self._body = body

    def json(self) -> Any:
        return self._body


class FakeNiFi:
    """NiFi as the source asks it: one event a processor, done at the second look."""

    def __init__(self, events: dict[str, dict[str, Any]]) -> None:
        self.headers: dict[str, str] = {}
        self.events, self.asked, self.looks = events, [], 0
        self.trust_env = True

    def post(self, url: str, data: str) -> Answer:
        assert url == "http://nifi/nifi-api/provenance"
        request = json.loads(data)["provenance"]["request"]
        self.asked.append(request)
        processor = request["searchTerms"]["ProcessorID"]["value"]
        return Answer({"provenance": {"uri": f"http://nifi/nifi-api/provenance/{processor}"}})

    def get(self, url: str, *, timeout: float = 1) -> Answer:
        assert timeout > 0
        self.looks += 1
        if self.looks == 1:
            return Answer({"provenance": {"finished": False}})
        event = self.events.get(url.rpartition("/")[2])
        found = {"provenanceEvents": [event] if event else [], "total": "1,000+", "totalCount": 1000}
        return Answer({"provenance": {"finished": True, "uri": url, "results": found}})

    def delete(self, url: str) -> Answer:
        assert "/provenance/" in url
        return Answer({})


class Graph:
    """A catalog that remembers when it last heard of a processor."""

    def __init__(self, seen: str | None) -> None:
        self.seen = seen

    def get_aspect(self, urn: str, kind: type) -> Any:
        assert "dataFlow:(nifi,root,PROD)" in urn
        return kind(name="x", type="x", customProperties={"last_event_time": self.seen}) if self.seen else None


def flow(seen: str | None) -> tuple[Any, FakeNiFi]:
    from datahub.ingestion.api.common import PipelineContext
    from datahub.ingestion.source import nifi

    from data_platform.clients.datahub_nifi import PUT_OBJECT, TAKE_FILE, Source

    source = Source.create({"site_url": "http://nifi/nifi/"}, PipelineContext("test"))
    source.ctx.graph = Graph(seen)  # type: ignore[assignment]
    processor = {
        "parent_group_id": "root",
        "nifi_type": nifi.NifiType.PROCESSOR,
        "config": {"properties": {"Access Name": "k"}},
    }
    components = {
        "take": nifi.NifiComponent("take", "Take", TAKE_FILE, **processor),  # type: ignore[arg-type]
        "put": nifi.NifiComponent("put", "Put", PUT_OBJECT, **processor),  # type: ignore[arg-type]
        "idle": nifi.NifiComponent("idle", "Idle", PUT_OBJECT, **processor),  # type: ignore[arg-type]
    }
    source.nifi_flow = nifi.NifiFlow("2.3.0", False, nifi.NifiProcessGroup("root", "NiFi Flow", None), components)
    time = {"eventTime": "11/23/2026 15:51:22.000 UTC"}
    attributes = [{"name": "s3.bucket", "value": "raw"}, {"name": "s3.key", "value": "x/abc.csv"}]
    server = FakeNiFi(
        {
            "take": {"transitUri": "file:///some/state/landing/x/a%20b.csv", "attributes": [], **time},
            "put": {"transitUri": "http://minio/raw/x/abc.csv", "attributes": attributes, **time},
        }
    )
    source.session = server  # type: ignore[assignment]
    return source, server


def test_events_of_our_processors_name_the_landing_folder_and_the_zone() -> None:
    source, server = flow(None)
    source.process_provenance_events()
    take, put, idle = source.nifi_flow.components.values()
    assert [*take.inlets] == ["urn:li:dataset:(urn:li:dataPlatform:file,landing/x,PROD)"]
    assert [*put.outlets] == ["urn:li:dataset:(urn:li:dataPlatform:s3,raw/x,PROD)"]
    assert [take.outlets, put.inlets, idle.inlets, idle.outlets] == [{}] * 4
    assert [r["searchTerms"]["EventType"]["value"] for r in server.asked] == ["RECEIVE", "SEND", "SEND"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:///some/state/landing/x/a%20b.csv", "landing/x"),
        ("file:/landing/x/deep/a.csv", "landing/x"),
        ("file:///other%20place/a.csv", "/other place"),
    ],
)
def test_a_landing_folder_is_one_data_set_wherever_it_lies(uri: str, name: str) -> None:
    from data_platform.clients.datahub_nifi import Analyzer

    found = Analyzer("PROD").landing_folder({"transitUri": uri})
    assert (found.platform, found.dataset_name) == ("file", name)


def test_an_arrival_is_no_data_set() -> None:
    source, server = flow(None)
    key = [{"name": "s3.bucket", "value": "raw"}, {"name": "s3.key", "value": "_arrivals/x/20261123T155122000-0123"}]
    server.events["put"]["attributes"] = key
    source.process_provenance_events()
    assert source.nifi_flow.components["put"].outlets == {}


def test_only_the_newest_thousand_events_since_the_last_time_are_asked_for() -> None:
    source, server = flow("2999-01-02 03:04:05.678000+00:00")
    source.process_provenance_events()
    assert [r["startDate"] for r in server.asked] == ["01/02/2999 03:04:05 UTC"] * 3
    assert source.nifi_flow.components["idle"].last_event_time == "2999-01-02 03:04:05.678000+00:00"


def test_settings_of_processors_are_not_sent() -> None:
    source, _ = flow(None)
    sent = json.dumps([str(unit.metadata) for unit in source.construct_workunits()])
    assert "concurrentlySchedulable" not in sent
    assert "Access Name" not in sent
    assert "NIFI_PROCESSOR" in sent


def test_nothing_is_written_to_the_home_folder() -> None:
    from datahub.cli import config_utils

    from data_platform.clients.datahub import load_library

    load_library()
    # The module may have been imported before by something else in the same process of the tests.
    if config_utils.DATAHUB_ROOT_FOLDER.startswith("/dev/null"):
        assert config_utils.DATAHUB_CONFIG_PATH.startswith("/dev/null")
