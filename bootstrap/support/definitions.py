"""What was asked for: versions, digests, definitions, settings. Nothing here asks a server."""

from __future__ import annotations

import os
import platform
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootstrap import capacity, folders
from bootstrap.arguments import ROOT
from bootstrap.promote import commit
from bootstrap.support.archive import Entry, as_json
from bootstrap.support.scene import Scene, ended
from data_platform import promotion
from data_platform.clients.commands import run
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.local import artifacts
from data_platform.targets.local.cache import cache_folder

#: Files of a component's folder that say what it is.
_OF_COMPONENT = ("component.yaml", "local.yaml", "kubernetes.yaml")
_OF_STACK = ("stack.yaml", "toolchains.yaml")
_GIT_SECONDS = 30.0


def versions(scene: Scene) -> Iterator[Entry]:
    """Versions of the platform, of the machine, and of each component with digests of all that it is made of.

    Raises:
        PlatformError: the definition is wrong, or git fails.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield Entry("versions/machine.json", "release, system, Python, what is free", as_json(_machine(project["version"])))
    stack = scene.stack()
    images = scene.state.settings().get("images") or {}
    digests = promotion.digests(stack)
    found = {
        name: {
            "version": item.component.version,
            "definition": digests[name],
            **({"image": images.get(name, "not built yet")} if _has_image(item) else {}),
            **({} if scene.is_on_cluster else {"artifacts": _artifacts(stack, name)}),
        }
        for name, item in stack.components.items()
    }
    yield Entry("versions/components.json", "versions and digests of the components", as_json(found))
    yield Entry("versions/commit.txt", "the checkout's commit, and its files that differ from it", _checkout())


def _machine(release: str) -> dict[str, Any]:
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        system = "unknown"
    return {
        "release": release,
        "system": system,
        "kernel": f"{platform.release()} {platform.version()}",
        "processor": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "processors": capacity.cores(),
        "memory_available_gib": round(capacity.memory_gib(), 2),
        "threads_left": capacity.tasks_left(),
        "python": sys.version,
        "environment": Path(sys.prefix).name,
        "is_root": os.geteuid() == 0,
    }


def _has_image(item: Loaded) -> bool:
    return item.kubernetes is not None and item.kubernetes.image is not None


def _artifacts(stack: Stack, component: str) -> Mapping[str, Any]:
    placed = artifacts.place(stack, component, cache_folder())
    return {name: {"digest": each.digest, "is_there": each.is_there} for name, each in placed.items()}


def _checkout() -> str:
    if not (found := commit(ROOT)):
        return "no git\n"
    # Where files were changed by hand, their names; the contents of definitions are in this archive.
    changed = run(
        ["git", "status", "--short"],
        doing="git status",
        remedy="run it as the owner of the checkout",
        seconds=_GIT_SECONDS,
        folder=ROOT,
    )
    return f"{found}\n{changed}"


def definitions(scene: Scene) -> Iterator[Entry]:
    """Files of the stack and of the components, as they are; settings and ports of the platform.

    Raises:
        PlatformError: some of them cannot be read.
    """
    failed = []
    files = [ROOT / "stack" / name for name in _OF_STACK]
    files += sorted(path for name in _OF_COMPONENT for path in ROOT.glob(f"stack/components/*/*/{name}"))
    found = [(f"definitions/{path.relative_to(ROOT)}", "as it is in the checkout", path) for path in files]
    asked_for, ports = scene.state.settings_file, scene.state.ports_file
    found += [("definitions/settings.json", "what `up` was asked for", asked_for)] if asked_for.exists() else []
    found += [("definitions/ports.json", "ports on this machine", ports)] if ports.exists() else []
    if asked := getattr(scene.arguments, "environment", None):
        # Where the platform is there already, its settings say the same.
        file = folders.environment_file(ROOT, asked)
        found += [("definitions/environment.yaml", "what the environment says", file)] if file.exists() else []
    for name, what, path in found:
        try:
            yield Entry(name, what, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            failed.append(f"{path}: {error}")
    ended(failed, "see that it can be read by who runs this")
