"""The flow that takes a dataset in: brought to what its files say, and waited for.

Nothing that waits in a queue is lost by a deployment: a running flow is stopped, changed in place and started again
only when NiFi has written the change to disk. (NiFi does so up to half a second later. Killed in between it comes back
with the flow of before and drops the flow files of queues that it no longer knows.)
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from data_platform.checks.base import Deadline
from data_platform.clients import connect
from data_platform.clients.nifi import Group, NiFi, NiFiError, Parameter, Status
from data_platform.datasets import flow_definition
from data_platform.datasets.flow_definition import FLOWS, Decision, Seen, Wanted
from data_platform.datasets.landing import landing_of, tidy
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: In NiFi's data folder: its flow as it would begin with it.
_ON_DISK = "flow.json.gz"
#: How often in a row a flow must be seen empty: a look at all queues is no look at one moment.
_LOOKS = 3
#: NiFi 2.3 says so of a node that is on its way, and of one that does not answer; it may be there when asked next.
_PASSING = ("is currently connecting", "WebClientServiceException")
#: For so long a NiFi may lack processors of a flow: a deploy may be about to bring one that has them.
_UPGRADE_SECONDS = 60.0
#: Groups stand side by side on NiFi's canvas.
_APART = 420.0


class FlowState(NamedTuple):
    """A dataset's flow, for a page."""

    running: bool
    fetch: bool
    #: Flow files on their way.
    queued: int
    #: Files in the landing folder.
    landing: list[str]
    bulletins: list[str]


class _Outline(NamedTuple):
    """What decides whether flow files find their queues again, and whether all runs."""

    comments: str
    connections: set[str]
    #: RUNNING, ENABLED (it rests) or DISABLED, by the processor's id.
    states: dict[str, str]


class _NotYetError(Exception):
    """What is waited for has not come about; the message says what is still missing."""


def deploy_flow(target: Target, dataset: str, *, fetch: bool | None = None, deadline: Deadline) -> str:
    """Bring a dataset's flow to what its files say, and start it.

    Args:
        target: where.
        dataset: folder in nifi_flows/.
        fetch: whether the flow fetches data itself; None for what the dataset's file says.
        deadline: until when NiFi must have done it.

    Returns:
        One line for people: unchanged, created, or what was changed and why.

    Raises:
        PlatformError: the files are wrong, NiFi refuses, or flow files would be lost.
    """
    flow = flow_definition.wanted(target.stack.root, dataset, _given(target, dataset), fetch=fetch)
    decided: list[Decision] = []
    upgrade = time.monotonic() + min(_UPGRADE_SECONDS, deadline.remaining)

    def bring() -> None:
        with connect.nifi(target, deadline.remaining) as nifi:
            try:
                seen = _observe(nifi, flow)
                decision = flow_definition.decide(flow, seen)
                if decision.create or decision.replace:
                    _refuse_unknown(nifi, flow, upgrade)
                decided.append(decision)
                if not decision.nothing:
                    _Deployment(target, nifi, flow, deadline).act(seen, decision)
            except NiFiError as error:
                if _is_joining(nifi, error):
                    raise _NotYetError(str(error)) from error
                raise

    try:
        deadline.retry(bring, on=(httpx.TransportError, _NotYetError))
    except (NiFiError, httpx.HTTPError, _NotYetError) as error:
        raise PlatformError(
            f"the flow of {dataset} could not be deployed: {error}",
            "see NiFi's page and log, then deploy again: a deployment may be repeated safely",
        ) from error
    # What a second try had to do was begun by the first one.
    return f"flow {dataset}: {flow_definition.told(decided[0])}"


def export_flow(target: Target, dataset: str, deadline: Deadline) -> Path:
    """Write a dataset's flow as it is in NiFi into its definition file, to be committed.

    Raises:
        PlatformError: NiFi has no such flow, or the dataset's files are wrong.
    """
    _, settings = flow_definition.load(target.stack.root, dataset)
    path = (target.stack.root / FLOWS / dataset / settings.definition).resolve()
    with connect.nifi(target, deadline.remaining) as nifi:
        exported = nifi.download(_existing(nifi, dataset).id)
    text = json.dumps(flow_definition.canonical(exported), indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def await_landed(target: Target, dataset: str, deadline: Deadline) -> str:
    """Return when the flow has taken all that it takes out of the landing folder, and has nothing left to do.

    A NiFi, or a node of it, that is away for a while is waited for. What waits to be fetched is not, and what the flow
    never takes neither; of that, what has lain there for long is set aside.

    Returns:
        A line for each thing that is not taken: what, why, what to do, and where it is. Empty where there is none.

    Raises:
        PlatformError: files are still there at the deadline; the message names them and what NiFi complains of.
    """

    def look() -> None:
        for _ in range(_LOOKS):
            if landing := _landing_files(target, dataset):
                raise _NotYetError(f"in the landing folder: {', '.join(landing)}")
            with connect.nifi(target, deadline.remaining) as nifi:
                status = _whole_status(nifi, _existing(nifi, dataset).id)
            if busy := _busy(status):
                raise _NotYetError(f"in the flow: {busy}")

    try:
        deadline.retry(look, on=(_NotYetError, httpx.HTTPError, NiFiError))
    except (_NotYetError, httpx.HTTPError, NiFiError) as error:
        raise PlatformError(
            f"files of {dataset} have not all been taken in after {deadline.seconds:.0f} s: {error}"
            f"{_complaints(target, dataset)}",
            f"look at the group {dataset} in NiFi; nothing is lost, files go on as soon as the cause is gone",
        ) from error
    try:
        return "\n".join(tidy(landing_of(target), dataset))
    except PlatformError as error:
        return f"what is not taken cannot be looked at: {error.problem}"


def flow_state(target: Target, dataset: str, deadline: Deadline) -> FlowState:
    """How a dataset's flow is doing.

    Raises:
        PlatformError: NiFi has no such flow.
        httpx.HTTPError: NiFi cannot be reached.
    """
    switches = flow_definition.switch_names(flow_definition.load(target.stack.root, dataset)[0])
    with connect.nifi(target, deadline.remaining) as nifi:
        group = _existing(nifi, dataset).id
        status = nifi.status(group)
        others = [p.state for p in status.processors if p.name not in switches]
        return FlowState(
            running=all(state == "RUNNING" for state in others),
            fetch=any(p.state == "RUNNING" for p in status.processors if p.name in switches),
            queued=sum(q.flow_files for q in flow_definition.waiting(status.queues)),
            landing=landing_of(target).lying(dataset).waiting,
            bulletins=[str(told) for told in nifi.bulletins(group)],
        )


def _landing_files(target: Target, dataset: str) -> list[str]:
    try:
        return landing_of(target).lying(dataset).waiting
    except PlatformError as error:
        # Where the folder is seen through a node of NiFi, that node may be away.
        raise _NotYetError(f"the landing folder cannot be looked at: {error}") from error


def _given(target: Target, dataset: str) -> dict[str, str]:
    landing = landing_of(target).made(dataset)
    return {
        "dataset": dataset,
        "landing.folder": landing,
        "dead.letter.folder": f"{landing}.dead-letters",
    }


def _group(nifi: NiFi, dataset: str) -> Group | None:
    found = [group for group in nifi.groups() if group.name == dataset]
    if len(found) > 1:
        raise PlatformError(
            f"NiFi has {len(found)} process groups named {dataset}", "delete all but one on NiFi's page"
        )
    return found[0] if found else None


def _existing(nifi: NiFi, dataset: str) -> Group:
    if (group := _group(nifi, dataset)) is None:
        raise PlatformError(f"NiFi has no process group {dataset}", "deploy the flow first")
    return group


def _all_nodes(nifi: NiFi) -> int:
    """Number of nodes, when all of them are connected: what one holds that is away is neither seen nor changed."""
    nodes = nifi.nodes()
    if away := [f"{node} is {state}" for node, state in sorted(nodes.items()) if state != "CONNECTED"]:
        raise _NotYetError(f"not all nodes of NiFi are there: {', '.join(away)}")
    return len(nodes) or 1


def _is_joining(nifi: NiFi, refusal: NiFiError) -> bool:
    """Whether NiFi refused because a node is on its way: nothing can be changed then, and soon it can."""
    if any(words in str(refusal) for words in _PASSING):
        return True
    try:
        _all_nodes(nifi)
    except (_NotYetError, NiFiError, httpx.HTTPError):
        return True
    return False


def _whole_status(nifi: NiFi, group: str) -> Status:
    status, nodes = nifi.status(group), _all_nodes(nifi)
    if status.nodes < nodes:
        raise _NotYetError(f"{nodes - status.nodes} of the {nodes} nodes of NiFi did not answer")
    return status


def _observe(nifi: NiFi, flow: Wanted) -> Seen:
    group = _group(nifi, flow.dataset)
    if group is None:
        _all_nodes(nifi)
        return Seen()
    exported, status = nifi.download(group.id), _whole_status(nifi, group.id)
    context = nifi.parameters(flow.dataset)
    return Seen(
        group=group.id,
        comments=exported["flowContents"].get("comments") or "",
        deployed=flow_definition.digest(exported),
        connections={c["identifier"]: c["instanceIdentifier"] for c in exported["flowContents"]["connections"]},
        queues=tuple(status.queues),
        parameters=context.parameters if context else {},
        processors={p.name: p.state for p in status.processors},
    )


def _refuse_unknown(nifi: NiFi, flow: Wanted, until: float) -> None:
    """NiFi takes a flow with processors that it does not have, and puts ghosts in their place, which stay.

    Raises:
        _NotYetError: it lacks some, and the time `until` (of the monotonic clock) has not come.
        NiFiError: it still lacks them.
    """
    if missing := sorted(flow_definition.kinds(flow.definition) - nifi.kinds()):
        words = f"NiFi does not offer {', '.join(missing)} (what it offers is in the folder of its component)"
        raise _NotYetError(words) if time.monotonic() < until else NiFiError(words)


class _Deployment:
    """Carries out a decision."""

    def __init__(self, target: Target, nifi: NiFi, flow: Wanted, deadline: Deadline) -> None:
        self._target, self._nifi, self._flow, self._deadline = target, nifi, flow, deadline

    def act(self, seen: Seen, decision: Decision) -> None:
        """Do what was decided; may be interrupted anywhere and repeated."""
        group = seen.group
        if group is None:
            beside = len(self._nifi.groups()) * _APART
            group = self._nifi.upload(self._flow.dataset, flow_definition.prepared(self._flow), beside).id
            # A context of that name may have been left by a flow that was deleted; NiFi takes it as it is.
            decision = self._with_what_was_left(decision)
        elif decision.replace:
            self._nifi.run_group(group, "STOPPED")
        if decision.parameters:
            self._set_parameters(decision.parameters)
        if decision.replace:
            self._nifi.replace(group, flow_definition.prepared(self._flow))
        if decision.obsolete:
            # Only now, since the flow of before may use them.
            self._set_parameters((), decision.obsolete)
        if decision.create or decision.replace:
            exported = flow_definition.digest(self._nifi.download(group))
            self._nifi.set_comments(group, flow_definition.marked(self._flow, exported))
        if decision.fetch is not None:
            self._switch(group, on=decision.fetch)
        self._wait_until_on_disk(group)
        if decision.start:
            self._nifi.run_group(group, "RUNNING")
            self._wait_until_it_runs(group)
            self._wait_until_on_disk(group)

    def _with_what_was_left(self, decision: Decision) -> Decision:
        context = self._nifi.parameters(self._flow.dataset)
        there = context.parameters if context else {}
        return decision._replace(
            parameters=flow_definition.changed_parameters(self._flow, there),
            obsolete=flow_definition.obsolete_parameters(self._flow, there),
        )

    def _set_parameters(self, changed: tuple[Parameter, ...], removed: tuple[str, ...] = ()) -> None:
        context = self._nifi.parameters(self._flow.dataset)
        if context is None:
            raise NiFiError(f"there is no parameter context {self._flow.dataset}")
        self._nifi.set_parameters(context.id, self._flow.dataset, changed, removed)

    def _switch(self, group: str, *, on: bool) -> None:
        names = flow_definition.switch_names(self._flow.definition)
        for processor in self._nifi.status(group).processors:
            if processor.name not in names:
                continue
            if processor.state == "RUNNING":
                self._nifi.run(processor.id, "STOPPED")
            # From disabled a processor goes to running only by way of stopped.
            self._nifi.run(processor.id, "STOPPED" if on else "DISABLED")

    def _wait_until_it_runs(self, group: str) -> None:
        def look() -> None:
            resting = [
                f"{p.name} is {p.state}" for p in self._nifi.status(group).processors
                if p.state not in ("RUNNING", "DISABLED")
            ]  # fmt: skip
            if resting:
                raise NiFiError(f"not all processors run: {'; '.join(resting)}")

        self._deadline.retry(look, on=NiFiError)

    def _wait_until_on_disk(self, group: str) -> None:
        """Return when what NiFi has written agrees with what it says; its API does not tell when it has written."""

        def look() -> None:
            flow, status = self._nifi.download(group)["flowContents"], self._nifi.status(group)
            now = _Outline(
                flow.get("comments") or "",
                {c["instanceIdentifier"] for c in flow["connections"]},
                {p.id: p.state if p.state in ("RUNNING", "DISABLED") else "ENABLED" for p in status.processors},
            )
            try:
                written = json.loads(gzip.decompress(landing_of(self._target).kept(_ON_DISK)))
            except (OSError, EOFError, ValueError) as error:
                raise _NotYetError(f"NiFi's flow on disk cannot be read: {error}") from error
            found = [g for g in written["rootGroup"]["processGroups"] if g["instanceIdentifier"] == group]
            if not found or _outline(found[0]) != now:
                raise _NotYetError("NiFi has not written the flow to disk")

        try:
            self._deadline.retry(look, on=_NotYetError)
        except _NotYetError as error:
            raise NiFiError(str(error)) from error


def _outline(written: Mapping[str, Any]) -> _Outline:
    return _Outline(
        written.get("comments") or "",
        {c["instanceIdentifier"] for c in written["connections"]},
        {p["instanceIdentifier"]: p["scheduledState"] for p in written["processors"]},
    )


def _busy(status: Status) -> str:
    waiting = [f"{q.flow_files} from '{q.source}' to '{q.destination}'" for q in flow_definition.waiting(status.queues)]
    working = [
        f"'{p.name}' is working"
        for p in status.processors
        if p.threads and not p.name.startswith(flow_definition.FETCH)
    ]
    return "; ".join(waiting + working)


def _complaints(target: Target, dataset: str) -> str:
    try:
        with connect.nifi(target, 5) as nifi:
            told = nifi.bulletins(_existing(nifi, dataset).id)
    except (NiFiError, httpx.HTTPError, PlatformError):
        return ""
    newest = {bulletin.source: bulletin for bulletin in told}
    return "".join(f"\n  {bulletin}" for bulletin in newest.values())
