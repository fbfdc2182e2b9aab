"""Progress: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table

VERBS = ("observe", "plan", "artifacts", "apply", "wait", "verify")
_SIGNS = {
    "success": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "upstream_failed": "[red]·[/]",
    "running": "[yellow]…[/]",
    "skipped": "[dim]-[/]",
    "up_for_retry": "[yellow]↻[/]",
}


#: After so many seconds without news a plain terminal is told what runs.
QUIET_SECONDS = 20.0
#: States of tasks that are at work.
_AT_WORK = ("running", "deferred", "up_for_retry", "restarting")


class Progress:
    """What the command says while it works.

    Args:
        clock: gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = Console(highlight=False)
        self._clock = clock
        self._started = self._news = clock()
        self._live: Live | None = None
        self._shown: dict[str, str] = {}

    def say(self, subject: str, text: str) -> None:
        """One line, with the seconds since the beginning."""
        self._news = self._clock()
        self.console.print(f"[dim]{self._news - self._started:6.1f} s[/]  [bold]{subject}[/]  {text}", soft_wrap=True)

    def done(self, subject: str) -> None:
        """A subject is finished."""
        self.say(subject, "[green]verified[/]")

    def tasks(self, dag: str, states: Mapping[str, tuple[str, float]]) -> None:
        """Show the tasks of a run.

        Args:
            dag: DAG id.
            states: state and seconds of each task, by task id.
        """
        if self.console.is_terminal:
            if self._live is None:
                self._live = Live(console=self.console, refresh_per_second=4)
                self._live.start()
            self._live.update(_table(dag, states))
            return
        for task, (state, seconds) in states.items():
            if state != self._shown.get(task) and state not in ("none", "scheduled", "queued"):
                self._shown[task] = state
                if state != "skipped":
                    self.say(task, f"{state} {seconds:.1f} s" if seconds else state)
        at_work = [f"{task} since {seconds:.0f} s" for task, (state, seconds) in states.items() if state in _AT_WORK]
        if at_work and self._clock() - self._news >= QUIET_SECONDS:
            self.say(dag, f"goes on: {', '.join(at_work)}")

    def end(self) -> None:
        """No more tasks are shown."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _table(dag: str, states: Mapping[str, tuple[str, float]]) -> Table:
    """One row a component, one column a verb; in a DAG without components one row a task."""
    table = Table(title=dag, title_justify="left")
    if not any(task.endswith(f".{VERBS[0]}") for task in states):
        table.add_column("task")
        table.add_column("", justify="center")
        table.add_column("seconds", justify="right")
        for task, (state, seconds) in states.items():
            table.add_row(task, _SIGNS.get(state, " "), f"{seconds:.0f}")
        return table
    table.add_column("component")
    for verb in VERBS:
        table.add_column(verb, justify="center")
    table.add_column("seconds", justify="right")
    rows: dict[str, dict[str, tuple[str, float]]] = {}
    for task, found in states.items():
        group, _, name = task.partition(".")
        component, verb = (name, "artifacts") if group == "artifacts" else (group, name or "verify")
        rows.setdefault(component, {})[verb] = found
    for component, verbs in rows.items():
        signs = [_SIGNS.get(verbs[v][0], " ") if v in verbs else " " for v in VERBS]
        table.add_row(component, *signs, f"{sum(seconds for _, seconds in verbs.values()):.0f}")
    return table
