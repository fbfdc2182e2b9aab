"""What a component makes for those who have claimed it: the same on every target, by the kinds' own modules.

A claim is a resource of its provider, made once the provider runs: another policy or key of a holder is a step of the
provider's plan. What a provider serves by its configuration files is in these, and is no resource.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from data_platform.stack.claim import CONFIGURATION, Claimed
from data_platform.stack.holders import claimed, holder
from data_platform.stack.kinds import KINDS
from data_platform.stack.plan import Resource, Seen

if TYPE_CHECKING:
    from data_platform.stack.plan import Step
    from data_platform.targets.base import Target


def wanted(target: Target, provider: str) -> list[Resource]:
    """What a component has to make for others."""
    return [Resource(kind="claim", name=each.resource, digest=each.digest) for each in _made(target, provider)]


def observe(target: Target, provider: str) -> list[Seen]:
    """What a component has made for others and is still good, and what nobody claims any more."""
    made = _made(target, provider)
    return [
        seen
        for kind, way in target.stack.components[provider].component.serves.items()
        if way != CONFIGURATION
        for seen in KINDS[kind].observe(target, provider, [each for each in made if each.claim.kind == kind])
    ]


def carry_out(target: Target, provider: str, step: Step) -> None:
    """Make, change or remove what a step names; the provider runs.

    Raises:
        PlatformError: it cannot be made.
    """
    kind, _, name = step.name.partition(" ")
    if step.verb == "revoke":
        KINDS[kind].remove(target, provider, name)
        return
    (each,) = (each for each in _made(target, provider) if each.resource == step.name)
    KINDS[kind].make(target, provider, each)


def has_its_data(target: Target, component: str) -> bool:
    """Whether all data that was made for a component is there, as far as its providers can tell."""
    of = [Claimed(component, claim) for claim in holder(target.stack, component).claims if claim.keeps]
    by = attrgetter("claim.provider", "claim.kind")
    for (provider, kind), group in groupby(sorted(of, key=by), key=by):
        wanted_ = list(group)
        seen = KINDS[kind].observe(target, target.stack.resolve(provider), wanted_)
        if len(seen) < len(wanted_):
            return False
    return True


def _made(target: Target, provider: str) -> list[Claimed]:
    serves = target.stack.components[provider].component.serves
    return [each for each in claimed(target.stack, provider) if serves[each.claim.kind] != CONFIGURATION]
