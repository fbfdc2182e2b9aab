"""What every target can do. Nothing outside this package knows which target it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from data_platform.checks.base import Address, ToolResult
from data_platform.stack.load import Stack
from data_platform.stack.plan import Resource, Seen, Step


class Target(Protocol):
    """A place where components run; also what checks know as the platform."""

    name: str
    stack: Stack

    def address(self, component: str, endpoint: str) -> Address:
        """Address of a component's (or capability's) endpoint, as reached from here."""

    def credentials(self, component: str) -> Mapping[str, str]:
        """Fixed names and generated secrets of a component (or capability)."""

    def wanted(self, component: str) -> list[Resource]:
        """Resources that the component's definition asks for."""

    def observe(self, component: str) -> list[Seen]:
        """What is there of the component, leftovers included. Reads only."""

    def fetch(self, component: str, steps: Sequence[Step]) -> None:
        """Carry out the artifact steps; needs no other component."""

    def apply(self, component: str, steps: Sequence[Step]) -> None:
        """Carry out the other steps, in their order; each may be repeated safely."""

    def wait(self, component: str) -> None:
        """Return when all processes of the component take requests; raise with the reason otherwise."""

    def run_tool(self, component: str, tool: str, arguments: Sequence[str], seconds: float) -> ToolResult:
        """Run one of the component's tools to its end, within a number of seconds."""

    def logs(self, component: str, lines: int) -> str:
        """The last lines of the logs of the component's processes."""

    def condition(self, component: str) -> str:
        """One word: running, starting, stopped, failed, installed (it has no process), absent."""

    def processes(self, component: str) -> dict[str, str]:
        """State of each of the component's processes, in the target's words (RUNNING, FATAL, …)."""
