"""The verbs that every component has, for the deploy DAG and for the bootstrap alike."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from data_platform.checks.base import CheckResult
from data_platform.checks.run import run_check
from data_platform.records import writes
from data_platform.records.results import is_proven
from data_platform.stack.errors import PlatformError
from data_platform.stack.plan import Resource, Seen, Step, plan
from data_platform.targets.base import Target

#: Checks that passed with this very definition within this time need not be repeated by a deploy with nothing to do.
PROOF_SECONDS = 3600.0


class Observation(NamedTuple):
    """What a component wants and what is there."""

    wanted: list[Resource]
    seen: list[Seen]
    proven: bool

    @property
    def steps(self) -> list[Step]:
        """What must be done; nothing when wanted and seen agree."""
        return plan(self.wanted, self.seen)


def definition(target: Target, component: str) -> str:
    """Digest of everything that defines a component: its resources and its checks."""
    checks = target.stack.components[component].component.all_checks
    text = repr([(r.kind, r.name, r.digest) for r in target.wanted(component)]) + repr(checks)
    return hashlib.sha256(text.encode()).hexdigest()


def observe(target: Target, component: str) -> Observation:
    """Look at a component. Changes nothing."""
    names = [check.name for check in target.stack.components[component].component.all_checks]
    try:
        proven = is_proven(target, component, names, definition(target, component), PROOF_SECONDS)
    except Exception:  # noqa: BLE001 - without the database nothing is proven, and the plan says what to do about it
        proven = False
    return Observation(target.wanted(component), target.observe(component), proven)


def verify(target: Target, component: str, reason: str, keep: bool = True) -> list[CheckResult]:
    """Run all checks of a component and keep the results.

    Args:
        target: where.
        component: its name.
        reason: deploy, health or hand; kept with the results.
        keep: False where they are only to be told.
    """
    found = [run_check(component, spec, target) for spec in target.stack.components[component].component.all_checks]
    if keep:
        writes.keep_results(target, found, definition(target, component), reason)
    return found


def require_passed(results: list[CheckResult]) -> None:
    """Raise when a check failed.

    Raises:
        PlatformError: names each failed check and its evidence.
    """
    failed = [result for result in results if result.status == "failed"]
    if failed:
        raise PlatformError(
            "\n".join(f"{r.component}: check {r.name} failed: {r.evidence}" for r in failed),
            f"python3 -m bootstrap logs {failed[0].component}; when mended: python3 -m bootstrap up",
        )
