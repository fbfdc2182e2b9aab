"""The flat names that a component sees: its own facts, the addresses of those that it calls, and what was made for it.
No secret of anybody else.

The same names are variables of templates on every target. Those that hold no secret are environment variables of its
processes too; a secret is in an environment only where the process says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from data_platform.stack.claim import CONFIGURATION, Location
from data_platform.stack.facets import FACETS
from data_platform.stack.holders import NEXT, claimed, holder, names_of
from data_platform.stack.kinds import KINDS
from data_platform.stack.stack import Stack


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


class Places(NamedTuple):
    """Where endpoints are, by component and endpoint.

    Attributes:
        address: as the platform's components reach it.
        public: URL, as people open it.
    """

    address: Callable[[str, str], Location]
    public: Callable[[str, str], str]


def prefix(name: str) -> str:
    """`spark-operator` becomes `SPARK_OPERATOR`."""
    return name.upper().replace("-", "_")


def bindings(
    stack: Stack,
    name: str,
    places: Places,
    credentials: Callable[[str], Mapping[str, str]],
) -> Bindings:
    """All bindings of a component that do not depend on the target.

    Args:
        stack: the platform.
        name: a component.
        places: give the location of (component, endpoint).
        credentials: gives the fixed and generated credentials of a holder.
    """
    found: dict[str, str] = {}
    component = stack.components[name].component
    for kind in component.shows:
        found[KINDS[kind].shown_as] = " ".join(names_of(stack, kind))
    own_aliases = [name, *(c for c in component.provides if stack.capabilities.get(c) == name)]
    for alias in (*own_aliases, *component.all_called):
        target = stack.resolve(alias)
        for endpoint in stack.components[target].component.endpoints:
            place = places.address(target, endpoint)
            stem = f"{prefix(alias)}_{endpoint.upper()}"
            found |= {f"{stem}_HOST": place.host, f"{stem}_PORT": str(place.port), f"{stem}_URL": place.url}
    for endpoint, spec in component.endpoints.items():
        if "people" in spec.audience:
            found[f"{prefix(name)}_{endpoint.upper()}_PUBLIC_URL"] = places.public(name, endpoint)
    me, known = holder(stack, name), credentials(name)

    def called(key: str) -> str:
        claim = me.claim_of(key.removesuffix(NEXT))
        return key.upper() if claim and not claim.of_holder else f"{prefix(name)}_{key.upper()}"

    found |= {called(key): known[key] for key in me.fixed}
    # A value that is to take a secret's place is seen beside it until it has.
    there = [key for each in me.generated for key in (each, each + NEXT) if key in known]
    return Bindings(found, {called(key): known[key] for key in there})


def listed(stack: Stack, name: str, places: Places, credentials: Callable[[str], Mapping[str, str]]) -> dict[str, Any]:
    """What the configuration files of a component list besides: what it serves by its configuration (S3_USERS, TOKENS),
    and what it works with by a trait (SCRAPES).

    Args:
        stack: the platform.
        name: a component.
        places: give the location of (component, endpoint).
        credentials: gives the fixed and generated credentials of a holder.

    Returns:
        For each such kind and facet its binding, with an entry for each claim and each component, as it has it.
    """
    own = stack.components[name].component
    found: dict[str, Any] = {facet.told_as: [] for key, facet in FACETS.items() if facet.told_as and own.has_trait(key)}
    for other, key, side in stack.worked_with(name):
        found[FACETS[key].told_as].append(side.told(other, places.address(other, side.called)))
    return found | {
        KINDS[kind].listed_as: [
            each.claim.entry(each.holder, credentials(each.holder)) for each in claimed(stack, name, kind)
        ]
        for kind, way in own.serves.items()
        if way == CONFIGURATION
    }
