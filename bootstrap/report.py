"""`status`, `check`, `logs`, and the table at the end of `up`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bootstrap.place import mention_others, open_target
from data_platform import lifecycle, summary
from data_platform.records import writes
from data_platform.stack.load import LOCAL
from data_platform.targets.base import Target
from data_platform.targets.local import confine
from data_platform.targets.local.state import State

#: Columns of the table where the output is no terminal.
_PLAIN_WIDTH = 140


def _describe(target: Target, state: State) -> dict[str, Any]:
    return {**summary.describe(target), "credentials_file": str(state.credentials_file)}


def status(arguments: argparse.Namespace) -> int:
    """Show the platform; 0 when every component is there and no newest check failed."""
    target = open_target(arguments)
    found = _describe(target, State(arguments.state))
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        _print_table(target, found, [c["name"] for c in found["components"]])
        _print_holder(found)
        _print_shortfalls(target)
        mention_others(State(arguments.state))
    return 0 if summary.is_healthy(found) else 1


def print_summary(target: Target, state: State, selected: Sequence[str], seconds: float) -> None:
    """The table at the end of `up`."""
    found = _describe(target, state)
    _print_table(target, found, selected)
    console = Console(highlight=False)
    console.print(f"{seconds:.0f} s. Airflow: [bold]{found['airflow']['url']}[/]", soft_wrap=True)
    console.print(f"Credentials: {found['credentials_file']}", soft_wrap=True)
    _print_shortfalls(target)


def _print_holder(found: dict[str, Any]) -> None:
    """Who changes the platform at present."""
    if lease := found["lease"]:
        until = f"until {lease['until']} unless it is renewed"
        print(f"Held by {lease['holder']} ({lease['purpose']}) since {lease['since']}, {until}.")


def _print_shortfalls(target: Target) -> None:
    """What of the servers' confinement this machine cannot do."""
    for shortfall in confine.shortfalls() if target.name == LOCAL else ():
        print(f"Note: {shortfall}.")


def _print_table(target: Target, found: dict[str, Any], selected: Sequence[str]) -> None:
    table = Table(
        title=f"{target.stack.file.name} ({found['target']}, profile {found['profile']})", title_justify="left"
    )
    for column in ("component", "version", "state", "address", "checks", "seconds"):
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
            table.add_row(entry["name"], entry["version"], entry["state"], address, checks, f"{took:.1f}")
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
