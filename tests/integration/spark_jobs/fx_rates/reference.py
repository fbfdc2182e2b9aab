"""The rules of `fx_rates` files once more, in plain Python with `decimal`: what the job is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from string import ascii_uppercase, digits

Day = dict[str, Decimal]


@dataclass
class Read:
    """What a file says: its days, and the numbers of the rows that are not loaded (0: the file)."""

    days: dict[date, Day] = field(default_factory=dict)
    rejected: set[int] = field(default_factory=set)


def read(content: bytes, taken: date) -> Read:
    """Read a file that was taken on a day."""
    lines = [line.removesuffix("\r") for line in content.decode("utf-8-sig").split("\n")]
    if lines == [""]:
        return Read(rejected={0})
    rows = [[cell.strip(" \t\u00a0") for cell in line.split(",")] for line in lines]
    header = rows[0]
    codes = header[1:-1] if len(header) > 1 and header[-1] == "" else header[1:]
    good_codes = all(len(c) == 3 and set(c) <= set(ascii_uppercase) for c in codes)
    filled = [(n, row) for n, (row, line) in enumerate(zip(rows, lines, strict=True), 1) if n > 1 and line.strip(" ")]
    if header[:1] != ["Date"] or not codes or not good_codes or len(set(codes)) < len(codes) or not filled:
        return Read(rejected={1})
    result = Read()
    found: dict[date, list[tuple[int, Day]]] = defaultdict(list)
    for number, row in filled:
        day = _day(row, header, codes, taken)
        if day is None:
            result.rejected.add(number)
        else:
            found[day[0]].append((number, day[1]))
    for when, candidates in found.items():
        if all(candidate == candidates[0][1] for _, candidate in candidates):
            result.days[when] = candidates[0][1]
        else:
            result.rejected |= {number for number, _ in candidates}
    return result


def _day(row: list[str], header: list[str], codes: list[str], taken: date) -> tuple[date, Day] | None:
    if len(row) != len(header) or (len(codes) < len(header) - 1 and row[-1]):
        return None
    when = _when(row[0])
    if when is None or when > taken + timedelta(days=1):
        return None
    rates: Day = {}
    for code, cell in zip(codes, row[1:], strict=False):
        if cell in ("N/A", ""):
            continue
        whole, point, rest = cell.partition(".")
        plain = set(whole + rest) <= set(digits) and 1 <= len(whole) <= 10
        if not plain or (point and not 1 <= len(rest) <= 8) or not 0 < Decimal(cell) < 10**7:
            return None
        rates[code] = Decimal(cell)
    return (when, rates) if rates else None


def _when(cell: str) -> date | None:
    try:
        if len(cell) == 10 and cell[4] == "-":
            return date.fromisoformat(cell)
        return datetime.strptime(f"{cell} +0000", "%d %B %Y %z").date()
    except ValueError:
        return None
