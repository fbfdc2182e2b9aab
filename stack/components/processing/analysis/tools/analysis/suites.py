"""Suites as data engineers write them: `expectations/<dataset>/<suite>.yaml`. Pure: no Great Expectations, no server.

A file holds, for each table, expectations in Great Expectations' own terms (type, kwargs, severity, description, meta).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = Path(__file__).resolve().parents[6]
SEVERITIES = ("critical", "warning")
_KEYS = frozenset({"type", "kwargs", "severity", "description", "meta"})


class SuiteError(Exception):
    """A suite cannot be used; the message names file, key and remedy."""


@dataclass(frozen=True)
class Suite:
    """What must be true of some tables."""

    dataset: str
    name: str
    tables: dict[str, list[dict[str, Any]]]

    @property
    def count(self) -> int:
        """Number of expectations."""
        return sum(len(expectations) for expectations in self.tables.values())


def load(dataset: str, name: str, root: Path = ROOT) -> Suite:
    """Read a suite.

    Args:
        dataset: its name, which is a folder of `expectations/`.
        name: of the suite, which is a file there.
        root: the checkout.

    Raises:
        SuiteError: there is no such suite, or it does not say what it must.
    """
    path = root / "expectations" / dataset / f"{name}.yaml"
    where = path.relative_to(root)
    if not path.is_file():
        there = ", ".join(sorted(str(p.relative_to(root)) for p in (root / "expectations").glob("*/*.yaml")))
        raise SuiteError(f"there is no {where}; there are: {there or 'none'}")
    try:
        tables = YAML(typ="safe").load(path)["tables"]
    except (YAMLError, KeyError, TypeError) as error:
        raise SuiteError(f"{where}: expected a mapping with the key `tables`: {error}") from None
    if not isinstance(tables, dict) or not tables:
        raise SuiteError(f"{where}: `tables` is empty; name at least one table")
    for table, expectations in tables.items():
        if table.count(".") != 1:
            raise SuiteError(f"{where}: {table!r} is not SCHEMA.TABLE")
        if not expectations:
            raise SuiteError(f"{where}: {table} has no expectations, so nothing about it could fail")
        for number, expectation in enumerate(expectations, 1):
            _judge(f"{where}: {table}, expectation {number}", expectation)
        rules = [expectation["description"] for expectation in expectations]
        if twice := sorted({rule for rule in rules if rules.count(rule) > 1}):
            raise SuiteError(f"{where}: {table} has two rules {twice[0]!r}; reports tell rules apart by their words")
    return Suite(dataset, name, tables)


def _judge(where: str, expectation: dict[str, Any]) -> None:
    if missing := sorted(_KEYS - expectation.keys()):
        raise SuiteError(f"{where} ({expectation.get('type')}): {', '.join(missing)} missing")
    if unknown := sorted(expectation.keys() - _KEYS):
        raise SuiteError(f"{where} ({expectation['type']}): unknown keys {', '.join(unknown)}")
    if expectation["severity"] not in SEVERITIES:
        raise SuiteError(f"{where}: severity {expectation['severity']!r} is none of {', '.join(SEVERITIES)}")
    if not (expectation["meta"] or {}).get("next_step"):
        raise SuiteError(f"{where}: meta.next_step is missing; say what to do when it fails")
