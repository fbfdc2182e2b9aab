"""`proven`, and what `up` asks of an environment that is promoted from another one."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bootstrap.arguments import ROOT
from bootstrap.place import open_target
from data_platform import promotion
from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError
from data_platform.targets.local import mark
from data_platform.targets.local.state import State

_GIT_SECONDS = 60.0


def proven(arguments: argparse.Namespace) -> int:
    """Print the record of what this platform has proven.

    Raises:
        PlatformError: it has not proven all of it.
    """
    with closing(open_target(arguments)) as target:
        state = State(arguments.state)
        name, now = str(state.settings().get("environment", "")), datetime.now(UTC).isoformat(timespec="seconds")
        found = promotion.record(target, name, mark.platform_of(state), commit(ROOT), now)
    print(found.model_dump_json(indent=2))
    return 0


def commit(root: Path) -> str:
    """Which commit a checkout is, and whether it was changed since; empty without git."""
    if not ((root / ".git").exists() and shutil.which("git")):
        return ""
    found = run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        doing="git describe",
        remedy="run it as the owner of the checkout",
        seconds=_GIT_SECONDS,
        folder=root,
    )
    return found.strip()


def required(settings: Mapping[str, Any], used: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    """The record against which is deployed, to be remembered with the settings; nothing where none is asked for.

    Args:
        settings: what the platform is asked to be.
        used: what was remembered of it.
        file: the record that the command line names.

    Raises:
        PlatformError: the environment is promoted from another one, and there is no record of that; or it is no record.
    """
    before = settings.get("promoted_from")
    if file is None and (before is None or "promotion" not in used):
        if before is None:
            return {}
        raise PlatformError(
            f"the environment {settings.get('environment')} is promoted from {before}: it deploys what that has proven",
            f"where {before} is: python3 -m bootstrap proven --environment {before} > {before}.json; "
            f"then here: --proven {before}.json",
        )
    found = _read(file) if file is not None else promotion.Record.model_validate(used["promotion"])
    if before is not None and found.environment != before:
        whose = found.environment or "a platform without environment"
        raise PlatformError(
            f"{file or 'the record that was used last'} is of {whose}, and {settings.get('environment')} is promoted "
            f"from {before}",
            f"give the record of {before}: --proven FILE",
        )
    return {"promotion": found.model_dump(mode="json")}


def _read(file: Path) -> promotion.Record:
    remedy = "make it where the other environment is: python3 -m bootstrap proven > FILE"
    try:
        return promotion.Record.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlatformError(f"there is no file {file}", remedy) from None
    except (ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "it is no text"}
        where = ".".join(map(str, first["loc"]))
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise PlatformError(f"{file} is no record of what was proven: {said}", remedy) from None
