"""`plan` decides what must change. The cases are data: plans/<verb>/<case>.yaml, nothing to do in *_noop.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.stack.plan import KINDS, Resource, Seen, Step, plan

PLANS = Path(__file__).parent / "plans"
CASES = sorted(PLANS.glob("*/*.yaml"))
VERBS = {"fetch", "write", "run", "start", "restart", "stop", "remove", "make", "change", "revoke"}


def read(case: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(case.read_text(encoding="utf-8"))
    return found


def steps_of(content: dict[str, Any]) -> list[list[str]]:
    wanted = [Resource.model_validate(value) for value in content["wanted"]]
    observed = [Seen.model_validate(value) for value in content["observed"]]
    return [[step.verb, step.kind, step.name, step.reason] for step in plan(wanted, observed)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_plan_is_as_the_case_says(case: Path) -> None:
    content = read(case)
    assert steps_of(content) == content["expected"]


def test_every_verb_has_cases_and_a_noop() -> None:
    assert {case.parent.name for case in CASES} == VERBS
    assert len(CASES) >= 3 * len(VERBS)
    for verb in VERBS:
        mine = [case for case in CASES if case.parent.name == verb]
        assert any(case.stem.endswith("_noop") for case in mine), f"{verb} has no noop"
        for case in mine:
            content = read(case)
            assert content["wanted"] or content["observed"], f"{case} is about nothing"
            if case.stem.endswith("_noop"):
                assert content["expected"] == [], f"{case} is called noop and expects steps"
            else:
                assert verb in {step[0] for step in content["expected"]}, f"{case} has no step {verb!r}"


def test_a_case_with_a_wrong_expectation_fails() -> None:
    content = read(PLANS / "restart" / "changed.yaml")
    content["expected"][0][0] = "start"
    assert steps_of(content) != content["expected"]


def test_plan_of_what_was_carried_out_is_empty() -> None:
    wanted = [Resource(kind=kind, name="x", digest="a1") for kind in KINDS]
    assert len(plan(wanted, [])) == len(KINDS)
    assert plan(wanted, [Seen(kind=r.kind, name=r.name, digest=r.digest) for r in wanted]) == []


def test_a_step_reads_as_a_sentence() -> None:
    step = Step(verb="restart", kind="process", name="server", reason="its definition changed")
    assert str(step) == "restart process server: its definition changed"


def test_a_step_about_a_claim_says_its_kind_once() -> None:
    step = Step(verb="make", kind="claim", name="database nessie", reason="it is not there")
    assert str(step) == "make database nessie: it is not there"
