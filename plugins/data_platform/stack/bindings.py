"""The flat names that a component sees: its own facts, the addresses of its direct dependencies, and what was made for
it. No secret of anybody else.

The same names are variables of templates on every target. Those that hold no secret are environment variables of its
processes too; a secret is in an environment only where the process says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from data_platform.stack.holders import NEXT, claim_key, holder, s3_users, token_holders
from data_platform.stack.load import Stack


class Location(Protocol):
    """Address of an endpoint, as `targets` gives it."""

    @property
    def host(self) -> str:
        """Name or number of the machine."""

    @property
    def port(self) -> int:
        """TCP port."""

    @property
    def url(self) -> str:
        """Scheme, host and port."""


class Bindings(NamedTuple):
    """What templates of a component may name.

    Attributes:
        open: values that are no secret; also environment variables of all its processes, jobs and tools.
        secret: secrets that the component holds.
    """

    open: dict[str, str]
    secret: dict[str, str]

    @property
    def all(self) -> dict[str, str]:
        """Both."""
        return {**self.open, **self.secret}

    def with_open(self, more: Mapping[str, str]) -> Bindings:
        """The same with more values that are no secret."""
        return Bindings({**self.open, **more}, self.secret)


def prefix(name: str) -> str:
    """`spark-operator` becomes `SPARK_OPERATOR`."""
    return name.upper().replace("-", "_")


def bindings(
    stack: Stack,
    name: str,
    address: Callable[[str, str], Location],
    credentials: Callable[[str], Mapping[str, str]],
) -> Bindings:
    """All bindings of a component that do not depend on the target.

    Args:
        stack: the platform.
        name: a component.
        address: gives the location of (component, endpoint).
        credentials: gives the fixed and generated credentials of a holder.
    """
    found: dict[str, str] = {}
    component = stack.components[name].component
    if component.shows_branches:
        found["BRANCHES"] = " ".join(stack.branches)
    own_aliases = [name, *(c for c in component.provides if stack.capabilities.get(c) == name)]
    for alias in (*own_aliases, *component.depends_on):
        target = stack.resolve(alias)
        for endpoint in stack.components[target].component.endpoints:
            place = address(target, endpoint)
            stem = f"{prefix(alias)}_{endpoint.upper()}"
            found |= {f"{stem}_HOST": place.host, f"{stem}_PORT": str(place.port), f"{stem}_URL": place.url}
    me, known = holder(stack, name), credentials(name)
    of_claims = [claim_key(claim, "") for claim in me.claims]

    def called(key: str) -> str:
        # What was made for it is named after who made it, whoever it is for: S3_SECRET_KEY.
        return key.upper() if key.startswith(tuple(of_claims)) else f"{prefix(name)}_{key.upper()}"

    found |= {called(key): known[key] for key in me.fixed}
    # A value that is to take a secret's place is seen beside it until it has.
    there = [key for each in me.generated for key in (each, each + NEXT) if key in known]
    return Bindings(found, {called(key): known[key] for key in there})


def granted(stack: Stack, name: str, credentials: Callable[[str], Mapping[str, str]]) -> dict[str, Any]:
    """What the configuration files of a component list besides: those for whom it makes something.

    Returns:
        S3_USERS: name, access_key, secret_key and buckets of each; TOKENS: name and sha256 of each, for a token need
        not be known to be recognised. Only the kinds that the component serves by its configuration.
    """
    ways = stack.components[name].component.grants
    found: dict[str, Any] = {}
    if ways.get("s3_user") == "configuration":
        found["S3_USERS"] = [
            {
                "name": each.name,
                **{key: credentials(each.name)[claim_key(claim, key)] for key in ("access_key", "secret_key")},
                "buckets": claim.buckets,
            }
            for each, claim in s3_users(stack, name)
        ]
    if ways.get("token") == "configuration":
        found["TOKENS"] = [
            {"name": each.name, "sha256": _sha256(credentials(each.name)[claim_key(claim, "token")])}
            for each, claim in token_holders(stack, name)
        ]
    return found


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
