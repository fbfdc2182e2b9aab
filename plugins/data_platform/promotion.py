"""Promotion: what one environment has proven is what the next one deploys.

A component's *definition* here is what a checkout says of it: its folder, the library chart, its toolchains and lock
files, and the platform's own code where that is in its image. Nothing that an environment says is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from data_platform import lifecycle, summary
from data_platform.stack.definition import Kubernetes, Local
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import parse
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.stack.terms import Name, Sha256, Strict
from data_platform.targets.base import Target
from data_platform.targets.images.content import project_digest, project_files
from data_platform.targets.local.artifacts import digest_of, sha256_of

#: Of a folder, but not of what it does.
_WORDS = {".md", ".png"}
_LIBRARY = Path("stack", "charts")


class Proven(Strict):
    """One component."""

    version: str
    digest: Sha256 = Field(description="Of its definition.")
    checks: dict[str, str] = Field(min_length=1, description="When each of its checks last passed, with it.")


class Record(Strict):
    """What an environment has proven."""

    format: Literal[1] = 1
    environment: str = Field(description="Its name; empty for a platform without one.")
    platform: str = Field(description="Id of the platform.")
    target: str
    profile: str
    commit: str = Field(description="Of the checkout, for people; empty without git.")
    at: str = Field(description="When this was written, in UTC.")
    components: dict[Name, Proven] = Field(min_length=1)


def digests(stack: Stack) -> dict[str, str]:
    """Digest of each component's definition; the same for every environment of a checkout.

    Raises:
        PlatformError: a file is missing.
    """
    files = project_files(stack.root)
    code = project_digest(stack.root)
    return {name: _digest(stack, item, files, code) for name, item in stack.components.items()}


def _digest(stack: Stack, item: Loaded, files: Sequence[Path], code: str) -> str:
    # Both targets' files: the digest of `local` is that of `kubernetes`.
    local, kubernetes = item.folder / "local.yaml", item.folder / "kubernetes.yaml"
    here = parse(Local, local) if local.exists() else Local.model_validate({})
    there = parse(Kubernetes, kubernetes) if kubernetes.exists() else Kubernetes.model_validate({})
    shared = {name: stack.toolchains[name] for name in sorted({*here.toolchains, *there.toolchains})}
    folders = [item.folder, *([stack.root / _LIBRARY] if (item.folder / "chart").is_dir() else [])]
    own = {path for path in files if path.suffix not in _WORDS and any(each in path.parents for each in folders)}
    for spec in (*here.artifacts.values(), *there.artifacts.values(), *shared.values()):
        # One of its own is in its folder.
        if spec.is_shared:
            own.add(stack.root / "locks" / f"{spec.environment}.txt")
    for spec in shared.values():
        # A component's own sources are in its folder.
        places = [stack.root / "stack" / name for name in (spec.source, spec.maven_lock) if name]
        own |= {path for path in files if any(each in (path, *path.parents) for each in places)}
    said = [f"{name} {json.dumps(spec.model_dump(mode='json'), sort_keys=True)}" for name, spec in shared.items()]
    said += [code] if there.image is not None and there.image.platform else []
    return digest_of(*said, *(f"{path.relative_to(stack.root)} {_content(path)}" for path in sorted(own)))


def _content(path: Path) -> str:
    return f"-> {path.readlink()}" if path.is_symlink() else sha256_of(path)


def record(target: Target, environment: str, platform: str, commit: str, at: str) -> Record:
    """What a platform has proven: every component is as it is declared, and its checks passed lately.

    Args:
        target: the platform.
        environment: name of its environment; empty where it has none.
        platform: its id.
        commit: of the checkout.
        at: now.

    Raises:
        PlatformError: names all that is not proven.
    """
    missing = []
    for name in target.stack.components:
        observation = lifecycle.observe(target, name)
        if observation.steps:
            missing.append(f"{name} is not as declared: {observation.steps[0]}")
        elif not observation.proven:
            missing.append(f"{name}: not all of its checks passed with this definition within the last hour")
    if missing:
        raise PlatformError(
            "this platform has not proven what the checkout declares:\n" + "\n".join(f"- {each}" for each in missing),
            "run: python3 -m bootstrap up; and where nothing is to be done: python3 -m bootstrap check",
        )
    passed: dict[str, dict[str, str]] = {name: {} for name in target.stack.components}
    declared = {(n, check.name) for n, item in target.stack.components.items() for check in item.component.all_checks}
    for result in summary.latest_results(target):
        if (result.component, result.name) in declared:
            passed[result.component][result.name] = result.at.isoformat(timespec="seconds")
    found = digests(target.stack)
    return Record(
        environment=environment,
        platform=platform,
        target=target.name,
        profile=target.stack.profile,
        commit=commit,
        at=at,
        components={
            name: Proven(version=item.component.version, digest=found[name], checks=passed[name])
            for name, item in target.stack.components.items()
        },
    )


def unproven(wanted: Mapping[str, str], proven: Record) -> list[str]:
    """What is to be deployed and was not proven, in words; pure.

    Args:
        wanted: digest of each component that is to be deployed.
        proven: what the environment before has proven.
    """
    found = []
    for name, digest in wanted.items():
        if (before := proven.components.get(name)) is None:
            found.append(f"{name}: it was not deployed there")
        elif before.digest != digest:
            found.append(f"{name}: its definition there was another one (version {before.version})")
    return found


def refuse_unproven(stack: Stack, settings: Mapping[str, Any]) -> None:
    """Refuse to deploy what the environment before has not proven.

    Args:
        stack: what is to be deployed.
        settings: of the platform, with the record where there is one to hold to.

    Raises:
        PlatformError: names all of it.
    """
    if "promotion" not in settings:
        return
    record = Record.model_validate(settings["promotion"])
    if found := unproven(digests(stack), record):
        whose = record.environment or "the platform before"
        at = f" (commit {record.commit})" if record.commit else ""
        raise PlatformError(
            f"{whose}{at} has not proven what would be deployed:\n" + "\n".join(f"- {each}" for each in found),
            f"check out what {whose} has proven; or bring this checkout up there, and give its new record by --proven",
        )
