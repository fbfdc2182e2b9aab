"""What must fit together in the files of a stack, beyond what each says by itself. Every mistake names its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import claimed, holders
from data_platform.stack.model import Loaded, StackFile

if TYPE_CHECKING:
    from data_platform.stack.claim import Claim
    from data_platform.stack.stack import Stack


def refuse_shared_ports(loaded: dict[str, Loaded]) -> None:
    """No two components listen on one port."""
    taken: dict[int, str] = {}
    for name, item in loaded.items():
        for endpoint, spec in item.component.endpoints.items():
            if other := taken.get(spec.port):
                raise PlatformError(
                    f"port {spec.port} is declared twice: by {other} and by {name}.{endpoint}",
                    f"give one of them another port in its component.yaml ({item.folder / 'component.yaml'})",
                )
            taken[spec.port] = f"{name}.{endpoint}"


def refuse_homeless_identities(file: StackFile, base: Path) -> None:
    """An identity whose component is in no profile of any target would be left out in silence."""
    for name, identity in file.identities.items():
        if not any(base.glob(f"components/*/{identity.component}/component.yaml")):
            raise PlatformError(
                f"stack.yaml: identities.{name}: there is no component {identity.component!r}",
                "correct the name of the component in whose processes it acts",
            )


def refuse_ambiguous_capabilities(file: StackFile, loaded: dict[str, Loaded]) -> None:
    """A name means one thing: a capability, a component or an identity."""
    others = {**dict.fromkeys(loaded, "a component"), **dict.fromkeys(file.identities, "an identity")}
    for name in file.capabilities:
        if name in others:
            raise PlatformError(
                f"stack.yaml: capabilities: {name} is the name of {others[name]} too",
                "give the capability another name",
            )


def refuse_unknown_edges(item: Loaded, known: set[str]) -> None:
    """Who comes before a component and whom it calls take part.

    Args:
        item: the component.
        known: components and capabilities of the profile.
    """
    edges = {"after": item.component.after, "calls": item.component.calls}
    edges["claims"] = tuple(claim.provider for claim in item.component.claims)
    for field, names in edges.items():
        for name in names:
            if name not in known:
                file = "kubernetes.yaml" if name in getattr(item.kubernetes, field, ()) else "component.yaml"
                raise PlatformError(
                    f"{item.folder / file}: {field} names {name!r}, which is no component of the profile",
                    f"correct the name, or use one of: {', '.join(sorted(known))}",
                )


def refuse_unfit_facets(item: Loaded) -> None:
    """What a facet says of its component is so on this target, and no two checks have one name."""
    said = item.kubernetes.facets if item.kubernetes else {}
    own = {check.name for check in item.component.checks}
    for name, side in item.component.facets.items():
        where = item.folder / ("kubernetes.yaml" if name in said else "component.yaml")
        if problem := side.misfit(item):
            raise PlatformError(
                f"{where}: {name}.{problem}", "correct it; docs/reference/ lists what each file may say"
            )
        if twice := [check.name for check in side.checks() if check.name in own]:
            raise PlatformError(
                f"{where}: {name} has a check {twice[0]}, and so has `checks`", "give the one in `checks` another name"
            )


def refuse_two_pages(item: Loaded) -> None:
    """People reach a component by its name, so one of its endpoints at most is for them."""
    pages = [name for name, spec in item.component.endpoints.items() if "people" in spec.audience]
    if len(pages) > 1:
        raise PlatformError(
            f"{item.folder / 'component.yaml'}: endpoints: {', '.join(pages)} are for people, who open one page of it",
            "leave people in the audience of one of them",
        )


def refuse_unserved_claims(stack: Stack, loaded: dict[str, Loaded]) -> None:
    """Each claim has somebody who serves it, is about things that are claimed, and nothing is claimed twice.

    Args:
        stack: the components of a profile.
        loaded: those of all profiles: a claim may be about what is there in another one alone.
    """
    if twice := sorted(stack.file.identities.keys() & stack.components.keys()):
        raise PlatformError(
            f"stack.yaml: identities: {', '.join(twice)} is the name of a component too", "give it another name"
        )
    here = [(name, claim) for name, each in holders(stack).items() for claim in each.claims]
    here += [(name, claim) for name, item in loaded.items() for claim in item.component.claims]
    here += [(name, claim) for name, identity in stack.file.identities.items() for claim in identity.claims]
    everything = {(_maker(stack, claim), claim.kind, claim.made(name)) for name, claim in here}
    for name, each in holders(stack).items():
        where = _where(stack, name)
        for claim in each.claims:
            provider = stack.components.get(_maker(stack, claim))
            if provider is None or claim.kind not in provider.component.serves:
                raise PlatformError(
                    f"{where}: claims: {claim.provider!r} serves no claim of the kind {claim.kind}",
                    "correct the name, or say in its component.yaml how it serves it (serves)",
                )
            for kind, wanted in claim.about():
                if (provider.name, kind, wanted) not in everything:
                    there = sorted(made for *of, made in everything if of == [provider.name, kind])
                    raise PlatformError(
                        f"{where}: claims: there is no {kind} {wanted}", f"claim it, or use one of: {', '.join(there)}"
                    )
    _refuse_shared_names(stack)


def _refuse_shared_names(stack: Stack) -> None:
    for provider in stack.components:
        owners: dict[str, str] = {}
        for each in claimed(stack, provider):
            if other := owners.get(each.resource):
                raise PlatformError(
                    f"{_where(stack, each.holder)}: claims: {each.resource} is claimed twice, by {other} and by"
                    f" {each.holder}",
                    "take out one of the claims, or give what it names another name",
                )
            owners[each.resource] = each.holder


def _maker(stack: Stack, claim: Claim) -> str:
    return stack.capabilities.get(claim.provider, claim.provider)


def _where(stack: Stack, holder: str) -> str:
    item = stack.components.get(holder)
    return str(item.folder / "component.yaml") if item else f"stack.yaml: identities.{holder}"
