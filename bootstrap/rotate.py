"""`rotate`: other values for secrets of a running platform; and, in `up`, for those that an earlier release shared."""

from __future__ import annotations

import argparse
from contextlib import closing

from bootstrap.install import install
from bootstrap.lease import CommandLease
from bootstrap.locks import alone
from bootstrap.place import open_target
from bootstrap.progress import Progress
from data_platform import rotation
from data_platform.clients import connect
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES
from data_platform.targets.base import Target
from data_platform.targets.local import mark
from data_platform.targets.local.state import State


def rotate(arguments: argparse.Namespace) -> int:
    """Give a holder's secrets other values; 0 when who holds them runs with them and passes its checks."""
    state, progress = mark.require(State(arguments.state)), Progress()
    with alone(state), closing(open_target(arguments)) as target:
        secrets = rotation.secrets_of(target, arguments.holder, arguments.secret)
        if not secrets:
            print(f"{arguments.holder} holds no secret that can be rotated.")
            return 0
        with CommandLease(target, f"rotate {arguments.holder}", progress) as lease:
            lease.take()
            finish(target, [*rotation.staged(target), *secrets], progress)
            affected = rotation.affected(target, secrets)
            for component in affected:
                install(target, component, progress, lease)
            for component in affected:
                target.forget_earlier(component)
        if target.name == KUBERNETES:
            from bootstrap import on_cluster

            on_cluster.write_credentials(state, target)
        print(f"Other values: {', '.join(map(str, secrets))}. They are in {state.credentials_file}.")
    return 0


def begin_takeover(target: Target, only: tuple[str, ...], progress: Progress) -> bool:
    """Choose other values for what components of an earlier release were told of each other.

    Returns:
        whether the platform is of an earlier release.

    Raises:
        PlatformError: a part of the platform alone is to be brought up; the rest would keep the old values.
    """
    shared = rotation.stage_shared(target)
    if shared and only:
        raise PlatformError(
            "this platform is of an earlier release, and all of its secrets are to be replaced",
            "run it once without --only",
        )
    if shared:
        progress.say("secrets", f"of an earlier release: {len(shared)} are given other values")
    return bool(shared)


def finish(target: Target, secrets: list[rotation.Secret], progress: Progress) -> None:
    """Carry rotations out; those for which PostgreSQL must run only when it does.

    Args:
        target: where.
        secrets: which; each once.
        progress: says what was done.
    """
    answers = connect.postgres_answers(target)
    due = [s for s in dict.fromkeys(secrets) if answers or not rotation.needs_server(target, s)]
    rotation.carry_out(target, due)
    for secret in due:
        progress.say(secret.holder, f"{secret.key} has another value")
