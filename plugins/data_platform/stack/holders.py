"""Who holds which credentials: components, and identities that act in components' processes. Pure.

A holder has its own secrets, and what was made for it: a role for its databases, a user or token for each claim.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import Stack
from data_platform.stack.model import Claim, Component, Database, Identity, S3User, Token

#: Names of the credentials of a holder's database role.
DATABASE_USER, DATABASE_PASSWORD = "database_user", "database_password"
#: What the tasks of datasets hold, what checks use, what Airflow's pages use (stack/stack.yaml).
PIPELINES, CHECKS, PAGES = "pipelines", "checks", "pages"

#: Stands for a secret that has not been generated yet, where somebody only looks.
NOT_YET = "not generated yet"
#: Ends the key of a value that is to take a secret's place (see `Target.stage`).
NEXT = "_next"
#: Bytes of randomness in a generated secret. In hexadecimal these are 64 characters, what HMAC-SHA512 asks for.
SECRET_BYTES = 32


class Holder(NamedTuple):
    """Somebody with credentials of his own.

    Attributes:
        name: of the component or identity; its role, user and key have this name too.
        component: where its credentials lie.
        fixed: names that are no secret, by key.
        generated: keys of its secrets.
        claims: what others make for it.
        databases: owned by its role.
    """

    name: str
    component: str
    fixed: dict[str, str]
    generated: tuple[str, ...]
    claims: tuple[Claim, ...]
    databases: tuple[Database, ...]

    @property
    def s3_user(self) -> S3User | None:
        """Its claim of a user of the object store."""
        return next((claim for claim in self.claims if isinstance(claim, S3User)), None)


def new_secret() -> str:
    """A new secret. Hexadecimal: safe unquoted in every configuration format and URL."""
    return secrets.token_hex(SECRET_BYTES)


def holders(stack: Stack) -> dict[str, Holder]:
    """Every holder of the platform, by name: components in their order, then identities."""
    found: dict[str, Holder] = {}
    for name, item in stack.components.items():
        of, (fixed, generated) = item.component, _made_for(item.component, name)
        fixed, generated = {**of.credentials, **fixed}, (*of.secrets, *generated)
        found[name] = Holder(name, name, fixed, generated, of.claims, of.databases)
    for name, identity in stack.file.identities.items():
        if identity.component in stack.components:
            made = _made_for(identity, name)
            found[name] = Holder(name, identity.component, *made, identity.claims, identity.databases)
    return found


def holder(stack: Stack, name: str) -> Holder:
    """The holder of that name, or the component that provides the capability of that name.

    Raises:
        PlatformError: there is neither.
    """
    found = holders(stack)
    chosen = stack.capabilities.get(name, name)
    if chosen not in found:
        raise PlatformError(f"nobody named {name!r} holds credentials here", f"use one of: {', '.join(found)}")
    return found[chosen]


def s3_users(stack: Stack, provider: str) -> list[tuple[Holder, S3User]]:
    """Holders for which a component, which stands for the object store, makes a user."""
    return [
        (each, claim)
        for each in holders(stack).values()
        if (claim := each.s3_user) is not None and stack.resolve(claim.provider) == provider
    ]


def token_holders(stack: Stack, provider: str) -> list[tuple[Holder, Token]]:
    """Holders of tokens that a component accepts."""
    return [
        (each, claim)
        for each in holders(stack).values()
        for claim in each.claims
        if isinstance(claim, Token) and claim.of == provider
    ]


def claim_key(claim: Claim, what: str) -> str:
    """Name of a credential that belongs to a claim: s3_secret_key, datahub_token."""
    return f"{claim.provider.replace('-', '_')}_{what}"


def _made_for(named: Component | Identity, name: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Fixed names and keys of secrets of what others make for a holder."""
    fixed: dict[str, str] = {}
    generated: list[str] = []
    if named.databases:
        fixed[DATABASE_USER] = name.replace("-", "_")
        generated.append(DATABASE_PASSWORD)
    for claim in named.claims:
        if isinstance(claim, S3User):
            fixed[claim_key(claim, "access_key")] = name
            generated.append(claim_key(claim, "secret_key"))
        else:
            generated.append(claim_key(claim, "token"))
    return fixed, tuple(generated)
