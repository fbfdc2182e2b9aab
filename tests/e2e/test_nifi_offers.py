"""Whoever reaches NiFi, which has no login, makes it neither run a program nor open a file or a secret.

Each act is one that NiFi as it is published lets anybody do.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.nifi import Group, NiFi, NiFiError, Parameter
from data_platform.datasets import flow, flow_definition
from data_platform.datasets.landing import landing_of
from data_platform.stack.errors import PlatformError
from tests.ingesting import SECONDS, Ingestion, named, sha256
from tests.running import ROOT, Running

pytestmark = pytest.mark.timeout(1200)

OFFERED = ROOT / "stack/components/integration/nifi/image/nars/offered.toml"
#: Where NiFi lists what can be made, and the kind that `offered.toml` calls it.
LISTS = {
    "flow/processor-types": "org.apache.nifi.processor.Processor",
    "flow/controller-service-types": "org.apache.nifi.controller.ControllerService",
    "flow/parameter-provider-types": "org.apache.nifi.parameter.ParameterProvider",
    "flow/reporting-task-types": "org.apache.nifi.reporting.ReportingTask",
    "flow/flow-analysis-rule-types": "org.apache.nifi.flowanalysis.FlowAnalysisRule",
    "controller/registry-types": "org.apache.nifi.registry.flow.FlowRegistryClient",
}
STANDARD = "org.apache.nifi.processors.standard"
#: What runs programs, opens files wherever they are, or listens: as NiFi is published, all can be made.
DANGEROUS = (
    "ExecuteProcess", "ExecuteStreamCommand", "GetFile", "FetchFile", "ListFile", "TailFile", "PutFile", "DeleteFile",
    "MergeContent", "EvaluateXQuery", "EvaluateXPath", "TransformXml", "ReplaceTextWithMapping", "ListenHTTP",
)  # fmt: skip
GOOD = b"Date,USD,XOF,\n2024-01-02,1.0956,655.957,\n"
#: Names that secrets have, or had, in environments and settings of NiFi.
SECRETS = ("NIFI_SENSITIVE_PROPS_KEY", "S3_SECRET_KEY", "nifi.sensitive.props.key", "access.key", "secret.key")


@pytest.fixture(scope="module")
def nifi(platform: Running) -> Iterator[NiFi]:
    with NiFi(platform.target.address("nifi", "http").url, SECONDS) as session:
        yield session


@pytest.fixture
def scratch(nifi: NiFi) -> Iterator[Group]:
    group = nifi.create_group(f"test-offers-{time.time():.0f}")
    yield group
    nifi.delete_group(group.id)


def offered() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {kind: set() for kind in LISTS.values()}
    for group in tomllib.loads(OFFERED.read_text(encoding="utf-8"))["offered"]:
        found[group["kind"]] |= {f"{group['package']}.{name}" for name in group["types"]}
    return found


def types(nifi: NiFi, place: str) -> list[dict[str, Any]]:
    (found,) = nifi._json("GET", f"/{place}").values()
    return list(found)


def made(nifi: NiFi, kind: str, group: Group, name: str, properties: dict[str, str] | None = None) -> dict[str, Any]:
    body = {"type": name, "position": {"x": 0, "y": 0}, "config": {"properties": properties or {}}}
    if kind == "controller-services":
        body = {"type": name}
    answer = {"revision": {"version": 0}, "component": body}
    component: dict[str, Any] = nifi._json("POST", f"/process-groups/{group.id}/{kind}", answer)["component"]
    return component


def complaints(nifi: NiFi, processor: str) -> str:
    """Why a processor is invalid, once NiFi has looked."""

    def look() -> str:
        found = nifi._json("GET", f"/processors/{processor}")["component"]
        assert found["validationStatus"] != "VALIDATING"
        return "\n".join(found.get("validationErrors") or [])

    return Deadline(SECONDS).retry(look, on=AssertionError)


# --- what is offered --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "kind"), LISTS.items())
def test_nifi_offers_what_the_file_names_and_nothing_else(nifi: NiFi, place: str, kind: str) -> None:
    assert {entry["type"] for entry in types(nifi, place)} == offered()[kind]


def test_nothing_that_nifi_calls_restricted_is_offered(nifi: NiFi) -> None:
    """With a reason in the file something may be; today nothing is."""
    found = [entry for place in LISTS for entry in types(nifi, place)]
    assert len(found) > 60
    assert [entry["type"] for entry in found if entry["restricted"]] == []


def test_all_that_is_offered_can_be_made(nifi: NiFi, scratch: Group) -> None:
    """Nothing that it needs was left out of the NARs."""
    wanted = offered()
    components = [
        *(made(nifi, "processors", scratch, name) for name in sorted(wanted[LISTS["flow/processor-types"]])),
        *(
            made(nifi, "controller-services", scratch, name)
            for name in sorted(wanted[LISTS["flow/controller-service-types"]])
        ),
    ]
    assert len(components) > 60
    assert [c["type"] for c in components if c["extensionMissing"]] == []


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_is_not_offered_cannot_be_made(nifi: NiFi, scratch: Group, name: str) -> None:
    with pytest.raises(NiFiError, match="is not known to this NiFi instance"):
        made(nifi, "processors", scratch, f"{STANDARD}.{name}")


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_flow_definition_brings_no_processor_that_is_not_offered(nifi: NiFi, name: str) -> None:
    """NiFi makes any class of a NAR that a definition names, listed or not: the class must not be there."""
    definition = json.loads((ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8"))
    contents = definition["flowContents"]
    processor = named(contents, "Stamp name and time")
    processor |= {"type": f"{STANDARD}.{name}", "properties": {}, "propertyDescriptors": {}}
    processor["bundle"] = {"group": "org.apache.nifi", "artifact": "nifi-standard-nar", "version": "2.3.0"}
    contents |= {"processors": [processor], "connections": [], "labels": []}
    definition["parameterContexts"] = {}
    contents.pop("parameterContextName")
    group = nifi.upload(f"test-offers-{name}-{time.time():.0f}", definition)
    try:
        (found,) = nifi._json("GET", f"/process-groups/{group.id}/processors")["processors"]
        assert found["component"]["type"].endswith(name)
        assert found["component"]["extensionMissing"]
    finally:
        nifi.delete_group(group.id)


def uploadable(platform: Running) -> bytes:
    """A whole NAR of another name: our own processors, as they were built."""
    lines = (platform.folder / "etc/nifi/nifi.properties").read_text(encoding="utf-8").splitlines()
    (folder,) = [line.partition("=")[2] for line in lines if line.startswith("nifi.nar.library.directory.built=")]
    (path,) = Path(folder).glob("data-platform-nar-*.nar")
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as nar, zipfile.ZipFile(stream, "w") as copy:
        for name in nar.namelist():
            content = nar.read(name)
            if name == "META-INF/MANIFEST.MF":
                content = content.replace(b"Nar-Id: data-platform-nar", b"Nar-Id: uploaded-nar")
            copy.writestr(name, content)
    return stream.getvalue()


def test_a_nar_that_is_uploaded_does_not_become_processors(platform: Running, nifi: NiFi) -> None:
    answer = httpx.post(
        f"{platform.target.address('nifi', 'http').url}/nifi-api/controller/nar-manager/nars/content",
        content=uploadable(platform),
        headers={"Filename": "uploaded.nar", "Content-Type": "application/octet-stream"},
        timeout=SECONDS,
        trust_env=False,
    )
    assert answer.status_code == httpx.codes.CONFLICT, answer.text
    assert "takes no NAR from its clients" in answer.text
    assert nifi._json("GET", "/controller/nar-manager/nars")["narSummaries"] == []
    assert not [t for t in types(nifi, "flow/processor-types") if t["bundle"]["artifact"] == "uploaded-nar"]
    assert not list((platform.folder / "data/nifi").rglob("*uploaded*"))


def test_a_file_for_a_parameter_is_refused(platform: Running, nifi: NiFi) -> None:
    context = nifi._json(
        "POST", "/parameter-contexts",
        {"revision": {"version": 0}, "component": {"name": "test-offers-assets", "parameters": []}},
    )["id"]  # fmt: skip
    try:
        answer = httpx.post(
            f"{platform.target.address('nifi', 'http').url}/nifi-api/parameter-contexts/{context}/assets",
            content=b"x",
            headers={"Filename": "driver.jar", "Content-Type": "application/octet-stream"},
            timeout=SECONDS,
            trust_env=False,
        )
        assert answer.status_code == httpx.codes.CONFLICT, answer.text
        assert "takes no assets" in answer.text
    finally:
        nifi.delete_parameters(context)


def test_a_flow_with_a_processor_that_is_not_offered_is_refused_by_name_and_nothing_is_made(
    platform: Running, nifi: NiFi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NiFi itself would take it, with a ghost in the processor's place."""
    monkeypatch.setattr(flow, "_UPGRADE_SECONDS", 0.0)
    ingestion = Ingestion(platform, tmp_path, "ingest_test_ghosts")

    def ask_for_a_file_reader(contents: dict[str, Any]) -> None:
        (taking,) = (p for p in contents["processors"] if p["type"] == "dataplatform.nifi.TakeFile")
        taking["type"] = f"{STANDARD}.GetFile"

    ingestion.write(ask_for_a_file_reader)
    with pytest.raises(PlatformError, match=rf"NiFi does not offer {STANDARD}\.GetFile"):
        ingestion.deploy()
    assert "ingest_test_ghosts" not in {group.name for group in nifi.groups()}


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_expression_tells_a_secret(nifi: NiFi, scratch: Group) -> None:
    """Expressions read the environment and the system properties of NiFi's process, so no secret may be there."""
    text = "|".join(f"${{{name}}}" for name in ("LC_ALL", "data.platform.landing", *SECRETS))
    source = nifi.create_processor(
        scratch.id, f"{STANDARD}.GenerateFlowFile", {"generate-ff-custom-text": text}, schedule="1 day"
    )
    queue = nifi.connect(scratch.id, source, "success", nifi.create_processor(scratch.id, f"{STANDARD}.ReplaceText"))
    nifi.run(source, "RUN_ONCE")

    def look() -> str:
        (found,) = nifi.queued(queue)
        return nifi.content(queue, found).decode()

    environment, properties, *told = Deadline(SECONDS).retry(look, on=ValueError).split("|")
    assert environment == "C.UTF-8", "expressions do not read the environment any more, so this test proves nothing"
    assert properties.endswith("/landing")
    assert told == [""] * len(SECRETS)


def test_no_answer_and_no_flow_of_nifi_holds_a_secret(platform: Running, nifi: NiFi) -> None:
    found = json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8"))
    secrets = {f"{c}.{k}": v for c, entry in found.items() for k, v in entry.items() if len(v) >= 32}
    assert len(secrets) >= 3
    places = [
        "/system-diagnostics?diagnosticLevel=VERBOSE", "/system-diagnostics/jmx-metrics", "/controller/config",
        "/flow/config", "/flow/parameter-contexts", "/flow/runtime-manifest", "/flow/process-groups/root",
    ]  # fmt: skip
    answers = {place: nifi._send("GET", place).text for place in places}
    management = platform.target.address("nifi", "management")
    answers["diagnostics"] = httpx.get(
        f"http://{management.host}:{management.port}/health/diagnostics?verbose=true", timeout=SECONDS, trust_env=False
    ).text
    answers["flow.json.gz"] = gzip.decompress((platform.folder / "data/nifi/flow.json.gz").read_bytes()).decode()
    assert min(len(text) for text in answers.values()) > 20
    assert {place: [n for n, v in secrets.items() if v in text] for place, text in answers.items()} == {
        place: [] for place in answers
    }


def refuses_to_run(nifi: NiFi, processor: str) -> None:
    """Order an invalid processor to run: NiFi takes the order, and would carry it out were the processor valid.

    While NiFi tries, a thread of its own is at work in the processor, and for that moment it is told as `Stopped`.
    """
    nifi.run(processor, "RUNNING")

    def look() -> None:
        status = nifi._json("GET", f"/processors/{processor}")["status"]["aggregateSnapshot"]
        assert (status["runStatus"], int(status["taskCount"])) == ("Invalid", 0)

    Deadline(SECONDS).retry(look, on=AssertionError)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folder", ["/etc", "{state}", "{state}/landing", "{state}/landing/../etc/nifi", "../etc/nifi", "${{PWD}}"]
)
def test_files_are_taken_from_landing_folders_alone(platform: Running, nifi: NiFi, scratch: Group, folder: str) -> None:
    whole = folder.format(state=platform.folder.resolve())
    processor = made(nifi, "processors", scratch, "dataplatform.nifi.TakeFile", {"Input Directory": whole})
    if "$" in folder:  # it is the plain name of a folder below the root that is not there
        assert "landing folders" not in complaints(nifi, processor["id"])
        return
    assert "is none of the landing folders" in complaints(nifi, processor["id"])
    refuses_to_run(nifi, processor["id"])


@pytest.fixture
def linked(platform: Running, tmp_path: Path) -> Iterator[Ingestion]:
    made_ = Ingestion(platform, tmp_path, "ingest_test_links")
    made_.write()
    made_.deploy()
    yield made_
    landing = Path(landing_of(made_.target).made(made_.dataset))
    if landing.is_symlink():
        landing.unlink()
    made_.remove()


def old(path: Path) -> None:
    """Make a file look as if it had rested."""
    os.utime(path, (0, 0), follow_symlinks=False)


def test_a_link_in_a_landing_folder_is_not_followed(linked: Ingestion, tmp_path: Path) -> None:
    secret = tmp_path / "credentials.json"
    secret.write_bytes(b"Date,secret\n")
    old(secret)
    link = Path(landing_of(linked.target).made(linked.dataset)) / "rates.csv"
    link.symlink_to(secret)
    old(link)
    linked.land("beside.csv", GOOD)

    def look() -> None:
        assert linked.raw() == {sha256(GOOD)}
        assert any("rates.csv is a link and is left alone" in line for line in linked.bulletins())

    Deadline(SECONDS).retry(look, on=AssertionError)
    assert link.is_symlink()
    assert secret.exists()
    assert list(linked.store.list_objects("quarantine", f"{linked.dataset}/", recursive=True)) == []


def test_a_landing_folder_that_is_a_link_is_not_opened(linked: Ingestion, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.csv").write_bytes(GOOD)
    old(elsewhere / "secret.csv")
    landing = Path(landing_of(linked.target).made(linked.dataset))
    landing.rename(landing.with_name(f"{landing.name}.away"))
    try:
        landing.symlink_to(elsewhere)

        def look() -> None:
            assert any("links are not followed" in line for line in linked.bulletins())

        Deadline(SECONDS).retry(look, on=AssertionError)
        assert (elsewhere / "secret.csv").exists()
        assert linked.raw() == set()
    finally:
        landing.unlink()
        landing.with_name(f"{landing.name}.away").rename(landing)


@pytest.mark.parametrize(
    "place", ["{elsewhere}/x", "{landing}/{dataset}/../../x", "{landing}/{dataset}/with/../../x", "{link}/x"]
)
def test_files_are_kept_below_the_landing_folders_alone(
    linked: Ingestion, nifi: NiFi, scratch: Group, tmp_path: Path, place: str
) -> None:
    # Of the third one the name leads elsewhere, of the others the folder.
    folder, _, name = place.partition("/with/") if "/with/" in place else place.rpartition("/")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    landing = Path(landing_of(linked.target).made(linked.dataset))
    link = landing / "link"
    link.symlink_to(elsewhere)
    there = folder.format(elsewhere=elsewhere, landing=landing.parent, dataset=linked.dataset, link=link)
    source = nifi.create_processor(
        scratch.id, f"{STANDARD}.GenerateFlowFile", {"generate-ff-custom-text": "x"}, schedule="1 day"
    )
    stamp = made(
        nifi, "processors", scratch, "org.apache.nifi.processors.attributes.UpdateAttribute", {"filename": name}
    )
    keep = nifi.create_processor(
        scratch.id, "dataplatform.nifi.KeepFile", {"Directory": there}, terminated=("success",)
    )
    nifi.connect(scratch.id, source, "success", stamp["id"])
    nifi.connect(scratch.id, stamp["id"], "success", keep)
    failed = nifi.connect(scratch.id, keep, "failure", nifi.create_processor(scratch.id, f"{STANDARD}.ReplaceText"))
    before = {path for path in landing.parent.rglob("*") if path.name != "x"}
    for processor in (source, stamp["id"], keep):
        nifi.run(processor, "RUN_ONCE" if processor == source else "RUNNING")

    def look() -> None:
        assert len(nifi.queued(failed)) == 1

    Deadline(SECONDS).retry(look, on=AssertionError)
    assert list(elsewhere.iterdir()) == []
    assert before == set(landing.parent.rglob("*"))
    assert not (landing.parent.parent / "x").exists()


# --- the store's key --------------------------------------------------------------------------------------------------


def test_a_key_that_an_earlier_version_left_in_a_flow_goes_nowhere(platform: Running, tmp_path: Path) -> None:
    """It would be metadata of every object: NiFi takes a property that a processor does not have for a dynamic one."""
    before = Ingestion(platform, tmp_path, "ingest_test_key")
    try:
        before.write()
        before.deploy()
        before.run("Put into raw", "STOPPED")
        before.land("queued.csv", GOOD)

        def look() -> None:
            assert before.held("Put into raw") == 1

        Deadline(SECONDS).retry(look, on=AssertionError)
        with before.nifi() as (session, group):
            context = session.parameters(before.dataset)
            assert context
            left = Parameter("s3.secret.key", "an old key", "", sensitive=True)
            session.set_parameters(context.id, before.dataset, [left])
            (put,) = [p for p in session.status(group.id).processors if p.name == "Put into raw"]
            revision = session._json("GET", f"/processors/{put.id}")["revision"]
            properties = {
                "Access Key": "old-name",
                "Secret Key": "an old key",
                "Endpoint URL": "http://elsewhere.invalid",
            }
            component = {"id": put.id, "config": {"properties": properties}}
            session._json("PUT", f"/processors/{put.id}", {"revision": revision, "component": component})
            for name in properties:
                assert f"'{name}'" in complaints(session, put.id)
            refuses_to_run(session, put.id)
        look()
        told = before.deploy()
        assert "upgraded: it was changed by hand in NiFi" in told
        assert "parameters removed: s3.secret.key" in told
        before.landed()
        assert set(before.raw_metadata(GOOD)) == {"source-file", "ingested-at"}
        with before.nifi() as (session, group):
            exported = session.download(group.id)
            assert flow_definition.digest(exported) in exported["flowContents"]["comments"]
            (context_,) = exported["parameterContexts"].values()
            assert not [p["name"] for p in context_["parameters"] if p["sensitive"] or p["name"].startswith("s3.")]
    finally:
        before.remove()


def test_the_key_in_its_file_is_for_the_owner_alone(platform: Running) -> None:
    place = platform.folder / "etc/nifi/object-store.properties"
    assert place.stat().st_mode & 0o077 == 0
    assert "secret.key=" in place.read_text(encoding="utf-8")
