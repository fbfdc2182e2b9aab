"""The target that a command line speaks of."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bootstrap.arguments import ROOT
from data_platform.clients.airflow import Airflow
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE, KUBERNETES, LOCAL, load_stack
from data_platform.targets.base import Target
from data_platform.targets.local import mark
from data_platform.targets.local.state import State, write_private
from data_platform.targets.local.target import LocalTarget

#: What these verbs say of a platform they read, and write nothing for it.
_LOOK = ("status", "logs")


def open_target(arguments: argparse.Namespace) -> Target:
    """The target of an existing state folder.

    Raises:
        PlatformError: nothing was ever brought up there, or it is another user's, or a copy.
    """
    state = mark.require(State(arguments.state), looks=getattr(arguments, "verb", "") in _LOOK)
    if not state.settings_file.exists():
        raise PlatformError(f"there is no platform in {state.folder}", "run: python3 -m bootstrap up")
    settings = state.settings()
    if settings.get("target") == KUBERNETES:
        from bootstrap import on_cluster

        return on_cluster.open_target(settings, mark.platform_of(state))
    return LocalTarget(load_stack(ROOT, settings["profile"]), state)


def make_target(state_folder: Path, profile: str | None) -> LocalTarget:
    """The target of a new or existing state folder. Writes nothing: `remember` does, when all was found fit.

    Raises:
        PlatformError: another profile is in use there.
    """
    state = State(state_folder)
    if (place := state.settings().get("target", LOCAL)) != LOCAL:
        raise PlatformError(
            f"{state.folder} holds a platform on {place}", f"use --target {place}, or --state with another folder"
        )
    used = state.settings().get("profile")
    if used and profile and used != profile:
        raise PlatformError(
            f"{state.folder} was brought up with the profile {used!r}, not {profile!r}, and its data lies there",
            f"use --state with another folder for {profile!r}, or --profile {used}",
        )
    return LocalTarget(load_stack(ROOT, profile or used or DEFAULT_PROFILE), state)


def remember(target: LocalTarget) -> None:
    """Bind the state folder to its profile; with that it is a platform that the other verbs can open."""
    if target.state.settings().get("profile") != target.stack.profile:
        settings = {"target": target.name, "profile": target.stack.profile}
        write_private(target.state.settings_file, json.dumps(settings) + "\n")


def connect(target: Target) -> Airflow:
    """A client of the platform's Airflow."""
    login = target.credentials("airflow")
    return Airflow(target.address("airflow", "api").url, login["username"], login["password"])
