"""Run checks and keep their results. The deploy DAG, the health DAG, the command line and the tests all come here."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import ValidationError

from data_platform.checks.base import CheckFailed, CheckResult, Deadline, KindParams, Platform
from data_platform.stack.check import CheckSpec
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from types import ModuleType

#: Evidence longer than this is cut: results are kept for months.
_EVIDENCE_CHARACTERS = 2000


def kind(name: str) -> ModuleType:
    """Module of a check kind.

    Raises:
        PlatformError: there is none.
    """
    try:
        return importlib.import_module(f"data_platform.checks.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"data_platform.checks.{name}":
            raise
        raise PlatformError(
            f"there is no check kind {name!r}", "use one of the modules in plugins/data_platform/checks/, or add it"
        ) from None


def arguments(component: str, spec: CheckSpec) -> KindParams:
    """The arguments of a check, as its kind understands them; a kind that asks for a component gets the check's own.

    Raises:
        PlatformError: there is no such kind, or it does not take these arguments.
    """
    module = kind(spec.kind)
    try:
        own = {"component": component} if "component" in module.Params.model_fields else {}
        found: KindParams = module.Params.model_validate(own | spec.params)
    except ValidationError as error:
        raise PlatformError(
            f"{component}: check {spec.name}: {error}", f"correct `with:` for the kind {spec.kind}"
        ) from None
    return found


def run_check(component: str, spec: CheckSpec, platform: Platform) -> CheckResult:
    """Run one check; whatever goes wrong is a failed result, never an exception."""
    started = time.monotonic()
    try:
        function: Callable[[KindParams, Platform, Deadline], str] = kind(spec.kind).check
        evidence, status = function(arguments(component, spec), platform, Deadline(spec.within)), "passed"
    except CheckFailed as failure:
        evidence, status = str(failure), "failed"
    except Exception as error:  # noqa: BLE001 - a client's error is what the user would see
        evidence, status = f"{type(error).__name__}: {error}", "failed"
    seconds = round(time.monotonic() - started, 3)
    return CheckResult(component, spec.name, status, seconds, evidence[:_EVIDENCE_CHARACTERS])  # type: ignore[arg-type]
