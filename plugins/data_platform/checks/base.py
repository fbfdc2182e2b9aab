"""What a check kind is made of.

A kind is a module `data_platform.checks.<kind>` with a model `Params` and one function

    def check(params: Params, platform: Platform, deadline: Deadline) -> str

that returns its evidence: what a person would have looked at (the row, the status, the size). It raises `CheckFailed`
with the evidence of the failure; any other exception is a failure too. None is skipped: what cannot be looked at has
not passed. Heavy imports belong inside the function: the kinds are imported to validate `component.yaml`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay, wait_exponential

if TYPE_CHECKING:
    from pathlib import Path

    from data_platform.stack.stack import Stack

#: Multiplies every deadline, for slow machines.
PATIENCE_VARIABLE = "DATA_PLATFORM_PATIENCE"

T = TypeVar("T")


class KindParams(BaseModel):
    """Base of a kind's arguments (`with:` in component.yaml): unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Params(KindParams):
    """Arguments of a kind that takes none."""


class CheckFailed(Exception):  # noqa: N818 - an outcome, not an error of ours
    """The platform did not do what a user would expect; the message is the evidence."""


class CheckResult(NamedTuple):
    """Outcome of one check."""

    component: str
    name: str
    status: Literal["passed", "failed"]
    seconds: float
    evidence: str


class Address(NamedTuple):
    """Where an endpoint is reached from here."""

    host: str
    port: int
    url: str


class ToolResult(NamedTuple):
    """Outcome of a tool run through the target."""

    returncode: int
    output: str


class ToolCommand(NamedTuple):
    """How a tool is started: arguments (no secrets) and its whole environment (secrets)."""

    argv: list[str]
    environment: dict[str, str]


class Platform(Protocol):
    """What a check may know of the place: addresses, credentials and tools, the same on every target."""

    stack: Stack

    @property
    def authorities(self) -> Path | None:
        """File with the certificates by which the platform's own servers are known; None for the usual authorities."""

    def address(self, component: str, endpoint: str) -> Address:
        """Address of a component's (or capability's) endpoint."""

    def credentials(self, holder: str) -> Mapping[str, str]:
        """What a holder has: a component, a capability (its provider's own) or an identity."""

    def run_tool(self, component: str, tool: str, arguments: Sequence[str], seconds: float) -> ToolResult:
        """Run one of the component's tools to its end."""


class Deadline:
    """A point in time, in seconds from now, multiplied by the environment variable DATA_PLATFORM_PATIENCE."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds * float(os.environ.get(PATIENCE_VARIABLE, "1"))
        self._end = time.monotonic() + self.seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0.1 so that it can serve as a client's timeout."""
        return max(0.1, self._end - time.monotonic())

    def retry(self, act: Callable[[], T], on: type[Exception] | tuple[type[Exception], ...]) -> T:
        """Repeat `act` while it raises one of `on`, until the deadline; then raise the last error."""
        retrying = Retrying(
            stop=stop_after_delay(self.remaining),
            wait=wait_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception(lambda error: isinstance(error, on)),
            reraise=True,
        )
        try:
            return retrying(act)
        except RetryError as error:  # pragma: no cover - reraise=True makes tenacity raise the cause
            raise CheckFailed(str(error)) from error
