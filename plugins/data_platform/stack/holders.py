"""Who holds which credentials: components, and identities that act in components' processes. Pure.

A holder has its own secrets, and what was made for it: a role for its databases, a user or token for each claim.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from data_platform.stack.claim import Claim, Claimed
from data_platform.stack.errors import PlatformError
from data_platform.stack.kinds import KINDS

if TYPE_CHECKING:
    from data_platform.stack.stack import Stack

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
    """

    name: str
    component: str
    fixed: dict[str, str]
    generated: tuple[str, ...]
    claims: tuple[Claim, ...]

    def claim_of(self, key: str) -> Claim | None:
        """The claim that a credential is of; None for its own."""
        return next((c for c in self.claims if key in (*c.generated, *c.fixed(self.name))), None)


def new_secret() -> str:
    """A new secret. Hexadecimal: safe unquoted in every configuration format and URL."""
    return secrets.token_hex(SECRET_BYTES)


def holders(stack: Stack) -> dict[str, Holder]:
    """Every holder of the platform, by name: components in their order, then identities.

    Raises:
        PlatformError: what an identity has for each dataset cannot have a dataset's name.
    """
    found: dict[str, Holder] = {}
    for name, item in stack.components.items():
        of = item.component
        found[name] = _holder(name, name, of.claims, of.credentials, of.secrets)
    for name, identity in stack.file.identities.items():
        if identity.component in stack.components:
            of_datasets = (_of_dataset(kind, each) for each in stack.datasets for kind in identity.each_dataset)
            found[name] = _holder(name, identity.component, (*identity.claims, *of_datasets))
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


def claimed(stack: Stack, provider: str, kind: str = "") -> list[Claimed]:
    """What a component serves to others: data first, for others may be about it.

    Args:
        stack: the platform.
        provider: the component.
        kind: of claims; all that it serves when empty.
    """
    found = [
        Claimed(each.name, claim)
        for each in holders(stack).values()
        for claim in each.claims
        if kind in ("", claim.kind) and stack.capabilities.get(claim.provider, claim.provider) == provider
    ]
    return sorted(found, key=lambda each: not each.claim.keeps)


def names_of(stack: Stack, kind: str) -> list[str]:
    """Names of all that is claimed of a kind, whoever makes it."""
    return [claim.made(each.name) for each in holders(stack).values() for claim in each.claims if claim.kind == kind]


def _of_dataset(kind: str, dataset: str) -> Claim:
    try:
        return KINDS[kind].model_validate({"kind": kind, "name": dataset})
    except ValidationError as error:
        raise PlatformError(
            f"datasets/{dataset}: no {kind} can have the name of this dataset: {error.errors()[0]['msg']}",
            f"give the folder another name, or take {kind} out of each_dataset in stack.yaml",
        ) from None


def _holder(
    name: str,
    component: str,
    claims: tuple[Claim, ...],
    credentials: Mapping[str, str] | None = None,
    secrets_: tuple[str, ...] = (),
) -> Holder:
    fixed = {**(credentials or {}), **{key: value for claim in claims for key, value in claim.fixed(name).items()}}
    generated = (*secrets_, *(key for claim in claims for key in claim.generated))
    # Several claims of a kind may share what they are opened with: databases a role.
    return Holder(name, component, fixed, tuple(dict.fromkeys(generated)), claims)
