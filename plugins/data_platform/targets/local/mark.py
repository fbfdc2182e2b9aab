"""Whose a state folder is: the mark that `up` writes into it, and what stands in the way of using one.

A folder is a platform's when its mark names this very folder, this machine and this user. A copy has the mark of its
original, and its records name the original's processes; so nothing is started, stopped or removed by it.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from data_platform.stack.errors import PlatformError
from data_platform.targets.local.launch import start_of
from data_platform.targets.local.state import CLUSTER, MARK, RUN, SETTINGS, State, read_json, write_private

#: Names what is one machine (machine-id(5)). A container may have none; then a machine is not told from another.
_MACHINE_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
#: Made by the file system itself, in a volume of its own.
_NOBODYS = frozenset({"lost+found"})
_SHOWN = 5
_ANOTHER = "name its own folder with --state, or another one that is new or empty"


class Mark(NamedTuple):
    """`platform.json`.

    Attributes:
        platform: generated once; the label of all that this platform makes in a cluster.
        folder: absolute path of the state folder.
        machine: id of the machine; empty where it has none.
        owner: number of the user.
        made: when, in UTC.
    """

    platform: str
    folder: str
    machine: str
    owner: int
    made: str


class Kind(Enum):
    """What a folder is."""

    NEW = "new"
    OURS = "ours"
    #: Of a version that wrote no mark, in its own place.
    OLDER = "older"
    #: A copy, or moved here, or restored.
    ELSEWHERE = "elsewhere"
    OTHERS = "another user's"
    STRANGE = "no platform"


class Standing(NamedTuple):
    """What a folder is, and a sentence why it is not ours.

    Attributes:
        kind: what it is.
        why: empty where it is new, ours, or older.
        mark: what it bears.
        origin: the folder that it was made as; empty where unknown.
    """

    kind: Kind
    why: str = ""
    mark: Mark | None = None
    origin: str = ""


def machine() -> str:
    """Id of this machine; empty where it has none."""
    for file in _MACHINE_FILES:
        try:
            if found := file.read_text(encoding="ascii").strip():
                return found
        except OSError:
            continue
    return ""


def examine(state: State) -> Standing:
    """Look at a folder; writes nothing.

    Raises:
        PlatformError: its mark is damaged.
    """
    folder = state.folder
    if not folder.exists():
        return Standing(Kind.NEW)
    if not folder.is_dir():
        return Standing(Kind.STRANGE, f"{folder} is no folder")
    if (owner := folder.stat().st_uid) != os.geteuid():
        return Standing(Kind.OTHERS, f"{folder} belongs to {_user(owner)}, and you are {_user(os.geteuid())}")
    return _examine_marked(state) if state.mark_file.exists() else _examine_bare(state)


def _examine_marked(state: State) -> Standing:
    mark = _read(state)
    why = _elsewhere(mark, state.folder)
    return Standing(Kind.ELSEWHERE if why else Kind.OURS, why, mark, mark.folder)


def _examine_bare(state: State) -> Standing:
    names = sorted(path.name for path in state.folder.iterdir() if path.name not in _NOBODYS)
    if not names:
        return Standing(Kind.NEW)
    origin = _origin_of_older(state, names)
    if origin is None:
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        return Standing(Kind.STRANGE, f"there is no platform in {state.folder}; it holds {shown}")
    if origin != str(state.folder):
        return Standing(Kind.ELSEWHERE, f"the platform in {state.folder} was made as {origin}", None, origin)
    return Standing(Kind.OLDER, "", None, origin)


def _read(state: State) -> Mark:
    found = read_json(state.mark_file)
    try:
        return Mark(
            str(found["platform"]), str(found["folder"]), str(found["machine"]), int(found["owner"]), str(found["made"])
        )
    except (KeyError, TypeError, ValueError):
        raise PlatformError(
            f"{state.mark_file} is no mark of a platform", "restore it from a backup of the state folder"
        ) from None


def _elsewhere(mark: Mark, folder: Path) -> str:
    if mark.folder != str(folder):
        return f"the platform in {folder} was made as {mark.folder}: this is a copy of it, or it was moved here"
    if mark.machine and (here := machine()) and mark.machine != here:
        return f"the platform in {folder} was made on another machine (its id is {mark.machine}, here it is {here})"
    if mark.owner != os.geteuid():
        return f"the platform in {folder} was made by {_user(mark.owner)}, and you are {_user(os.geteuid())}"
    return ""


def _user(number: int) -> str:
    try:
        return f"{pwd.getpwuid(number).pw_name} (user {number})"
    except KeyError:
        return f"user {number}"


def _origin_of_older(state: State, names: list[str]) -> str | None:
    """Which folder an earlier version, that wrote no mark, made this as; None where none did."""
    try:
        lines = (state.run / "supervisord.conf").read_text(encoding="utf-8").splitlines()
        pid_file = next(line.removeprefix("pidfile=") for line in lines if line.startswith("pidfile="))
        return str(Path(pid_file.replace("%%", "%")).parents[1])
    except (OSError, StopIteration, IndexError):
        pass
    settings, record = _read_or_nothing(state.settings_file), _read_or_nothing(state.cluster / "machine.json")
    is_platform = isinstance(settings.get("profile"), str) and settings.get("target") in (None, "local", "kubernetes")
    if is_platform and (state.run.is_dir() or names == [SETTINGS]):
        return str(state.folder)
    if {"id", "group", "link"} <= record.keys() and {RUN, CLUSTER}.issuperset(names):
        # The id of a test cluster comes from its path.
        return str(state.folder) if record["id"] == State(state.cluster).id else "another folder"
    # An `up` that was refused, or killed, before it had made anything.
    if names == [RUN] and [path.name for path in state.run.iterdir()] == ["up.lock"]:
        return str(state.folder)
    return None


def _read_or_nothing(path: Path) -> dict[str, object]:
    try:
        return read_json(path)
    except (OSError, PlatformError):
        return {}


def require(state: State, *, looks: bool = False) -> State:
    """The state folder of a platform that the caller may use.

    Args:
        state: the state folder.
        looks: whether the caller only looks; the folder may then be another user's, and nothing is written there.

    Returns:
        The same; one that cannot be written to when it is another user's.

    Raises:
        PlatformError: there is no platform, or it is not the caller's, or this is a copy.
    """
    found = examine(state)
    match found.kind:
        case Kind.OURS | Kind.OLDER:
            return state
        case Kind.NEW:
            raise PlatformError(f"there is no platform in {state.folder}", "run: python3 -m bootstrap up")
        case Kind.OTHERS if looks and state.settings_file.exists():
            return State(state.folder, looks=True)
        case Kind.OTHERS:
            raise PlatformError(found.why, "run it as its owner, or use --state with a folder of your own")
        case Kind.ELSEWHERE:
            raise PlatformError(
                f"{found.why}; nothing was done",
                f"{_ANOTHER}; to go on with this one, when its original is gone: python3 -m bootstrap up --adopt",
            )
        case _:
            raise PlatformError(found.why, "name the state folder of a platform with --state")


def platform_of(state: State) -> str:
    """Id of the platform in a folder that `require` has accepted; empty where it is of a version without marks."""
    return _read(state).platform if state.mark_file.exists() else ""


def refuse_unclaimable(state: State, *, adopt: bool = False) -> None:
    """What `claim` would refuse; writes nothing.

    Raises:
        PlatformError: see `claim`.
    """
    found = examine(state)
    if found.kind is Kind.OTHERS:
        raise PlatformError(found.why, "run it as its owner, or use --state with a folder of your own")
    if found.kind is Kind.STRANGE:
        raise PlatformError(f"{found.why}; nothing was written", "name a folder that is new or empty with --state")
    if found.kind is Kind.ELSEWHERE:
        if not adopt:
            raise PlatformError(
                f"{found.why}; nothing was done",
                f"move it back, or {_ANOTHER}; when the original is gone for good, take this one over: --adopt",
            )
        _refuse_while_elsewhere(state, found)


def _refuse_while_elsewhere(state: State, found: Standing) -> None:
    """One platform is in one folder, and what was started from another one is stopped there."""
    origin = Path(found.origin)
    if origin != state.folder and _is_there(origin, found.mark):
        raise PlatformError(
            f"{found.why}, and {origin} is still there: one platform cannot be in two folders",
            f"use --state {origin}, or remove that one first; for a second platform name a new folder",
        )
    if (state.cluster / "machine.json").exists() and (found.mark is None or found.mark.machine == machine()):
        raise PlatformError(
            f"{found.why}, with a test cluster",
            f"move it back to {origin}, end the cluster there (python3 -m bootstrap cluster down), then move it again",
        )
    if running := runs(state, origin):
        raise PlatformError(
            f"{found.why}, and its servers still run: {', '.join(running)}",
            f"move it back to {origin} and stop it there: python3 -m bootstrap down --state {origin}",
        )


def _is_there(origin: Path, mark: Mark | None) -> bool:
    """Whether the original of a copy can be seen."""
    there = State(origin)
    if mark is None:
        return there.settings_file.exists()
    found = _read_or_nothing(there.mark_file)
    return found.get("platform") == mark.platform and found.get("folder") == str(origin)


def runs(state: State, origin: Path) -> list[str]:
    """Names of what runs of a platform that was started when its folder was called `origin`."""
    found = []
    with_conf = os.fsencode(origin / RUN / "supervisord.conf")
    try:
        pid = int((state.run / "supervisord.pid").read_text(encoding="ascii"))
        if with_conf in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            found.append(f"supervisor (pid {pid})")
    except (OSError, ValueError):
        pass
    for path in sorted((state.run / "started").glob("*.json")):
        record = _read_or_nothing(path)
        number = record.get("pid")
        if isinstance(number, int) and record.get("start") and start_of(number) == record["start"]:
            found.append(f"{path.stem} (pid {number})")
    return found


def claim(state: State, *, adopt: bool = False) -> Mark:
    """Have the folder bear this platform's mark; to be called under the lock of `up`.

    A new or empty folder gets one, and so does a platform of a version without marks, in its own place.

    Args:
        state: the state folder.
        adopt: take over a platform that was moved or restored here, with its id; what it knows of processes goes, for
            they are not of this place.

    Raises:
        PlatformError: the folder holds something else, is another user's, or is a copy of a platform that is there.
    """
    refuse_unclaimable(state, adopt=adopt)
    found = examine(state)
    if found.kind is Kind.OURS and found.mark is not None:
        return found.mark
    if found.kind is Kind.ELSEWHERE:
        for name in ("launch", "programs", "started"):
            shutil.rmtree(state.run / name, ignore_errors=True)
        for name in ("supervisord.conf", "supervisord.pid", "supervisor.sock"):
            (state.run / name).unlink(missing_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    platform = found.mark.platform if found.mark else secrets.token_hex(8)
    mark = Mark(platform, str(state.folder), machine(), os.geteuid(), now)
    write_private(state.folder / MARK, json.dumps(mark._asdict(), indent=2) + "\n")
    return mark
