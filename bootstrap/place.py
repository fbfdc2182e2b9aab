"""The target that a command line speaks of."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import environments, folders
from bootstrap.arguments import ROOT
from data_platform.clients import connect as clients
from data_platform.clients.airflow import Airflow
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, LOCAL
from data_platform.targets.base import Target
from data_platform.targets.local import mark
from data_platform.targets.local.state import State, write_private
from data_platform.targets.local.target import LocalTarget

#: What these verbs say of a platform they read, and write nothing for it.
_LOOK = ("status", "logs", "support")


def open_target(arguments: argparse.Namespace) -> Target:
    """The target of an existing state folder.

    Raises:
        PlatformError: nothing was ever brought up there, or it is another user's, or a copy, or of another target.
    """
    state = State(arguments.state)
    if mark.examine(state).kind is not mark.Kind.NEW:
        state = mark.require(state, looks=getattr(arguments, "verb", "") in _LOOK)
    if not state.settings_file.exists():
        others = ", ".join(other.asked for other in folders.others(ROOT, state.folder))
        raise PlatformError(
            f"there is no platform in {state.folder}",
            (f"say which one is meant ({others}), or make one" if others else "make one")
            + ": python3 -m bootstrap up, with the same options",
        )
    settings = state.settings()
    refuse_another_target(state, settings, arguments)
    if settings.get("target") == KUBERNETES:
        from bootstrap import on_cluster

        return on_cluster.open_target(settings, mark.platform_of(state))
    return LocalTarget(environments.stack_of(settings), state, settings)


def refuse_another_target(state: State, settings: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """A target that was said, and a state folder that holds a platform of another one.

    Raises:
        PlatformError: nothing was done.
    """
    asked, found = getattr(arguments, "target", None), settings.get("target", LOCAL)
    if asked not in (None, found):
        raise PlatformError(
            f"the platform in {state.folder} is of the target {found}, not {asked}; nothing was done",
            "leave --target out, or give its state folder with --state",
        )


def make_target(state_folder: Path, settings: Mapping[str, Any]) -> LocalTarget:
    """The target of a new or existing state folder. Writes nothing: `remember` does, when all was found fit.

    Args:
        state_folder: where.
        settings: what it is asked to be (environments.asked); nothing for a default platform.

    Raises:
        PlatformError: there is no such profile, component, …
    """
    return LocalTarget(environments.stack_of(settings), State(state_folder), settings)


def remember(target: LocalTarget, settings: Mapping[str, Any]) -> None:
    """Bind the state folder to what was asked; with that it is a platform that the other verbs can open."""
    told = {"target": target.name, "profile": target.stack.profile}
    told |= {key: value for key, value in settings.items() if value and key not in told}
    if target.state.settings() != told:
        write_private(target.state.settings_file, json.dumps(told) + "\n")


def mention_others(state: State) -> None:
    """Say which other platforms this checkout holds in its default state folders."""
    for other in folders.others(ROOT, state.folder):
        print(f"Another platform, on {other.target}, is in {other.folder}: say {other.asked} to mean it.")


def connect(target: Target) -> Airflow:
    """A client of the platform's Airflow."""
    return clients.airflow(target)
