"""`status`, `check`, `logs`, and the table at the end of `up`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bootstrap.place import mention_others, open_target
from data_platform import lifecycle, summary, times
from data_platform.clients.connect import API
from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Pipeline
from data_platform.records import writes
from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.stack.load import LOCAL
from data_platform.targets.base import Target
from data_platform.targets.local import confine
from data_platform.targets.local.state import State

#: Columns of the table where the output is no terminal.
_PLAIN_WIDTH = 140
_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


def _describe(target: Target, state: State, found: Sequence[Pipeline] = ()) -> dict[str, Any]:
    return {**summary.describe(target, found), "credentials_file": str(state.credentials_file)}


def status(arguments: argparse.Namespace) -> int:
    """Show the platform; 0 when every component is there and no newest check failed."""
    target = open_target(arguments)
    looked = pipelines.look(target)
    found = _describe(target, State(arguments.state), looked)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        now = datetime.now(UTC)
        _print_table(target, found, [c["name"] for c in found["components"]], now)
        _print_pipelines(target, looked, now)
        _print_holder(found, now)
        _print_shortfalls(target)
        mention_others(State(arguments.state))
    return 0 if summary.is_healthy(found) else 1


def print_summary(target: Target, state: State, selected: Sequence[str], seconds: float) -> None:
    """The table at the end of `up`."""
    found = _describe(target, state)
    _print_table(target, found, selected, datetime.now(UTC))
    console = Console(highlight=False)
    console.print(f"{seconds:.0f} s. Airflow: [bold]{found['airflow']['url']}[/]", soft_wrap=True)
    console.print(f"Credentials: {found['credentials_file']}", soft_wrap=True)
    _print_shortfalls(target)


def _print_holder(found: dict[str, Any], now: datetime) -> None:
    """Who changes the platform at present."""
    if lease := found["lease"]:
        since, until = (times.local(times.instant(lease[key]), now) for key in ("since", "until"))
        print(f"Held by {lease['holder']} ({lease['purpose']}) since {since}, until {until} unless it is renewed.")


def _print_pipelines(target: Target, found: Sequence[Pipeline], now: datetime) -> None:
    """In which state the pipelines are, and what to do about those that need somebody."""
    console = Console(highlight=False)
    base = target.public_url(ORCHESTRATOR, API)
    for one in found:
        name, said = one.dataset or one.dag, escape(times.plain(one.says, now))
        console.print(f"[{_COLOURS[one.verdict]}]{one.state.shown}[/]  {name}: {said}", soft_wrap=True)
        for line in _next_steps(one, base):
            console.print(f"  → {line}", markup=False, soft_wrap=True)


def _next_steps(one: Pipeline, base: str) -> Iterator[str]:
    for step in one.steps:
        ways = [way for way in (step.command, step.path and base + step.path) if way]
        yield f"{step.says}: {', or '.join(ways)}" if ways else step.says


def _print_shortfalls(target: Target) -> None:
    """What of the servers' confinement this machine cannot do."""
    for shortfall in confine.shortfalls() if target.name == LOCAL else ():
        print(f"Note: {shortfall}.")


def _print_table(target: Target, found: dict[str, Any], selected: Sequence[str], now: datetime) -> None:
    table = Table(
        title=f"{target.stack.file.name} ({found['target']}, profile {found['profile']})", title_justify="left"
    )
    for column in ("component", "version", "state", "address", "checks", "last checked", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
    for entry in found["components"]:
        if entry["name"] in selected:
            address = entry["page"] or next(iter(entry["endpoints"].values()), "")
            passed = sum(check["status"] == "passed" for check in entry["checks"])
            failed = [check["name"] for check in entry["checks"] if check["status"] == "failed"]
            checks = (
                f"[red]failed: {', '.join(failed)}[/]" if failed else f"{passed} of {entry['checks_declared']} passed"
            )
            took = sum(check["seconds"] for check in entry["checks"])
            last = max((times.instant(check["at"]) for check in entry["checks"]), default=None)
            checked = times.ago(last, now) if last else ""
            table.add_row(entry["name"], entry["version"], entry["state"], address, checks, checked, f"{took:.1f}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(table)


def check(arguments: argparse.Namespace) -> int:
    """Run checks now; 0 when none failed."""
    target = open_target(arguments)
    console = Console(highlight=False)
    names = [target.stack.resolve(name) for name in arguments.components] or list(target.stack.components)
    failed = 0
    for name in names:
        results = lifecycle.verify(target, name, "hand", keep=False)
        try:
            writes.keep_results(target, results, lifecycle.definition(target, name), "hand", patience=0)
        except Exception as error:  # noqa: BLE001 - PostgreSQL may be what is broken; the result is shown all the same
            print(f"results of {name} are not kept: {type(error).__name__}", file=sys.stderr)
        for result in results:
            colour = {"passed": "green", "failed": "red"}[result.status]
            console.print(
                f"[{colour}]{result.status}[/]  {name}  {result.name}  {result.seconds:.2f} s", soft_wrap=True
            )
            console.print(f"        {result.evidence}", markup=False, style="dim", soft_wrap=True)
            failed += result.status == "failed"
    return 1 if failed else 0


def logs(arguments: argparse.Namespace) -> int:
    """Show the last lines of a component's logs."""
    target = open_target(arguments)
    name = target.stack.resolve(arguments.component)
    print(target.logs(name, arguments.lines) or f"{name} has written no log yet")
    return 0
