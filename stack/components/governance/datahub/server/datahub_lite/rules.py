r"""Declared renamings: one data set, one name, whichever name a producer has for it.

A rule is a line `PATTERN -> NAME` over `<platform>:<name>`, such as `trino:lakehouse[.](.+) -> iceberg:lakehouse.\1`.
The pattern must match the whole; the first rule that does decides. `PATTERN ->` without a name leaves the data set out
of what OpenLineage reports: ledgers and scratch tables are not lineage.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from datahub.emitter.mce_builder import make_data_platform_urn, make_dataset_urn
from datahub.metadata.schema_classes import DatasetKeyClass

from datahub_lite.store import Change

_ARROW = "->"
#: Names hold no commas and parentheses: DataHub's builders encode them.
_DATASET = re.compile(r"urn:li:dataset:\(urn:li:dataPlatform:([^,()]+),([^,()]+),([^,()]+)\)")
#: The slash in a part of a JSON pointer.
_SLASH = "~1"


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    name: str


class Rules:
    """An ordered list of rules."""

    def __init__(self, text: str = "") -> None:
        """Read rules, one a line; empty lines and those that begin with # are skipped.

        Raises:
            ValueError: a line is no rule; names it.
        """
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def urn(self, urn: str) -> str | None:
        """The URN that a data set's URN stands for, itself where no rule speaks of it; None when it is left out."""
        found = _DATASET.fullmatch(urn)
        return self._renamed(found) if found else urn

    def change(self, change: Change) -> Change | None:
        """The change under the declared names, those in its value included; None where nothing is left to write.

        What is left out keeps its name here: a proposal is about one thing, and only OpenLineage's events are lists.
        """
        urn = self.urn(change.urn) or change.urn
        value = self._everywhere(change.value)
        if urn == change.urn:
            return change._replace(value=value)
        if change.aspect == DatasetKeyClass.get_aspect_name():
            return None  # it repeats the old name
        old, new = (_DATASET.fullmatch(u) for u in (change.urn, urn))
        if old and new:
            value = _replaced(value, make_data_platform_urn(old[1]), make_data_platform_urn(new[1]))
        return change._replace(urn=urn, value=value)

    def _renamed(self, urn: re.Match[str]) -> str | None:
        platform, name, env = urn.groups()
        text = f"{platform}:{name.replace(_SLASH, '/')}"
        for rule in self._rules:
            if found := rule.pattern.fullmatch(text):
                if not rule.name:
                    return None
                platform, _, new = found.expand(rule.name).partition(":")
                return make_dataset_urn(platform, new.replace("/", _SLASH) if _SLASH in name else new, env)
        return urn[0]

    def _everywhere(self, value: Any) -> Any:
        if isinstance(value, str):
            return _DATASET.sub(lambda found: self._renamed(found) or found[0], value)
        if isinstance(value, dict):
            return {self._everywhere(key): self._everywhere(item) for key, item in value.items()}
        return [self._everywhere(item) for item in value] if isinstance(value, list) else value


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if value == old else value


def _rule(line: str) -> _Rule:
    pattern, arrow, name = (part.strip() for part in line.partition(_ARROW))
    if not pattern or not arrow or (name and ":" not in name):
        raise ValueError(f"{line!r} is no rule: write PATTERN -> PLATFORM:NAME, or PATTERN -> to leave it out")
    try:
        compiled = re.compile(pattern)
        # A reference to a group that is not there shows only when it is used.
        re.compile(f"(?:{pattern})|").fullmatch("").expand(name)  # type: ignore[union-attr]
    except (re.error, IndexError) as error:
        raise ValueError(f"{line!r} is no rule: {error}") from None
    return _Rule(compiled, name)
