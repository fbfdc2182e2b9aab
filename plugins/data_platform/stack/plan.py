"""Decide what must change: a pure function of what is wanted and what was observed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["artifact", "file", "secret", "job", "process", "release", "claim"]
#: Steps run in this order: what a later kind needs comes before it.
KINDS: tuple[Kind, ...] = ("artifact", "file", "secret", "job", "process", "release", "claim")

_MISSING_VERB: dict[Kind, str] = {
    "artifact": "fetch",
    "file": "write",
    "secret": "write",
    "job": "run",
    "process": "start",
    "release": "install",
    "claim": "make",
}
_CHANGED_VERB: dict[Kind, str] = {**_MISSING_VERB, "process": "restart", "release": "upgrade", "claim": "change"}
#: What is left over and may go. Data is not shown as left over by the kinds of claims that it is of.
_LEFTOVER_VERB: dict[Kind, str] = {"file": "remove", "secret": "remove", "process": "stop", "claim": "revoke"}


class Resource(BaseModel):
    """One thing that a component wants: its kind, its name, and a digest of all that defines it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    name: str
    digest: str


class Seen(BaseModel):
    """One thing that is there. `digest` None: it is there but what defines it is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    name: str
    digest: str | None = None
    healthy: bool = True
    note: str = ""


class Step(BaseModel):
    """One thing to do, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: str
    kind: Kind
    name: str
    reason: str

    def __str__(self) -> str:
        # The name of what was claimed begins with its own kind: database nessie.
        what = self.name if self.kind == "claim" else f"{self.kind} {self.name}"
        return f"{self.verb} {what}: {self.reason}"


def plan(wanted: list[Resource], observed: list[Seen]) -> list[Step]:
    """Steps that turn what was observed into what is wanted; none when nothing differs.

    Args:
        wanted: the component's resources.
        observed: what the target found, leftovers included.

    Returns:
        Steps in the order in which they must run: removals of leftover processes first, then by `KINDS`.
    """
    there = {(seen.kind, seen.name): seen for seen in observed}
    names = {(resource.kind, resource.name) for resource in wanted}
    leftovers = [
        Step(verb=_LEFTOVER_VERB[seen.kind], kind=seen.kind, name=seen.name, reason="the component does not declare it")
        for seen in observed
        if (seen.kind, seen.name) not in names and seen.kind in _LEFTOVER_VERB
    ]
    ordered = sorted(wanted, key=lambda resource: KINDS.index(resource.kind))
    steps = [step for resource in ordered if (step := _step(resource, there.get((resource.kind, resource.name))))]
    return sorted(leftovers, key=lambda step: (step.kind != "process", step.name)) + steps


def _step(wanted: Resource, seen: Seen | None) -> Step | None:
    kind, name = wanted.kind, wanted.name
    if seen is None:
        return Step(verb=_MISSING_VERB[kind], kind=kind, name=name, reason="it is not there")
    if not seen.healthy and seen.digest == wanted.digest and kind == "release":
        # Helm puts back what was changed by hand; nothing new is rolled out.
        return Step(verb="repair", kind=kind, name=name, reason=seen.note)
    if not seen.healthy:
        return Step(verb=_MISSING_VERB[kind], kind=kind, name=name, reason=seen.note or "it is not running")
    if seen.digest != wanted.digest:
        reason = seen.note or "its definition changed"
        return Step(verb=_CHANGED_VERB[kind], kind=kind, name=name, reason=reason)
    return None
