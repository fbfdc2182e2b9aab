"""`doctor`, and the second part of the preflight, which knows the components."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from bootstrap import environments, preflight
from bootstrap.cache import shown, size_of
from bootstrap.place import make_target
from data_platform.checks.run import arguments as check_arguments
from data_platform.clients.supervisor import ALIVE
from data_platform.stack.definition import Job, Process
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import LOCAL
from data_platform.targets.local import confine, mark, ports
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.privileges import unprivileged_prefix
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget


def refuse_unfit(target: LocalTarget, selected: Sequence[str]) -> None:
    """Refuse what would fail later: a check with wrong arguments, a port that others hold, a machine with too little.

    Writes nothing.

    Raises:
        PlatformError: names all of it and what to do.
    """
    for item in target.stack.components.values():
        for check in item.component.all_checks:
            check_arguments(item.name, check)
    _refuse_lacks(target, selected)
    running = {name for name in target.stack.components if ALIVE & set(target.processes(name).values())}
    if not running:
        needed = sum(target.stack.components[name].component.resources.memory_mib for name in selected) / 1024
        available = preflight.available_memory_gib()
        if needed > available:
            raise PlatformError(
                f"the components need {needed:.1f} GiB of memory, {available:.1f} GiB are available",
                "stop other programs, or use --only to bring up fewer components",
            )
    chosen = ports.choose(target.stack, target.state, target.cache, keep=False)
    ports.refuse_taken(target.stack, chosen, running | orphans(target))


def _refuse_lacks(target: LocalTarget, selected: Sequence[str]) -> None:
    """What single components need of the machine."""
    items = [target.stack.components[name] for name in selected]
    files = max((item.component.resources.open_files for item in items), default=0)
    if lacks := preflight.too_few_open_files(files):
        raise PlatformError(lacks[0].what, lacks[0].remedy)
    signs = sorted({sign for sign in str(target.state.folder) if not sign.isascii()})
    if signs and (strict := [item.name for item in items if item.component.resources.ascii_path]):
        raise PlatformError(
            f"the path of the state folder ({target.state.folder}) holds {' '.join(map(repr, signs))}, and"
            f" {', '.join(strict)} does not start from there",
            "choose a place without accents: --state DIR",
        )
    for item in items:
        programs: dict[str, Job | Process] = {**item.definition.jobs, **item.definition.processes}
        for name, spec in programs.items():
            if spec.unprivileged:
                unprivileged_prefix(target.state.folder, target.cache)
            outside = [path for path in spec.writes if path.startswith("/")]
            if missing := [path for path in outside if not os.access(path, os.W_OK | os.X_OK)]:
                raise PlatformError(
                    f"{item.name}.{name} writes to {missing[0]}, which is not there or may not be written to",
                    "mount it (in a container: --shm-size for /dev/shm), or open it to this user",
                )


def orphans(target: LocalTarget) -> set[str]:
    """Components with servers, or children of killed ones, that run without a supervisor; `up` ends them first."""
    from data_platform.targets.local.launch import is_of, runs
    from data_platform.targets.local.state import read_json

    found = set()
    for record in (target.state.run / "started").glob("*.json"):
        started = read_json(record)
        if started and is_of(started, record) and runs(started):
            found.add(record.name.partition(".")[0])
    return found


def notes(target: LocalTarget) -> list[str]:
    """What is worth knowing of a machine: what it cannot confine, and what the platform takes of its disk."""
    sizes = ((size_of(place), place) for place in (target.state.folder, target.cache))
    on_disk = ", ".join(f"{shown(size)} in {place}" for size, place in sizes)
    return [*(f"Note: {shortfall}." for shortfall in confine.shortfalls()), f"On the disk: {on_disk}."]


def doctor(arguments: argparse.Namespace) -> int:
    """Say what is missing on this machine; 0 when nothing is. Makes no state folder."""
    found = preflight.problems(arguments.state, cache_folder(), cached=True)
    if found:
        preflight.report(found)
        return 1
    state = State(arguments.state)
    if mark.examine(state).kind is not mark.Kind.NEW:
        mark.require(state, looks=True)
    settings = environments.asked(state.folder, state.settings(), arguments, None)
    if settings.get("target", LOCAL) != LOCAL:
        raise PlatformError(
            f"{state.folder} holds a platform on {settings['target']}, and doctor looks at what runs on this machine",
            "use --state with another folder; for a cluster, `up` says what it lacks",
        )
    target = make_target(state.folder, settings)
    refuse_unfit(target, tuple(target.stack.components))
    for note in notes(target):
        print(note)
    print(f"This machine is ready: {len(target.stack.components)} components, state in {target.state.folder}.")
    return 0
