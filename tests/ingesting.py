"""A dataset of the tests' own, taken in by the flow definition of `fx_rates`: what a second dataset would have."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import yaml
from minio import Minio
from minio.deleteobjects import DeleteObject

from data_platform.checks.base import Deadline
from data_platform.clients import s3
from data_platform.clients.nifi import Group, NiFi
from data_platform.datasets import flow
from data_platform.datasets.landing import landing_of
from data_platform.stack.lake import ARRIVALS
from data_platform.targets.local.target import LocalTarget
from tests.running import ROOT, Running

#: Seconds for a handful of small files; a file must rest for two seconds before it is taken.
SECONDS = 180.0
Change = Callable[[dict[str, Any]], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


@dataclass
class Ingestion:
    """One dataset on a running platform, with its files in a folder of its own."""

    platform: Running
    folder: Path
    dataset: str
    target: LocalTarget = field(init=False)

    def __post_init__(self) -> None:
        self.target = cast("LocalTarget", self.platform.target)
        self.target.stack = replace(self.target.stack, root=self.folder)

    def write(self, change: Change | None = None, **parameters: str) -> None:
        """Write its files: the definition of fx_rates, changed or not, and parameters."""
        definition = json.loads((ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8"))
        if change:
            change(definition["flowContents"])
        settings = yaml.safe_load((ROOT / "nifi_flows/fx_rates/parameters.yaml").read_text(encoding="utf-8"))
        settings["parameters"] |= {name.replace("__", "."): value for name, value in parameters.items()}
        place = self.folder / "nifi_flows" / self.dataset
        place.mkdir(parents=True, exist_ok=True)
        (place / "flow.json").write_text(json.dumps(definition), encoding="utf-8")
        (place / "parameters.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def deploy(self, *, fetch: bool | None = None) -> str:
        return flow.deploy_flow(self.target, self.dataset, fetch=fetch, deadline=Deadline(SECONDS))

    def land(self, name: str, content: bytes) -> None:
        """Put a file into the landing folder as `bootstrap ingest` does: in one step."""
        landing = Path(landing_of(self.target).made(self.dataset))
        draft = landing / ".draft.part"
        draft.write_bytes(content)
        draft.replace(landing / name)

    def landed(self, seconds: float = SECONDS) -> None:
        flow.await_landed(self.target, self.dataset, Deadline(seconds))

    @property
    def store(self) -> Minio:
        keys = self.target.credentials("s3")
        return s3.client(self.target.address("s3", "http").url, keys["access_key"], keys["secret_key"])

    def raw(self) -> set[str]:
        """Digests in the raw zone."""
        found = self.store.list_objects("raw", prefix=f"{self.dataset}/", recursive=True)
        return {item.object_name.removeprefix(f"{self.dataset}/").removesuffix(".csv") for item in found}

    def raw_metadata(self, content: bytes) -> dict[str, str]:
        """User metadata of the raw object of a content; fails when there is none."""
        found = self.store.stat_object("raw", f"{self.dataset}/{sha256(content)}.csv").metadata
        assert found
        return {
            k.lower().removeprefix("x-amz-meta-"): v for k, v in found.items() if k.lower().startswith("x-amz-meta-")
        }

    def arrivals(self) -> dict[str, str]:
        """What each arrival tells of, by its name."""
        found = {}
        for item in self.store.list_objects("raw", prefix=f"{ARRIVALS}/{self.dataset}/", recursive=True):
            notes = self.store.stat_object("raw", str(item.object_name)).metadata or {}
            named = {key.lower(): value for key, value in notes.items()}
            found[str(item.object_name).rpartition("/")[2]] = named["x-amz-meta-object"]
        return found

    def refused(self, name: str, content: bytes) -> dict[str, Any]:
        """The reason beside a quarantined file; fails when the file is not there, whole."""
        key = f"{self.dataset}/{sha256(content)}/{quote(name, safe='')}"
        assert s3.read(self.store, "quarantine", key) == content
        reason = s3.read(self.store, "quarantine", f"{key}.reason.json")
        assert reason is not None
        found: dict[str, Any] = json.loads(reason)
        return found

    @contextmanager
    def nifi(self) -> Iterator[tuple[NiFi, Group]]:
        """NiFi, and the dataset's process group."""
        with NiFi(self.target.address("nifi", "http").url, SECONDS) as nifi:
            (group,) = [g for g in nifi.groups() if g.name == self.dataset]
            yield nifi, group

    def run(self, processor: str, state: Any) -> None:
        """Start or stop one processor, by its name."""
        with self.nifi() as (nifi, group):
            (found,) = [p.id for p in nifi.status(group.id).processors if p.name == processor]
            nifi.run(found, state)

    def held(self, destination: str) -> int:
        """Flow files that wait before a processor."""
        with self.nifi() as (nifi, group):
            return sum(q.flow_files for q in nifi.status(group.id).queues if q.destination == destination)

    def bulletins(self) -> list[str]:
        with self.nifi() as (nifi, group):
            return [str(told) for told in nifi.bulletins(group.id)]

    def remove(self) -> None:
        """Remove the flow, its parameters, its folders and its objects."""
        with NiFi(self.target.address("nifi", "http").url, SECONDS) as nifi:
            for group in [g for g in nifi.groups() if g.name == self.dataset]:
                nifi.delete_group(group.id)
            if context := nifi.parameters(self.dataset):
                nifi.delete_parameters(context.id)
        own = f"{self.dataset}/"
        for bucket, prefix in (("raw", own), ("raw", f"{ARRIVALS}/{own}"), ("quarantine", own)):
            found = self.store.list_objects(bucket, prefix=prefix, recursive=True, include_version=True)
            doomed = [DeleteObject(item.object_name, item.version_id) for item in found]
            assert list(self.store.remove_objects(bucket, doomed)) == []
        landing = Path(landing_of(self.target).made(self.dataset))
        for folder in (landing, *(landing.with_name(f"{landing.name}.{end}") for end in ("dead-letters", "set-aside"))):
            shutil.rmtree(folder, ignore_errors=True)


def named(contents: dict[str, Any], processor: str) -> dict[str, Any]:
    """A processor of a flow definition, by its name."""
    found: list[dict[str, Any]] = [p for p in contents["processors"] if p["name"] == processor]
    assert len(found) == 1
    return found[0]
