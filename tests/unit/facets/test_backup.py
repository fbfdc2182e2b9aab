"""The facet `backup`: its kinds are modules, and a kind that is none of them is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_platform import backup
from data_platform.facets.backup import Backup
from data_platform.stack.found import models
from data_platform.stack.load import load_stack
from tests.unit.stack.conftest import refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny

Change = Callable[[dict[str, Any]], object]


def test_a_kind_is_a_module_with_one_model_of_that_kind() -> None:
    kinds = models("data_platform.backup", Backup)
    modules = {path.stem for path in Path(backup.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(kinds) == modules
    assert "none" in modules
    for name, kind in kinds.items():
        assert kind.model_fields["kind"].annotation.__args__ == (name,)  # type: ignore[union-attr]


BROKEN: dict[str, tuple[Change, tuple[str, ...]]] = {
    "a_kind_that_is_not_there": (
        lambda c: c.update(backup={"kind": "does_not_exist", "reason": "nobody wrote it"}),
        ("backup", "'none'"),
    ),
    "no_kind": (lambda c: c.update(backup={"reason": "nobody knows"}), ("backup",)),
    "nothing_at_all": (lambda c: c.pop("backup"), ("backup: Field required",)),
    "none_without_a_reason": (lambda c: c.update(backup={"kind": "none"}), ("backup", "reason: Field required")),
    "none_with_an_empty_reason": (lambda c: c.update(backup={"kind": "none", "reason": ""}), ("reason", "at least 1")),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_mistake_is_named_with_its_file(tiny: Tiny, case: str) -> None:
    change, said = BROKEN[case]
    tiny.edit(tiny.component("reader"), change)
    error = refusal(tiny)
    assert str(tiny.component("reader")) in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


def test_every_component_says_it(tiny: Tiny) -> None:
    components = load_stack(tiny.root).components
    assert len(components) >= 4
    assert {item.component.facets["backup"].__class__.__name__ for item in components.values()} == {"Nothing"}
