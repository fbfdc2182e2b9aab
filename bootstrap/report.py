"""`status`, `check`, `logs`, and the table at the end of `up`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bootstrap.place import open_target
from data_platform import lifecycle
from data_platform.checks import history
from data_platform.targets.pages import page_of
from data_platform.targets.local.target import LocalTarget

_RUNNING = "RUNNING"


def describe(target: LocalTarget) -> dict[str, Any]:
    """What `status --json` says."""
    try:
        kept = history.latest(target)
    except Exception:  # noqa: BLE001 - without the database there are no results to show, and the states say why
        kept = []
    components = []
    for name, item in target.stack.components.items():
        components.append(
            {
                "name": name,
                "namespace": item.component.namespace,
                "version": item.component.version,
                "state": state_of(target, name),
                "endpoints": {e: target.address(name, e).url for e in item.component.endpoints},
                "checks": [
                    {"name": r.name, "status": r.status, "seconds": r.seconds, "evidence": r.evidence, "at": r.at.isoformat()}
                    for r in kept
                    if r.component == name and r.name in {check.name for check in item.component.checks}
                ],
            }
        )
    return {
        "target": target.name,
        "profile": target.stack.profile,
        "airflow": {"url": target.address("airflow", "api").url},
        "components": components,
        "credentials_file": str(target.state.credentials_file),
    }


def state_of(target: LocalTarget, component: str) -> str:
    """One word for a component: running, starting, stopped, failed, installed (no process of its own), absent."""
    item = target.stack.components[component]
    states = target.processes(component)
    if not item.local.processes:
        there = {(s.kind, s.name) for s in target.observe(component)}
        wanted = {(r.kind, r.name) for r in target.wanted(component)}
        return "installed" if wanted <= there else "absent"
    if not states:
        return "absent" if not (target.state.run / "launch" / f"{component}.{next(iter(item.local.processes))}.json").exists() else "stopped"
    if set(item.local.processes) <= {name for name, state in states.items() if state == _RUNNING}:
        return "running"
    if any(state in ("FATAL", "EXITED") for state in states.values()):
        return "failed"
    return "starting" if any(state in ("STARTING", "BACKOFF") for state in states.values()) else "stopped"


def status(arguments: argparse.Namespace) -> int:
    """Show the platform; 0 when every component is there and no newest check failed."""
    target = open_target(arguments)
    found = describe(target)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        _print_table(target, found, [c["name"] for c in found["components"]])
    healthy = all(
        c["state"] in ("running", "installed") and all(check["status"] != "failed" for check in c["checks"])
        for c in found["components"]
    )
    return 0 if healthy else 1


def print_summary(target: LocalTarget, selected: Sequence[str], seconds: float) -> None:
    """The table at the end of `up`."""
    found = describe(target)
    _print_table(target, found, selected)
    console = Console(highlight=False)
    console.print(f"{seconds:.0f} s. Airflow: [bold]{found['airflow']['url']}[/]", soft_wrap=True)
    console.print(f"Credentials: {found['credentials_file']}", soft_wrap=True)


def _print_table(target: LocalTarget, found: dict[str, Any], selected: Sequence[str]) -> None:
    table = Table(title=f"{target.stack.file.name} ({found['target']}, profile {found['profile']})", title_justify="left")
    for column in ("component", "version", "state", "address", "checks", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
    for entry in found["components"]:
        if entry["name"] in selected:
            address = page_of(target, entry["name"]) or next(iter(entry["endpoints"].values()), "")
            passed = sum(check["status"] == "passed" for check in entry["checks"])
            total = len(target.stack.components[entry["name"]].component.checks)
            failed = [check["name"] for check in entry["checks"] if check["status"] == "failed"]
            checks = f"[red]failed: {', '.join(failed)}[/]" if failed else f"{passed} of {total} passed"
            took = sum(check["seconds"] for check in entry["checks"])
            table.add_row(entry["name"], entry["version"], entry["state"], address, checks, f"{took:.1f}")
    Console(highlight=False).print(table)


def check(arguments: argparse.Namespace) -> int:
    """Run checks now; 0 when none failed."""
    target = open_target(arguments)
    console = Console(highlight=False)
    names = [target.stack.resolve(name) for name in arguments.components] or list(target.stack.components)
    failed = 0
    for name in names:
        try:
            results = lifecycle.verify(target, name, "hand")
        except Exception:  # noqa: BLE001 - PostgreSQL may be what is broken; the result is shown all the same
            results = lifecycle.verify(target, name, "hand", keep=False)
        for result in results:
            colour = {"passed": "green", "failed": "red", "skipped": "yellow"}[result.status]
            console.print(f"[{colour}]{result.status}[/]  {name}  {result.name}  {result.seconds:.2f} s", soft_wrap=True)
            console.print(f"        {result.evidence}", markup=False, style="dim", soft_wrap=True)
            failed += result.status == "failed"
    return 1 if failed else 0


def logs(arguments: argparse.Namespace) -> int:
    """Show the last lines of a component's logs."""
    target = open_target(arguments)
    print(target.logs(target.stack.resolve(arguments.component), arguments.lines))
    return 0
