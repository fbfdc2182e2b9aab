"""Branches of the table catalog that always are there: the same on every target, made through Nessie's own protocol.

Trino has a catalog for each. One without its branch would make lists of all catalogs' tables fail. A deploy makes those
that are missing and touches no other: where a branch is, is the pipelines' business (data_platform.datasets.audit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_platform.stack.plan import Resource, Seen

if TYPE_CHECKING:
    from data_platform.stack.load import Stack
    from data_platform.targets.base import Target

#: The component that has them, and where they begin.
NESSIE, MAIN = "nessie", "main"
_SECONDS = 3.0


def wanted(stack: Stack, component: str) -> list[Resource]:
    """All branches, if the component is the table catalog."""
    if component != NESSIE:
        return []
    return [Resource(kind="branch", name=name, digest=MAIN) for name in stack.branches]


def observe(target: Target, component: str) -> list[Seen]:
    """Those of the branches that are there; as not healthy where the table catalog does not answer."""
    names = [resource.name for resource in wanted(target.stack, component)]
    if not names:
        return []
    import httpx

    from data_platform.clients.nessie import Nessie, NessieError

    try:
        with Nessie(target.address(NESSIE, "http").url, _SECONDS) as nessie:
            there = nessie.branches()
    except (httpx.HTTPError, NessieError):
        return [Seen(kind="branch", name=name, healthy=False, note="Nessie does not answer") for name in names]
    return [Seen(kind="branch", name=name, digest=MAIN) for name in names if name in there]


def create(target: Target, name: str) -> None:
    """Make a branch at what readers see now; one that is there stays as it is."""
    from data_platform.clients.nessie import Nessie

    with Nessie(target.address(NESSIE, "http").url, 10 * _SECONDS) as nessie:
        if nessie.head(name) is None:
            nessie.create_branch(name, MAIN)
