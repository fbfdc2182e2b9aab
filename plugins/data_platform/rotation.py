"""Give secrets other values: stage one, do what it takes, let it take the old one's place, restart who holds it.

A rotation that was interrupted goes on where it stopped: the staged value is kept until it has taken its place, and
every step may be repeated.
"""

from __future__ import annotations

import os
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from data_platform.clients import connect, postgres
from data_platform.clients.airflow import METADATA, ROTATE_KEY
from data_platform.clients.commands import run
from data_platform.stack.capabilities import DATABASE_SERVER, ORCHESTRATOR
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NEXT, NOT_YET, PIPELINES, holder, holders
from data_platform.stack.model import Rotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from data_platform.targets.base import Target

#: Airflow reads and writes each encrypted row once.
_REENCRYPT_SECONDS = 600.0


class Secret(NamedTuple):
    """One secret of one holder."""

    holder: str
    key: str

    def __str__(self) -> str:
        return f"{self.holder}.{self.key}"


def secrets_of(target: Target, name: str, key: str = "") -> list[Secret]:
    """What can be rotated of a holder.

    Args:
        target: where.
        name: of the holder.
        key: of one secret; all that can be rotated when empty.

    Raises:
        PlatformError: there is no such holder, it has no such secret, or that one cannot be rotated.
    """
    of = holder(target.stack, name)
    if key and key not in of.generated:
        there = ", ".join(of.generated) or "it has none"
        raise PlatformError(f"{of.name} has no secret {key!r}", f"use one of: {there}")
    refused = {k: way.refused for k in of.generated if (way := way_of(target, Secret(of.name, k))) and way.refused}
    if key in refused:
        raise PlatformError(
            f"{of.name}.{key} cannot be given another value: {refused[key]}", "begin anew with another state folder"
        )
    return [Secret(of.name, each) for each in of.generated if each not in refused and (not key or each == key)]


def way_of(target: Target, secret: Secret) -> Rotation | None:
    """What it takes besides giving the holder another value; None where that is all."""
    item = target.stack.components.get(secret.holder)
    return item.component.rotation.get(secret.key) if item else None


def staged(target: Target) -> list[Secret]:
    """Secrets whose next value is chosen and has not taken their place."""
    return [
        Secret(name, key)
        for name, each in holders(target.stack).items()
        for key in each.generated
        if key + NEXT in target.credentials(name)
    ]


def stage_shared(target: Target) -> list[Secret]:
    """Stage another value of every secret of a platform of release 0.1, where components were told each other's.

    Returns:
        What was staged; nothing for a new platform, and for one that has identities.
    """
    known = {name: _is_known(target, name) for name in holders(target.stack)}
    if known.get(PIPELINES, True) or not known.get(target.stack.provider(DATABASE_SERVER) or ""):
        return []
    found = [secret for name, there in known.items() if there for secret in secrets_of(target, name)]
    for secret in found:
        target.stage(*secret)
    return found


def needs_server(target: Target, secret: Secret) -> bool:
    """Whether PostgreSQL must run for it."""
    return way_of(target, secret) is not None


def carry_out(target: Target, secrets: Iterable[Secret]) -> None:
    """Do what each staged value takes, and let it take the old one's place. Holders are not restarted.

    Raises:
        PlatformError: PostgreSQL lets neither the old nor the new password in, or rows cannot be encrypted anew.
    """
    for secret in secrets:
        value, way = target.stage(*secret), way_of(target, secret)
        if way and way.role:
            _set_password(target, secret.holder, way.role, value)
        elif way and way.fernet:
            _encrypt_anew(target, secret, value)
        target.promote(*secret)


def affected(target: Target, secrets: Iterable[Secret]) -> list[str]:
    """Components that hold one of the secrets, or make something of it for its holder; in the order of the stack."""
    found: set[str] = set()
    for secret in secrets:
        of = holder(target.stack, secret.holder)
        found.add(of.component)
        if claim := of.claim_of(secret.key):
            found.add(target.stack.resolve(claim.provider))
        if target.stack.components[of.component].definition.tools:
            # Tasks run tools; where they are pods, they are given what the tools hold.
            found.add(target.stack.resolve(ORCHESTRATOR))
    return [name for name in target.stack.components if name in found]


def _is_known(target: Target, name: str) -> bool:
    of, known = holder(target.stack, name), target.credentials(name)
    return any(known.get(key, NOT_YET) != NOT_YET for key in of.generated)


def _set_password(target: Target, server: str, role: str, value: str) -> None:
    """Give a role of the server another password; by its superuser, whose own may be the one that changes."""
    admin = target.credentials(server)
    problem: Exception | None = None
    for password in (admin[connect.ADMIN_PASSWORD], admin.get(f"{connect.ADMIN_PASSWORD}{NEXT}", "")):
        try:
            connection = connect.postgres_as_admin(target, password=password, provider=server)
        except psycopg.OperationalError as error:
            problem = error
            continue
        with connection:
            postgres.change_password(connection, role, value)
        return
    raise PlatformError(
        f"the password of the role {role} cannot be changed: {problem}",
        f"read: python3 -m bootstrap logs {server}; when it is up, run this again",
    )


def _encrypt_anew(target: Target, secret: Secret, value: str) -> None:
    """Let Airflow's own command read its rows with the old key and write them with the new one."""
    keys = [f"{seed[:43]}=" for seed in (value, target.credentials(secret.holder)[secret.key])]
    with TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__FERNET_KEY": ",".join(keys),
            # As the superuser: the password of Airflow's role may be about to change too.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": connect.postgres_uri(target, "psycopg2", METADATA),
        }
        run(
            [sys.executable, *ROTATE_KEY],
            doing="encrypting Airflow's rows anew",
            remedy="run it again: rows are read with the old key and with the new one",
            seconds=_REENCRYPT_SECONDS,
            environment=environment,
        )
