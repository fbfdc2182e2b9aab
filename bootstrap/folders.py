"""Which state folder is meant where none is named. Standard library only.

One rule for every verb: an environment has a folder of its own, `local` and `kubernetes` have one each, and where no
target is said, `local` is meant unless the checkout holds a platform on Kubernetes alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

#: As in data_platform.stack.load, which needs more than the standard library.
LOCAL, KUBERNETES = "local", "kubernetes"
TARGETS = (LOCAL, KUBERNETES)
#: Default state folders, below the checkout. Each begins with the first one's name.
_LOCAL = ".platform"
_KUBERNETES = f"{_LOCAL}-{KUBERNETES}"
#: Where environments are that are named, and not given as a path.
ENVIRONMENTS, _SUFFIX = "environments", ".yaml"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Found(NamedTuple):
    """A platform in a default state folder.

    Attributes:
        folder: its state folder.
        target: where it runs.
        asked: options of the command line that mean it.
    """

    folder: Path
    target: str
    asked: str


def environment_file(root: Path, text: str) -> Path:
    """The file of an environment: a name is one of `environments/`, everything else a path.

    Args:
        root: the checkout.
        text: of the command line.

    Raises:
        ValueError: it cannot be the name of an environment; says why.
    """
    is_path = "/" in text or text.endswith(_SUFFIX)
    file = Path(text) if is_path else root / ENVIRONMENTS / f"{text}{_SUFFIX}"
    if file.suffix != _SUFFIX or not _NAME.fullmatch(file.stem):
        raise ValueError(
            f"{text!r} is no environment: give the name of a file in {ENVIRONMENTS}/, or the path of a {_SUFFIX} file "
            "elsewhere, called by lower-case letters, digits and hyphens"
        )
    if file.stem in TARGETS:
        raise ValueError(f"{text!r} is no environment: {file.stem} is a target; give the file another name")
    return file


def default(root: Path, target: str | None = None, environment: str | None = None) -> Path:
    """The state folder that a verb means.

    Args:
        root: the checkout.
        target: the one that was said.
        environment: name of the one that was said.
    """
    if environment:
        return root / f"{_LOCAL}-{environment}"
    local, kubernetes = root / _LOCAL, root / _KUBERNETES
    if target == KUBERNETES:
        return local if _was_on_kubernetes(local) else kubernetes
    if target is None and _target_of(local) is None and _target_of(kubernetes) is not None:
        return kubernetes
    return local


def of_cluster(root: Path, environment: str | None = None) -> Path:
    """The state folder whose test cluster is meant."""
    local = root / _LOCAL
    if environment is None and _has_cluster(local) and not _has_cluster(root / _KUBERNETES):
        return local
    return default(root, KUBERNETES, environment)


def others(root: Path, state: Path) -> list[Found]:
    """Platforms in default state folders of the checkout, beside one that is such a folder itself, or would be."""
    if state.parent != root.resolve() or not f"{state.name}-".startswith(f"{_LOCAL}-"):
        return []
    folders = sorted([root / _LOCAL, *root.glob(f"{_LOCAL}-*")])
    return [
        Found(path, target, _asked(path, target))
        for path in folders
        if path.resolve() != state and (target := _target_of(path)) is not None
    ]


def _asked(folder: Path, target: str) -> str:
    if folder.name in (_LOCAL, _KUBERNETES):
        return f"--target {target}"
    return f"--environment {folder.name.removeprefix(f'{_LOCAL}-')}"


def _settings(folder: Path) -> dict[str, object] | None:
    try:
        found = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        # Not to be read, or damaged: who opens it says so.
        return {}
    return found if isinstance(found, dict) else {}


def _target_of(folder: Path) -> str | None:
    """Where the platform of a state folder runs; None where there is none."""
    found = _settings(folder)
    return None if found is None else str(found.get("target", LOCAL))


def _has_cluster(folder: Path) -> bool:
    return (folder / "cluster" / "machine.json").exists()


def _was_on_kubernetes(local: Path) -> bool:
    """Whether an earlier version, which had one folder for both, put a platform on Kubernetes there, or its cluster."""
    target = _target_of(local)
    return target == KUBERNETES or (target is None and _has_cluster(local))
