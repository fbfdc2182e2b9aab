"""What a dataset is and promises: `datasets/<dataset>/contract.odcs.yaml`, by the Open Data Contract Standard v3.

The classes are the part of the standard (https://bitol-io.github.io/open-data-contract-standard/v3.1.0/) that contracts
here consist of. They are stricter than it: unknown keys are errors, and what others read (masks, alerts, the catalog)
must be said. A test holds every contract against the standard's own JSON schema too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import time, timedelta
from typing import Annotated, Literal, NamedTuple, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StrictBool,
    StringConstraints,
    model_validator,
)

from data_platform.stack.bound import Bound
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import CATALOG
from data_platform.stack.terms import Key, Strict

#: Who may know a column, from the least to the most protected class.
CLASSES: Mapping[str, str] = {
    "C0": "public: anybody",
    "C1": "internal: everybody in the house",
    "C2": "confidential: those whose work needs it",
    "C3": "secret: persons named one by one",
}
Classification = Literal["C0", "C1", "C2", "C3"]
#: The least class of a column with personal data.
_PERSONAL = "C2"
#: Trino's types without their parameters, by the standard's logical types.
_LOGICAL: Mapping[str, tuple[str, ...]] = {
    "string": ("varchar", "char"),
    "date": ("date",),
    "timestamp": ("timestamp",),
    "integer": ("integer", "bigint", "smallint"),
    "number": ("decimal", "double", "real"),
    "boolean": ("boolean",),
}
LogicalType = Literal["string", "date", "timestamp", "integer", "number", "boolean"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
TableName = Annotated[str, StringConstraints(pattern=r"^(raw|staging|marts)\.[a-z][a-z0-9_]{0,79}$")]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
#: A column of another dataset in the catalog's words, such as s3:raw/fx_rates#value.
SourceColumn = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+:[^#\s]+#\S+$")]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write for example Europe/Paris") from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


class _Standard(Strict):
    """Base: keys are those of the standard alone, whatever the attributes are called here."""

    model_config = ConfigDict(populate_by_name=False)


class Purpose(_Standard):
    """What the data is for."""

    purpose: Text = Field(description="What it is, and why it is kept.")
    usage: Text = Field(description="How it is meant to be read.")
    limitations: Text = Field(description="What it must not be used for, and what it does not say.")


class Team(_Standard):
    """Who answers for the dataset."""

    name: Text = Field(description="The owner; of the DAG too.")


class PersonalData(_Standard):
    """Whether a column tells something of a person; the standard has no key of its own for it."""

    property: Literal["personalData"]
    value: StrictBool


class Column(_Standard):
    """A column of a table."""

    name: ColumnName = Field(description="As in Trino.")
    type: Text = Field(alias="physicalType", description="Trino's type, such as decimal(18,8).")
    logical_type: LogicalType = Field(alias="logicalType", description="The standard's type, the same by another name.")
    description: Text = Field(description="What a value says; dbt's documentation has the same words.")
    classification: Classification = Field(
        description=f"Who may know it: {'; '.join(f'{k} {v}' for k, v in CLASSES.items())}."
    )
    custom: tuple[PersonalData] = Field(alias="customProperties", description="Whether it is personal data.")
    required: bool = Field(False, description="Whether every row has a value.")
    unique: bool = Field(False, description="Whether no two rows have the same value.")
    primary_key: bool = Field(False, alias="primaryKey", description="Whether it is part of the table's key.")
    key_position: PositiveInt | None = Field(
        None, alias="primaryKeyPosition", description="Its place in a key of several columns, from 1."
    )
    sources: tuple[SourceColumn, ...] = Field(
        (), alias="transformSourceObjects", description="Columns that it is made of, which the catalog must know."
    )

    @property
    def personal(self) -> bool:
        """Whether it is personal data."""
        return self.custom[0].value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        bare = re.split(r"[( ]", self.type)[0]
        if bare not in _LOGICAL[self.logical_type]:
            raise ValueError(f"column {self.name}: {self.type} is no {self.logical_type}; correct one of the two types")
        if self.personal and self.classification < _PERSONAL:
            raise ValueError(
                f"column {self.name}: personal data is {_PERSONAL} at least, not {self.classification};"
                " raise its classification"
            )
        if self.primary_key and not self.required:
            raise ValueError(f"column {self.name}: a key has a value in every row; add 'required: true'")
        return self


class LeastRows(_Standard):
    """How many rows there are at least."""

    metric: Literal["rowCount"]
    at_least: PositiveInt = Field(alias="mustBeGreaterOrEqualTo", description="Fewer are not published.")


class Table(_Standard):
    """A table that readers may query."""

    name: TableName = Field(description=f"Floor and table, such as marts.fx_rates_daily; the catalog is {CATALOG}.")
    type: Literal["table"] = Field(alias="physicalType")
    description: Text = Field(description="What a row says; dbt's documentation has the same words.")
    columns: tuple[Column, ...] = Field(alias="properties", min_length=1, description="In the table's order.")
    quality: tuple[LeastRows, ...] = Field((), max_length=1, description="How many rows there are at least.")

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that identify a row, in the key's order."""
        parts = [column for column in self.columns if column.primary_key]
        return tuple(column.name for column in sorted(parts, key=lambda column: column.key_position or 1))

    @property
    def least_rows(self) -> int | None:
        """Fewer rows are not published; None where nothing is promised."""
        return self.quality[0].at_least if self.quality else None

    def column(self, name: str) -> Column:
        """One of its columns.

        Raises:
            PlatformError: it has none of that name.
        """
        return _named(name, self.columns, f"column of {self.name}")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        _refuse_twice((column.name for column in self.columns), f"{self.name}: column")
        places = sorted(column.key_position or 1 for column in self.columns if column.primary_key)
        if not places or places != list(range(1, len(places) + 1)):
            raise ValueError(
                f"{self.name}: the key's columns have the places {places or 'none'}; mark with 'primaryKey: true' what"
                " identifies a row, and number several columns by primaryKeyPosition from 1"
            )
        return self


class TimeOfAvailability(_Standard):
    """By when a day's data is there."""

    property: Literal["timeOfAvailability"]
    value: Clock = Field(description="Time of the day, in quotes (YAML makes a number of it otherwise).")
    zone: Zone = Field(alias="valueExt", description="Time zone, such as Europe/Paris.")


class Latency(_Standard):
    """How old the newest data may be."""

    property: Literal["latency"]
    value: PositiveInt = Field(description="Days.")
    unit: Literal["d"]
    element: Text = Field(description="The column that says how old it is, as TABLE.COLUMN.")


class GreatestChange(_Standard):
    """How much a table may grow or shrink from one publication to the next; the standard leaves such names free."""

    property: Literal["greatestChange"]
    value: PositiveInt = Field(description="Percent of its rows.")
    unit: Literal["percent"]
    element: Text = Field(description="The table.")


class KeysGone(_Standard):
    """How many of the keys that readers have may be no more after a publication."""

    property: Literal["keysGone"]
    value: NonNegativeInt = Field(description="Percent of the keys; 0 where none may go.")
    unit: Literal["percent"]
    element: Text = Field(description="The table, whose key is meant, or one of its columns as TABLE.COLUMN.")


class GreatestShift(_Standard):
    """How far mean and standard deviation of a number may move from one publication to the next."""

    property: Literal["greatestShift"]
    value: PositiveInt = Field(description="Percent of the mean, or of the deviation where that is larger.")
    unit: Literal["percent"]
    element: Text = Field(description="The column, as TABLE.COLUMN.")


class Retention(_Standard):
    """How long data is kept."""

    property: Literal["retention"]
    value: PositiveInt | None = Field(description="How many; null when nothing is ever removed.")
    unit: Literal["d", "y"] = Field(description="Days or years.")


A = TypeVar("A", TimeOfAvailability, Latency, GreatestChange, Retention)
Agreement = Annotated[
    TimeOfAvailability | Latency | GreatestChange | KeysGone | GreatestShift | Retention,
    Field(discriminator="property"),
]


class Promise(NamedTuple):
    """What readers may count on."""

    #: By when a day's data is there, and in which time zone.
    fresh_by: time
    zone: ZoneInfo
    #: How old the newest data may be, and by which column of which table one sees it.
    oldest_age: timedelta
    age_of: tuple[str, str]
    #: Least number of rows by table.
    least_rows: Mapping[str, int]
    #: By how many percent the rows of which table may change from one publication to the next.
    greatest_change: int
    change_of: str
    #: All that one publication may change, the former too.
    bounds: tuple[Bound, ...]


class Contract(_Standard):
    """The contract of a dataset."""

    api_version: Literal["v3.1.0"] = Field(alias="apiVersion", description="Of the standard.")
    kind: Literal["DataContract"]
    id: Key = Field(description="The dataset's name, as its folder.")
    name: Text = Field(description="Title for people.")
    version: str = Field(
        pattern=r"^\d+\.\d+\.\d+$", description="Of the contract: first number for what breaks readers."
    )
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    description: Purpose
    team: Team
    tables: tuple[Table, ...] = Field(alias="schema", min_length=1, description="In the order of the data.")
    agreements: tuple[Agreement, ...] = Field(alias="slaProperties", description="Four once, and bounds of change.")

    @property
    def owner(self) -> str:
        """Who answers for it."""
        return self.team.name

    @property
    def retention(self) -> timedelta | None:
        """How long data is kept; None for ever."""
        said = self._said(Retention)
        return None if said.value is None else timedelta(days=said.value * (365 if said.unit == "y" else 1))

    @property
    def promise(self) -> Promise:
        """What readers may count on."""
        available, latency, change = self._said(TimeOfAvailability), self._said(Latency), self._said(GreatestChange)
        table, _, column = latency.element.rpartition(".")
        rows = {t.name: t.least_rows for t in self.tables if t.least_rows is not None}
        return Promise(
            fresh_by=time.fromisoformat(available.value),
            zone=ZoneInfo(available.zone),
            oldest_age=timedelta(days=latency.value),
            age_of=(table, column),
            least_rows=rows,
            greatest_change=change.value,
            change_of=change.element,
            bounds=tuple(self._bounds()),
        )

    def table(self, name: str) -> Table:
        """One of its tables.

        Args:
            name: floor and table, such as raw.fx_rates.

        Raises:
            PlatformError: it has none of that name.
        """
        return _named(name, self.tables, f"table of {self.id}")

    def on(self, floor: str) -> tuple[Table, ...]:
        """Its tables on a floor of the lakehouse: raw, staging or marts."""
        return tuple(table for table in self.tables if table.name.startswith(f"{floor}."))

    def _bounds(self) -> Iterator[Bound]:
        for said in self.agreements:
            if isinstance(said, GreatestChange):
                yield Bound(said.property, said.element, (), said.value)
            elif isinstance(said, KeysGone | GreatestShift):
                name, column = self._element(said)
                yield Bound(said.property, name, (column,) if column else self.table(name).key, said.value)

    def _element(self, said: KeysGone | GreatestShift) -> tuple[str, str]:
        """Table and column of an agreement; no column where its element is a table.

        Raises:
            ValueError: it is neither, or no number where one is meant.
        """
        tables = {table.name: {column.name: column for column in table.columns} for table in self.tables}
        if said.element in tables and isinstance(said, KeysGone):
            return said.element, ""
        name, _, text = said.element.rpartition(".")
        if (column := tables.get(name, {}).get(text)) is None:
            raise ValueError(f"slaProperties.{said.property}: element {said.element} is no column of the schema")
        if isinstance(said, GreatestShift) and column.logical_type not in ("integer", "number"):
            raise ValueError(f"slaProperties.{said.property}: {said.element} is no number, and has no mean")
        return name, text

    def _said(self, kind: type[A]) -> A:
        (found,) = (agreement for agreement in self.agreements if isinstance(agreement, kind))
        return found

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        _refuse_twice((table.name for table in self.tables), "table")
        names = {table.name: {column.name for column in table.columns} for table in self.tables}
        if f"raw.{self.id}" not in names or not self.on("marts"):
            raise ValueError(f"schema: a dataset has the table raw.{self.id} and a mart; describe both")
        said: Counter[str] = Counter(agreement.property for agreement in self.agreements)
        wanted = ("timeOfAvailability", "latency", "greatestChange", "retention")
        if wrong := [name for name in wanted if said[name] != 1]:
            raise ValueError(f"slaProperties: {', '.join(wrong)} must be there once; see docs/how-to/add-a-dataset.md")
        for agreement in self.agreements:
            if isinstance(agreement, KeysGone | GreatestShift):
                self._element(agreement)
        promise = self.promise
        table, column = promise.age_of
        if column not in names.get(table, ()):
            raise ValueError(f"slaProperties.latency: element {table}.{column} is no column of the schema")
        if promise.change_of not in names:
            raise ValueError(f"slaProperties.greatestChange: element {promise.change_of} is no table of the schema")
        if not promise.least_rows:
            raise ValueError("schema: no table says its least rows; add a quality of the metric rowCount to one")
        return self


T = TypeVar("T", Column, Table)


def _refuse_twice(names: Iterable[str], what: str) -> None:
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        raise ValueError(f"{what} {', '.join(twice)} is there twice; remove one")


def _named(name: str, things: tuple[T, ...], what: str) -> T:
    known = {thing.name: thing for thing in things}
    if name not in known:
        raise PlatformError(f"there is no {what} named {name!r}", f"use one of: {', '.join(known)}")
    return known[name]
