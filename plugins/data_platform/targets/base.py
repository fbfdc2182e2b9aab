"""What every target can do. Nothing outside this package knows which target it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from data_platform.checks.base import Address, ToolCommand, ToolResult
from data_platform.stack.environment import Retention
from data_platform.stack.plan import Resource, Seen, Step
from data_platform.stack.stack import Stack


class Target(Protocol):
    """A place where components run; also what checks know as the platform."""

    name: str
    stack: Stack

    @property
    def authorities(self) -> Path | None:
        """File with the certificates by which the platform's own servers are known; None for the usual authorities."""

    @property
    def retention(self) -> Retention:
        """How long the orchestrator keeps its own past."""

    def address(self, component: str, endpoint: str) -> Address:
        """Address of a component's (or capability's) endpoint, as reached from here."""

    def internal_address(self, component: str, endpoint: str) -> Address:
        """The same, as the platform's components reach it: what one of them is to be told of another."""

    def public_url(self, component: str, endpoint: str) -> str:
        """Address of an endpoint for people: through the entrance, or as they reach it where there is none."""

    def credentials(self, holder: str) -> Mapping[str, str]:
        """What a holder has: a component, a capability (its provider's own) or an identity. Reads only."""

    def ensure_credentials(self) -> None:
        """Generate and keep what holders lack; what is there is never replaced.

        Raises:
            PlatformError: secrets are gone while data that they open is there.
        """

    def stage(self, holder: str, key: str) -> str:
        """The value that a secret is going to have; generated at the first call, and kept until `promote`."""

    def promote(self, holder: str, key: str) -> None:
        """Let a staged value take the place of the secret; nothing where none is staged."""

    def prepare(self) -> list[str]:
        """Make what all components stand on; returns what was changed, nothing when all of it was there."""

    def wanted(self, component: str) -> list[Resource]:
        """Resources that the component's definition asks for."""

    def observe(self, component: str) -> list[Seen]:
        """What is there of the component, leftovers included. Reads only."""

    def fetch(self, component: str, steps: Sequence[Step]) -> None:
        """Carry out the artifact steps; needs no other component."""

    def apply(self, component: str, steps: Sequence[Step]) -> None:
        """Carry out the other steps, in their order; each may be repeated safely."""

    def revision(self, component: str) -> str:
        """What `restore` would bring back: the component's definition as it is deployed now; empty when it is not."""

    def restore(self, component: str, revision: str) -> None:
        """Bring an earlier definition of a component back, as far as the target keeps them.

        Raises:
            PlatformError: it keeps none; the remedy says what to do instead.
        """

    def forget_earlier(self, component: str) -> None:
        """Forget the component's earlier definitions: what they hold opens nothing any more."""

    def wait(self, component: str) -> None:
        """Return when all processes of the component take requests; raise with the reason otherwise."""

    def tool_command(
        self, component: str, tool: str, arguments: Sequence[str], writes: Sequence[Path] = ()
    ) -> ToolCommand:
        """What `run_tool` would start, for a caller that starts it itself.

        Args:
            component: whose tool.
            tool: its name.
            arguments: of the tool.
            writes: folders of the caller's that it may write to, besides its own.
        """

    def run_tool(
        self, component: str, tool: str, arguments: Sequence[str], seconds: float, writes: Sequence[Path] = ()
    ) -> ToolResult:
        """Run one of the component's tools to its end, within a number of seconds; for `writes` see `tool_command`."""

    def logs(self, component: str, lines: int) -> str:
        """The last lines of the logs of the component's processes."""

    def condition(self, component: str) -> str:
        """One word: running, starting, stopped, failed, installed (it has no process), absent."""

    def processes(self, component: str) -> dict[str, str]:
        """State of each of the component's processes, in the target's words (RUNNING, FATAL, …)."""

    def close(self) -> None:
        """Give back what reaching the place took (forwarded ports)."""
