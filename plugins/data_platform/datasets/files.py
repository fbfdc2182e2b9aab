"""Which files a run works on: what lies in the raw zone, less what earlier runs published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_platform.checks.base import Deadline
from data_platform.clients import connect
from data_platform.datasets.decisions import Decision, Verdict, read_decisions
from data_platform.datasets.store import put, read_json, store_of
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import CATALOG, MANIFESTS, QUARANTINE, RAW

if TYPE_CHECKING:
    from minio import Minio

    from data_platform.targets.base import Target

_REASON = ".reason.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RawFile(_Record):
    """A file as received."""

    object: str
    sha256: str
    source_file: str
    ingested_at: datetime
    bytes: int


class Days(_Record):
    """Days to load again; both ends belong to it. Without ends: whatever is new."""

    first: str | None = Field(None, alias="from", pattern=r"^\d{4}-\d{2}-\d{2}$")
    last: str | None = Field(None, alias="to", pattern=r"^\d{4}-\d{2}-\d{2}$")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"'from' ({self.first}) is after 'to' ({self.last})")
        return self

    @property
    def chosen(self) -> bool:
        """Whether a part was asked for."""
        return bool(self.first or self.last)


class Manifest(_Record):
    """What a run works on; the Spark job reads it from the object store."""

    dataset: str
    run: str
    days: Days
    #: Digest of everything that computes the tables. Another one than the published one means: compute them anew.
    code: str
    rebuild: bool
    files: tuple[RawFile, ...]
    refused: tuple[dict[str, Any], ...]
    #: Digests of those files that were not published yet.
    new: tuple[str, ...] = ()
    #: Digests of published files whose content is taken back; all others are loaded again.
    taken_back: tuple[str, ...] = ()
    #: How many new files wait for the next run: somebody has accepted others, and what those change is theirs alone.
    later: int = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.files or self.refused or self.rebuild or self.taken_back)

    @property
    def candidates(self) -> tuple[RawFile, ...]:
        """Files that this run would publish for the first time."""
        return tuple(file for file in self.files if file.sha256 in self.new)

    def __str__(self) -> str:
        what = [f"{len(self.files)} files", f"{len(self.refused)} refused by the flow"]
        if self.days.chosen:
            what.append(f"days {self.days.first or 'first'} to {self.days.last or 'last'} again")
        if self.taken_back:
            what.append(f"{len(self.taken_back)} taken back, all others again")
        if self.later:
            what.append(f"{self.later} for the next run, after what was accepted")
        if self.rebuild:
            what.append("tables anew, because their code changed")
        return f"{self.dataset}: {', '.join(what)}"


def manifest_key(dataset: str, run: str) -> str:
    """Key of a run's manifest in the bucket `raw`. Run ids hold characters that paths of some tools do not take."""
    return f"{MANIFESTS}/{dataset}/{hashlib.sha256(run.encode()).hexdigest()[:16]}.json"


def discover(target: Target, dataset: str, run: str, days: Days, seconds: float) -> Manifest:
    """Find what a run has to do, and leave it as an object for the jobs.

    Args:
        target: where.
        dataset: its name.
        run: Airflow's run id.
        days: days to load again from all files; without ends, files that were not published yet are loaded.
        seconds: deadline of one request.

    Raises:
        PlatformError: a raw object does not say where it comes from.
    """
    store = store_of(target, seconds)
    loaded, recorded = published_files(target, dataset, seconds), _recorded(target, dataset, seconds)
    last = read_json(store, RAW, _published_key(dataset))
    code = code_digest(target.stack.root, dataset)
    rebuild = last is not None and last.get("code") != code
    decisions = read_decisions(store, dataset)
    out = frozenset(subject for subject, decision in decisions.items() if decision.is_out)
    # A run that loads some days alone cannot forget the others.
    back = frozenset() if days.chosen else out & loaded
    taken_back = sorted(subject for subject in back if decisions[subject].verdict is Verdict.TAKEN_BACK)
    all_again = days.chosen or rebuild or bool(taken_back)
    files = raw_files(store, dataset, out if all_again else out | loaded)
    files, later = _accepted_first(files, loaded, decisions)
    aside = [_aside(file, decisions) for file in raw_files(store, dataset, only=out)]
    refused = [*_refused(store, dataset), *aside]
    manifest = Manifest(
        dataset=dataset,
        run=run,
        days=days,
        code=code,
        rebuild=rebuild,
        files=tuple(sorted(files, key=lambda f: (f.ingested_at, f.sha256))),
        refused=tuple(r for r in refused if r["object"] not in recorded),
        new=tuple(sorted(file.sha256 for file in files if file.sha256 not in loaded)),
        taken_back=tuple(taken_back),
        later=later,
    )
    if not manifest.idle:
        put(store, manifest_key(dataset, run), manifest.model_dump_json(by_alias=True))
    return manifest


def read_manifest(target: Target, dataset: str, run: str, seconds: float) -> Manifest:
    """The manifest of a run.

    Raises:
        PlatformError: the run has none.
    """
    found = read_json(store_of(target, seconds), RAW, manifest_key(dataset, run))
    if found is None:
        raise PlatformError(f"{dataset}: run {run} has no manifest", "clear its task `discover` and let it run again")
    return Manifest.model_validate(found)


def remember_published(target: Target, dataset: str, run: str, code: str, seconds: float) -> None:
    """Note which code made the published tables, by which run, and when."""
    record = {"run": run, "code": code, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    put(store_of(target, seconds), _published_key(dataset), json.dumps(record))


def without_set_aside(target: Target, manifest: Manifest, seconds: float) -> Manifest:
    """The manifest without files that were set aside since; it is written again where that changes it.

    Args:
        target: where.
        manifest: of a run.
        seconds: deadline of one request.
    """
    store = store_of(target, seconds)
    decisions = read_decisions(store, manifest.dataset)
    gone = [f for f in manifest.files if f.sha256 in decisions and decisions[f.sha256].is_out]
    if not gone:
        return manifest
    told = {r["object"] for r in manifest.refused}
    more = [row for file in gone if (row := _aside(file, decisions))["object"] not in told]
    left = tuple(file for file in manifest.files if file not in gone)
    new = tuple(file.sha256 for file in left if file.sha256 in manifest.new)
    rest = manifest.model_copy(update={"files": left, "new": new, "refused": (*manifest.refused, *more)})
    put(store, manifest_key(rest.dataset, rest.run), rest.model_dump_json(by_alias=True))
    return rest


def _aside(file: RawFile, decisions: Mapping[str, Decision]) -> dict[str, str]:
    """What the table of refusals says of a file that is not loaded though it lies in the raw zone."""
    decision = decisions[file.sha256]
    return {
        "source_file": file.source_file,
        "reason": decision.reason,
        "quarantined_at": decision.at.isoformat(),
        "object": f"{RAW}/{file.object}",
    }


def _accepted_first(
    files: list[RawFile], loaded: frozenset[str], decisions: Mapping[str, Decision]
) -> tuple[list[RawFile], int]:
    """Where new files were accepted, these without the other new ones, and how many others there are.

    Bounds of change do not hold for what was accepted; they must hold for the rest.
    """
    new = [file for file in files if file.sha256 not in loaded]
    accepted = {f.sha256 for f in new if (d := decisions.get(f.sha256)) and d.verdict is Verdict.ACCEPTED}
    waiting = {file.sha256 for file in new} - accepted if accepted else set()
    return [file for file in files if file.sha256 not in waiting], len(waiting)


def raw_files(
    store: Minio, dataset: str, known: frozenset[str] = frozenset(), only: frozenset[str] | None = None
) -> list[RawFile]:
    """Files in the raw zone.

    Args:
        store: the object store.
        dataset: its name.
        known: digests of those that are left out.
        only: digests of those that are wanted; all where it is None.

    Raises:
        PlatformError: a raw object does not say where it comes from.
    """
    if only is not None and not only:
        return []
    found = []
    for listed in store.list_objects(RAW, prefix=f"{dataset}/"):
        name = str(listed.object_name)
        digest = Path(name).stem
        if digest in known or (only is not None and digest not in only):
            continue
        stat = store.stat_object(RAW, name)
        notes = {key.lower(): value for key, value in (stat.metadata or {}).items()}
        try:
            source = unquote(notes["x-amz-meta-source-file"])
            at = datetime.fromisoformat(notes["x-amz-meta-ingested-at"])
        except (KeyError, ValueError) as error:
            raise PlatformError(
                f"the object {RAW}/{name} does not say where it comes from: {error!r}",
                f"the flow of {dataset} writes source-file and ingested-at; remove what was put there by hand",
            ) from None
        found.append(RawFile(object=name, sha256=digest, source_file=source, ingested_at=at, bytes=stat.size or 0))
    return found


def has_received(target: Target, dataset: str, seconds: float) -> bool:
    """Whether anything was ever received of a dataset, good or refused. It reads no more than a page of the list."""
    store = store_of(target, seconds)
    return any(
        next(iter(store.list_objects(bucket, prefix=f"{dataset}/", recursive=True)), None) is not None
        for bucket in (RAW, QUARANTINE)
    )


def code_digest(root: Path, dataset: str) -> str:
    """Digest of the code that computes a dataset's tables: its Spark job, models and expectations, not their tests."""
    own = (f"spark_jobs/{dataset}", f"dbt_project/models/*/{dataset}", f"expectations/{dataset}")
    shared = ("spark_jobs/loading", "dbt_project/macros")
    digest = hashlib.sha256()
    for file in sorted(
        path
        for folder in (*own, *shared)
        for path in root.glob(f"{folder}/**/*")
        if path.is_file() and path.suffix in (".py", ".sql", ".yaml")
    ):
        digest.update(f"{file.relative_to(root)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def published_files(target: Target, dataset: str, seconds: float) -> frozenset[str]:
    """Digests of the files that were loaded for what readers see."""
    with connect.trino(target, Deadline(seconds).seconds, CATALOG) as client:
        return _firsts(client.rows_if_there(f"select sha256 from raw.{dataset}_files"))  # noqa: S608 - a name of ours


def _recorded(target: Target, dataset: str, seconds: float) -> frozenset[str]:
    """Objects that the table of refusals has."""
    query = f"select content from raw.quarantine where dataset = '{dataset}' and row_number = 0"  # noqa: S608 - as above
    with connect.trino(target, Deadline(seconds).seconds, CATALOG) as client:
        return _firsts(client.rows_if_there(query))


def _firsts(rows: Iterable[list[Any]]) -> frozenset[str]:
    return frozenset(str(row[0]) for row in rows)


def _refused(store: Minio, dataset: str) -> Iterable[dict[str, Any]]:
    """The flow's refusals, each with the object that it is about."""
    for listed in store.list_objects(QUARANTINE, prefix=f"{dataset}/", recursive=True):
        key = str(listed.object_name)
        if key.endswith(_REASON) and (reason := read_json(store, QUARANTINE, key)) is not None:
            yield {**reason, "object": key.removesuffix(_REASON)}


def _published_key(dataset: str) -> str:
    return f"{MANIFESTS}/{dataset}/published.json"


def summary(result: Mapping[str, Any]) -> str:
    """One line about a load, from the job's RESULT."""
    line = f"{result['files']} files: {result['rows']} values found good"
    if "changed_days" in result:
        line = f"{line}, {result['changed_days']} days changed"
    return f"{line}, {result['quarantined']} rows quarantined" if result["quarantined"] else line
