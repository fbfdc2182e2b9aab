"""A bound of change, as a contract says it."""

from __future__ import annotations

from typing import NamedTuple


class Bound(NamedTuple):
    """How much one publication may change what readers have: a load that changes more is set aside as a whole.

    Attributes:
        property: greatestChange, keysGone or greatestShift.
        table: floor and table.
        columns: the key whose values must not go, or the number; empty where rows are counted.
        percent: by how much.
    """

    property: str
    table: str
    columns: tuple[str, ...]
    percent: int

    def __str__(self) -> str:
        of = f"{self.table}.{self.columns[0]}" if len(self.columns) == 1 else self.table
        return f"{self.property} of {of}: at most {self.percent} %"
