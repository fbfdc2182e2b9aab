"""DataHub Lite on one SQLite file, with what Lite has not: atomic batches, patches, deletion, and lineage both ways.

Lite's own tables keep their form, so that `datahub lite` reads the file. The tables named `endpoint_*` are ours.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from datahub.emitter.aspect import ASPECT_MAP
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.serialization_helper import post_json_transform, pre_json_transform
from datahub.lite.sqlite_lite import SqliteLite
from datahub.lite.sqlite_lite_config import SqliteLiteConfig
from datahub.metadata.schema_classes import KEY_ASPECTS, SystemMetadataClass, _Aspect
from datahub.metadata.urns import Urn
from datahub.utilities.urns.error import InvalidUrnError

from datahub_lite import patch
from datahub_lite.errors import InvalidError

_TABLES = """
create table if not exists endpoint_lineage (
    owner text not null, upstream text not null, downstream text not null,
    primary key (owner, upstream, downstream)
) without rowid;
create index if not exists endpoint_lineage_up on endpoint_lineage (upstream);
create index if not exists endpoint_lineage_down on endpoint_lineage (downstream);
create table if not exists endpoint_openlineage_name (
    namespace text not null, name text not null, urn text not null,
    primary key (namespace, name)
) without rowid;
create index if not exists endpoint_openlineage_name_urn on endpoint_openlineage_name (urn);
"""
#: The library quotes whole schemas in its errors.
_REASON_CHARACTERS = 300
_LINEAGE = ("upstreamLineage", "dataJobInputOutput")
_REMOVED = "exists (select 1 from metadata_aspect_v2 s where s.urn = {urn} and s.aspect_name = 'status' \
and s.version = 0 and json_extract(s.metadata, '$.removed'))"


class Verb(StrEnum):
    """What is done with a value; the first five are DataHub's change types."""

    UPSERT = "UPSERT"
    CREATE = "CREATE"
    CREATE_ENTITY = "CREATE_ENTITY"
    PATCH = "PATCH"
    DELETE = "DELETE"
    #: Added to what is there: events of OpenLineage know only their own job's part.
    MERGE = "MERGE"


#: Other names of the same.
VERBS = {"UPDATE": Verb.UPSERT, "RESTATE": Verb.UPSERT} | {verb.value: verb for verb in Verb if verb is not Verb.MERGE}


class Change(NamedTuple):
    """One change of one aspect."""

    urn: str
    aspect: str
    value: Any
    verb: Verb = Verb.UPSERT
    system: Mapping[str, Any] | None = None


class Stored(NamedTuple):
    """An aspect as it is stored, in DataHub's JSON form."""

    value: dict[str, Any]
    system: dict[str, Any]
    created: int


class Edge(NamedTuple):
    """One step of the lineage, and the entity that tells of it."""

    owner: str
    upstream: str
    downstream: str


class Found(NamedTuple):
    """A hit of a search."""

    urn: str
    aspects: int


def change_of(urn: str, aspect: _Aspect, verb: Verb = Verb.UPSERT) -> Change:
    """A change from one of DataHub's classes."""
    return Change(urn, aspect.get_aspect_name(), pre_json_transform(aspect.to_obj()), verb)


def parse_urn(text: object) -> Urn:
    """A URN of a kind of entity that DataHub has.

    Raises:
        InvalidError: it is none.
    """
    try:
        urn = Urn.from_string(str(text))
    except InvalidUrnError as error:
        raise InvalidError(str(error)) from None
    if urn.entity_type not in KEY_ASPECTS:
        raise InvalidError(f"{text}: there is no entity type {urn.entity_type!r}")
    return urn


class _Lite(SqliteLite):
    """Lite whose commits wait for the end of the whole request: it commits after each edge otherwise."""

    def _commit(self) -> None:
        """Nothing: the store commits."""

    def _rollback(self) -> None:
        """Nothing: the error reaches the store, which rolls back."""


class Store:
    """All metadata. Safe to use from several threads; a write has reached the disk when its call returns."""

    def __init__(self, file: Path) -> None:
        """Open or make the store.

        Raises:
            sqlite3.Error: the file is not to be opened, or no store.
        """
        self._lock = threading.RLock()
        # With FULL every commit is on the disk, also when the machine goes down.
        options = {"journal_mode": "WAL", "synchronous": "FULL"}
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lite = _Lite(SqliteLiteConfig(file=str(file), options=options))
        self._sql: sqlite3.Connection = self._lite.sqlite_client
        self._sql.commit()
        self._sql.executescript(_TABLES)

    def close(self) -> None:
        """Close the file. Lite's own close would rebuild its browse index first, which nothing here reads."""
        with self._lock:
            self._sql.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except BaseException:
                self._sql.rollback()
                raise
            self._sql.commit()

    def alive(self) -> int:
        """Number of stored aspects, read from the file."""
        with self._lock:
            row = self._sql.execute("select count(*) from metadata_aspect_v2 where version = 0").fetchone()
        return int(row[0])

    def apply(self, changes: Iterable[Change], names: Mapping[tuple[str, str], str] | None = None) -> None:
        """Carry out all changes, or none.

        Args:
            changes: in this order.
            names: OpenLineage names to remember with their URNs.

        Raises:
            InvalidError: one of them is wrong.
        """
        with self._transaction():
            for change in changes:
                self._apply(change)
            self._sql.executemany(
                "insert into endpoint_openlineage_name values (?, ?, ?) "
                "on conflict (namespace, name) do update set urn = excluded.urn",
                [(namespace, name, urn) for (namespace, name), urn in (names or {}).items()],
            )

    def _apply(self, change: Change) -> None:
        urn = parse_urn(change.urn)
        key_aspect = KEY_ASPECTS[urn.entity_type]
        known = {key_aspect.get_aspect_name(), *key_aspect.get_aspect_info().get("entityAspects", ())}
        if change.aspect not in ASPECT_MAP or change.aspect not in known:
            raise InvalidError(f"Unknown aspect {change.aspect} for entity {urn.entity_type}")
        if change.verb is Verb.DELETE:
            self._delete(change.urn, None if change.aspect == key_aspect.get_aspect_name() else change.aspect)
            return
        if change.verb is Verb.CREATE and self._read(change.urn, change.aspect):
            raise InvalidError(f"Cannot perform CREATE: {change.aspect} of {change.urn} exists")
        if change.verb is Verb.CREATE_ENTITY and self._rows(change.urn):
            raise InvalidError(f"Cannot perform CREATE_ENTITY: {change.urn} exists")
        value = self._new_value(change)
        proposal = MetadataChangeProposalWrapper(
            entityUrn=change.urn, aspect=_typed(change.aspect, value), systemMetadata=_system(change.system)
        )
        self._lite.write(proposal)
        if change.aspect in _LINEAGE:
            self._draw(change.urn, change.aspect, value)

    def _new_value(self, change: Change) -> Any:
        if change.verb not in (Verb.PATCH, Verb.MERGE):
            return change.value
        old = self._read(change.urn, change.aspect)
        stored = old.value if old else {}
        if change.verb is Verb.MERGE:
            return patch.merge(change.aspect, stored, change.value)
        return _complete(change.aspect, patch.apply(change.aspect, stored, change.value))

    def _draw(self, owner: str, aspect: str, value: Mapping[str, Any]) -> None:
        """Keep the edges of one aspect, to be found from either end."""
        edges = _edges(owner, aspect, value)
        self._sql.execute("delete from endpoint_lineage where owner = ?", [owner])
        self._sql.executemany("insert or ignore into endpoint_lineage values (?, ?, ?)", [(owner, *e) for e in edges])

    def delete(self, urn: str) -> int:
        """Delete an entity and its history for good; what others say of it stays.

        Returns:
            Number of rows that there were.
        """
        parse_urn(urn)
        with self._transaction():
            return self._delete(urn, None)

    def _delete(self, urn: str, aspect: str | None) -> int:
        where, arguments = ("urn = ?", [urn]) if aspect is None else ("urn = ? and aspect_name = ?", [urn, aspect])
        rows = self._sql.execute(f"delete from metadata_aspect_v2 where {where}", arguments).rowcount  # noqa: S608
        if aspect is None or aspect in _LINEAGE:
            self._sql.execute("delete from endpoint_lineage where owner = ?", [urn])
        if aspect is None:
            self._sql.execute("delete from metadata_edge_v2 where src_id = ? or dst_id = ?", [urn, urn])
            self._sql.execute("delete from endpoint_openlineage_name where urn = ?", [urn])
        return rows

    def aspect(self, urn: str, name: str, version: int = 0) -> Stored | None:
        """An aspect, or None; version 0 is the newest, 1 the oldest. The key aspect is made from the URN."""
        parsed = parse_urn(urn)
        with self._lock:
            if name == KEY_ASPECTS[parsed.entity_type].get_aspect_name():
                return _key(parsed) if self._rows(urn) else None
            return self._read(urn, name, version)

    def entity(self, urn: str, names: Sequence[str] = ()) -> dict[str, Stored]:
        """Aspects of an entity (all when none are named) by name, its key first; empty when it is not there."""
        parsed = parse_urn(urn)
        with self._lock:
            rows = self._rows(urn)
        if not rows:
            return {}
        found = {KEY_ASPECTS[parsed.entity_type].get_aspect_name(): _key(parsed)}
        return found | {row[0]: _stored(row[1:]) for row in rows if not names or row[0] in names}

    def _rows(self, urn: str) -> list[tuple[Any, ...]]:
        return self._sql.execute(
            "select aspect_name, metadata, system_metadata, createdon from metadata_aspect_v2 "
            "where urn = ? and version = 0 order by aspect_name",
            [urn],
        ).fetchall()

    def _read(self, urn: str, name: str, version: int = 0) -> Stored | None:
        row = self._sql.execute(
            "select metadata, system_metadata, createdon from metadata_aspect_v2 "
            "where urn = ? and aspect_name = ? and version = ?",
            [urn, name, version],
        ).fetchone()
        return _stored(row) if row else None

    def search(self, text: str, limit: int = 100) -> list[Found]:
        """Entities whose URN contains all words of a text, without removed ones, by URN."""
        words = [w.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for w in text.split()]
        like = "".join(" and m.urn like ? escape '\\'" for _ in words)
        with self._lock:
            rows = self._sql.execute(
                "select m.urn, count(*) from metadata_aspect_v2 m where m.version = 0 "  # noqa: S608 - no values
                f"and not {_REMOVED.format(urn='m.urn')}{like} group by m.urn order by m.urn limit ?",
                [*(f"%{w}%" for w in words), limit],
            ).fetchall()
        return [Found(*row) for row in rows]

    def neighbours(self, urn: str, downstream: bool) -> list[str]:
        """Entities one edge up or down the lineage, without removed ones, by URN."""
        wanted, given = ("downstream", "upstream") if downstream else ("upstream", "downstream")
        with self._lock:
            rows = self._sql.execute(
                f"select distinct e.{wanted} from endpoint_lineage e where e.{given} = ? "  # noqa: S608 - fixed names
                f"and not {_REMOVED.format(urn='e.' + wanted)} and not {_REMOVED.format(urn='e.owner')} order by 1",
                [urn],
            ).fetchall()
        return [row[0] for row in rows]

    def titles(self, urns: Sequence[str]) -> dict[str, str]:
        """Names that jobs have beside their ids, such as those of NiFi's processors."""
        with self._lock:
            rows = self._sql.execute(
                "select urn, json_extract(metadata, '$.name') from metadata_aspect_v2 where version = 0 "
                "and aspect_name = 'dataJobInfo' and urn in (select value from json_each(?))",
                [json.dumps(list(urns))],
            ).fetchall()
        return {urn: name for urn, name in rows if name}

    def edges(self, urns: Sequence[str]) -> list[Edge]:
        """Edges of the lineage that begin or end at any of some entities, or all when none are named."""
        hidden = (f"not {_REMOVED.format(urn=f'e.{end}')}" for end in ("upstream", "downstream", "owner"))
        with self._lock:
            rows = self._sql.execute(
                "select distinct e.owner, e.upstream, e.downstream from endpoint_lineage e "  # noqa: S608 - no values
                f"where {' and '.join(hidden)} and (? = '[]' or e.upstream in (select value from json_each(?)) "
                "or e.downstream in (select value from json_each(?))) order by 2, 3",
                [json.dumps(list(urns))] * 3,
            ).fetchall()
        return [Edge(*row) for row in rows]

    def known_name(self, namespace: str, name: str) -> str | None:
        """The URN that an OpenLineage name was once found to mean."""
        with self._lock:
            row = self._sql.execute(
                "select urn from endpoint_openlineage_name where namespace = ? and name = ?", [namespace, name]
            ).fetchone()
        return row[0] if row else None


def _typed(name: str, value: Any) -> _Aspect:
    """The value as one of DataHub's classes.

    Raises:
        InvalidError: it has not their shape.
    """
    if not isinstance(value, Mapping):
        raise InvalidError(f"{name}: the value must be an object")
    try:
        aspect = ASPECT_MAP[name].from_obj(post_json_transform(value))
        valid = aspect.validate()
    except Exception as error:  # the library raises whatever comes: AttributeError, KeyError, ValueError, AvroException
        raise InvalidError(f"{name}: {type(error).__name__}: {str(error)[:_REASON_CHARACTERS]}") from error
    if not valid:
        raise InvalidError(f"{name}: a field has the wrong type, or a value that is not allowed")
    return aspect


def _system(value: Mapping[str, Any] | None) -> SystemMetadataClass | None:
    if not value:
        return None
    try:
        return SystemMetadataClass.from_obj(post_json_transform(dict(value)))
    except Exception as error:  # as in _typed
        raise InvalidError(f"systemMetadata: {error}") from error


def _complete(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Give a patched aspect what it must have and no patch can bring, as DataHub's templates do."""
    fields = ASPECT_MAP[name].RECORD_SCHEMA.fields
    arrays: dict[str, Any] = {f.name: [] for f in fields if not f.has_default and f.type.type == "array"}
    value = {**arrays, **value}
    _stamp(value)
    return value


def _stamp(value: Any) -> None:
    """Date lists of glossary terms, wherever they are."""
    if isinstance(value, dict):
        if isinstance(value.get("terms"), list):
            value.setdefault("auditStamp", {"time": int(time.time() * 1000), "actor": "urn:li:corpuser:unknown"})
        for item in value.values():
            _stamp(item)
    elif isinstance(value, list):
        for item in value:
            _stamp(item)


def _edges(owner: str, aspect: str, value: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Pairs of upstream and downstream."""
    if aspect == "upstreamLineage":
        return {(item["dataset"], owner) for item in value["upstreams"]}

    def ends(*names: str) -> set[str]:
        items = [item for name in names for item in value.get(name) or []]
        return {item if isinstance(item, str) else item["destinationUrn"] for item in items}

    inputs = ends("inputDatasets", "inputDatasetEdges", "inputDatajobs", "inputDatajobEdges")
    return {(i, owner) for i in inputs} | {(owner, o) for o in ends("outputDatasets", "outputDatasetEdges")}


def _key(urn: Urn) -> Stored:
    fields = [field.name for field in KEY_ASPECTS[urn.entity_type].RECORD_SCHEMA.fields]
    return Stored(dict(zip(fields, urn.entity_ids, strict=False)), {}, 0)


def _stored(row: Sequence[Any]) -> Stored:
    return Stored(json.loads(row[0]), json.loads(row[1]), int(row[2]))
