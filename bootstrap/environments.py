"""Environments as the command line sees them: which one is meant, and what it says over what was remembered."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bootstrap import folders
from bootstrap.arguments import ROOT
from data_platform.stack.environment import Environment
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE, KUBERNETES, load_stack, parse
from data_platform.stack.stack import Stack

DEFAULT_SIZE = "small"
#: What cannot be changed of a platform that is there: its data lies there, or was cut to it.
_FIXED = ("target", "profile", "context", "size", "storage_class", "capabilities")
_OPTIONS = frozenset({"target", "profile", "context", "size", "registry"})


class Given(NamedTuple):
    """An environment with its name."""

    name: str
    environment: Environment


def load(text: str) -> Given:
    """The environment of that name, or of that file.

    Raises:
        PlatformError: there is none, or it says something that no environment says.
    """
    try:
        file = folders.environment_file(ROOT, text)
    except ValueError as error:
        raise PlatformError(str(error), "correct --environment") from None
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in (ROOT / folders.ENVIRONMENTS).glob("*.yaml"))) or "none"
        raise PlatformError(
            f"there is no environment {file}",
            f"use one of {folders.ENVIRONMENTS}/ ({there}), or give the path of a file; "
            "see docs/how-to/environments.md",
        )
    return Given(file.stem, parse(Environment, file))


def given(arguments: argparse.Namespace) -> Given | None:
    """The environment that the command line names; None where it names none."""
    asked = getattr(arguments, "environment", None)
    return load(asked) if asked else None


def asked(state: Path, used: Mapping[str, Any], arguments: argparse.Namespace, found: Given | None) -> dict[str, Any]:
    """What a platform is asked to be: options over the environment, over what was remembered. No defaults.

    Args:
        state: its folder, for messages.
        used: what was remembered; empty for a new platform.
        arguments: of `up`.
        found: its environment.

    Raises:
        PlatformError: what cannot be changed is asked to be otherwise than it is.
    """
    # Of an environment that is left out, all that it said is remembered.
    all_said = ("environment", "domain", "authorities", "promoted_from", "retention", "cluster_services", "values")
    remembered = {key: used[key] for key in all_said if key in used}
    said = _said(found) if found else remembered
    wanted = {key: value for key in _OPTIONS if (value := getattr(arguments, key, None))}
    if found and wanted.get("target", found.environment.target) != found.environment.target:
        raise PlatformError(
            f"the environment {found.name} is of the target {found.environment.target}, not {wanted['target']}",
            "leave --target out, or give another environment",
        )
    said |= wanted
    for key in _FIXED if used else ():
        before = used.get(key) or _unsaid(key)
        if key in said and before is not None and said[key] != before:
            raise PlatformError(
                f"{state} was brought up with the {key.replace('_', ' ')} {_shown(before)}, not {_shown(said[key])}, "
                "and its data lies there",
                f"use --state with another folder for {_shown(said[key])}, or {_back(key, before, found)}",
            )
    kept = {key: used[key] for key in (*_FIXED, "registry", "kubeconfig") if used.get(key)}
    return kept | said


def _said(found: Given) -> dict[str, Any]:
    """What an environment says; of what has no option, that it says nothing too."""
    said = found.environment.model_dump(exclude_none=True, exclude={"summary"})
    said |= {key: str(Path(said[key]).expanduser()) for key in ("kubeconfig", "authorities") if key in said}
    return {key: value for key, value in said.items() if value or key == "capabilities"} | {"environment": found.name}


def _unsaid(key: str) -> Any:
    """What a platform is that does not remember it; None where that is not fixed."""
    return {"target": folders.LOCAL, "capabilities": {}, "storage_class": ""}.get(key)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in value.items()) or "of its profile"
    return repr(value) if value else "of the cluster"


def _back(key: str, before: Any, found: Given | None) -> str:
    if key in _OPTIONS:
        return f"--{key} {before}"
    return f"put it back in the environment {found.name}" if found else "leave it as it is"


def stack_of(settings: Mapping[str, Any]) -> Stack:
    """The stack of a platform that was asked to be so; what is not said has its default."""
    return load_stack(
        ROOT,
        settings.get("profile", DEFAULT_PROFILE),
        settings.get("target", folders.LOCAL),
        settings.get("capabilities"),
        settings.get("values"),
        cluster_services=settings.get("cluster_services"),
    )


def settings_of(found: Given) -> dict[str, Any]:
    """What a new platform of an environment would be, with defaults."""
    wanted = _said(found)
    defaults = {"profile": DEFAULT_PROFILE} | ({"size": DEFAULT_SIZE} if wanted["target"] == KUBERNETES else {})
    return defaults | wanted
