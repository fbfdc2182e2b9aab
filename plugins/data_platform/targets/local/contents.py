"""What a platform made in its state folder, what a person put there, and the removal of the first.

Removed is what can be listed: the names that `State` makes. Everything else stays, and is told.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import DATA, ETC, FILES, FOLDERS, LANDING, LAUNCHES, LOGS, MARK, RUN, TMP, State

#: A file that was being written when its writer was killed (`write_private`, or a copy into a landing folder).
_DRAFT = re.compile(r"\.(?:" + "|".join(map(re.escape, FILES)) + r")\.\d+\.[0-9a-f]{8}")
_LANDING_DRAFT = re.compile(r"\..+\.part")
#: Deeper down is what was set aside, drafts of other people too; only the names that we give are ours there.
_OUR_DRAFT = re.compile(r"\.[0-9a-f-]{32,36}\.part")
_MOUNTS = Path("/proc/self/mountinfo")


class Contents(NamedTuple):
    """Entries of a state folder.

    Attributes:
        ours: made by the platform, in the order in which they are to go.
        others: what a person put there, files that wait in a landing folder too.
        cluster: the folder of a test cluster, which has a verb of its own; None where there is none.
    """

    ours: tuple[Path, ...]
    others: tuple[Path, ...]
    cluster: Path | None


def read(state: State, components: Iterable[str] = ()) -> Contents:
    """Look what is in a state folder.

    Args:
        state: the state folder.
        components: names whose folders below `data/` and `etc/` are the platform's, beside those that it remembers.
    """
    ours, others = _of_components(state, {*components, *_remembered(state)})
    waiting, drafts = _landing(state.folder / LANDING)
    ours, others = [*ours, *drafts], [*others, *waiting]
    for name in (TMP, LOGS, RUN):
        path = state.folder / name
        if path.is_symlink() or path.is_file():
            others.append(path)
        elif path.exists():
            ours.append(path)
    for path in sorted(state.folder.iterdir()):
        if path.name in FILES or _DRAFT.fullmatch(path.name):
            (others if path.is_dir() and not path.is_symlink() else ours).append(path)
        elif path.name not in FOLDERS:
            others.append(path)
    cluster = state.cluster if (state.cluster / "machine.json").exists() else None
    if cluster is None and (state.cluster.exists() or state.cluster.is_symlink()):
        others.append(state.cluster)
    return Contents(tuple(sorted(ours, key=lambda path: path.name == MARK)), tuple(others), cluster)


def _remembered(state: State) -> set[str]:
    """Components whose processes and jobs were described here, or that have data and configuration."""
    found = {path.name.partition(".")[0] for name in LAUNCHES for path in (state.run / name).glob("*.json")}
    data, etc = ({path.name for path in (state.folder / name).glob("*") if path.is_dir()} for name in (DATA, ETC))
    return found | (data & etc)


def _of_components(state: State, components: set[str]) -> tuple[list[Path], list[Path]]:
    ours: list[Path] = []
    others: list[Path] = []
    for folder in (state.folder / DATA, state.folder / ETC):
        if folder.is_symlink() or folder.is_file():
            others.append(folder)
            continue
        for path in sorted(folder.glob("*")):
            is_ours = path.name in components and path.is_dir() and not path.is_symlink()
            (ours if is_ours else others).append(path)
    return ours, others


def _landing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files that wait in the landing folders, and drafts of our own."""
    if folder.is_symlink() or folder.is_file():
        return [folder], []
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    drafts = [path for path in files if _is_draft(path, folder) and not path.is_symlink()]
    return [path for path in files if path not in drafts], drafts


def _is_draft(path: Path, folder: Path) -> bool:
    form = _LANDING_DRAFT if path.parent.parent == folder else _OUR_DRAFT
    return form.fullmatch(path.name) is not None


def refuse_mounts(state: State, mounts: str | None = None) -> None:
    """What is mounted inside a state folder is not the platform's to empty.

    Args:
        state: the state folder.
        mounts: text of /proc/self/mountinfo, for tests.

    Raises:
        PlatformError: names what is mounted there.
    """
    lines = (_MOUNTS.read_text(encoding="utf-8") if mounts is None else mounts).splitlines()
    points = [Path(_unescaped(line.split()[4])) for line in lines]
    if inside := sorted(str(point) for point in points if state.folder in point.parents):
        raise PlatformError(f"mounted inside of {state.folder}: {', '.join(inside)}", "unmount it, then run it again")


def _unescaped(text: str) -> str:
    """A path as mountinfo writes it: space, tab, newline and backslash are octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def remove(state: State, contents: Contents) -> None:
    """Remove what is the platform's, then each folder of it that is empty; never what a link leads to.

    The mark goes last, so a removal that was interrupted can be repeated. It stays as long as there is a test cluster.
    """
    for path in contents.ours:
        if path.name == MARK and contents.cluster is not None:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    landing = state.folder / LANDING
    if landing.is_dir() and not landing.is_symlink():
        for folder in sorted((p for p in landing.rglob("*") if p.is_dir() and not p.is_symlink()), reverse=True):
            _remove_empty(folder)
    for folder in (landing, state.folder / DATA, state.folder / ETC, state.folder):
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    """Remove a folder with nothing in it; a link stays, and so does the mount point of a volume."""
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()) and not folder.is_mount():
        folder.rmdir()
