"""A flow file is made in NiFi, on every node of a cluster, and its content is read back out of a queue."""

from __future__ import annotations

import time
import uuid

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after

#: Begins the name of every process group that this check makes. Nobody else's group may begin so: they are removed.
SCRATCH = "check-flow-file-"
#: Seconds after which a group was left behind by a run that was killed. A younger one may be in use: the same check
#: can be asked for by a deploy, by the hourly schedule and by hand at one time.
_LEFT_BEHIND = 900.0
_SOURCE = "org.apache.nifi.processors.standard.GenerateFlowFile"
_TARGET = "org.apache.nifi.processors.standard.ReplaceText"


class Params(KindParams):
    """Arguments of the kind."""

    component: str = Field(description="The NiFi; by default the check's own component.")
    endpoint: str = Field("http", description="The endpoint of its API.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Let a new process group make one flow file, compare its content, and remove the group.

    Groups that earlier runs left behind because they were killed are removed too.
    """
    from data_platform.clients.nifi import FlowFile

    token = uuid.uuid4().hex
    with connect.nifi(platform, deadline.remaining, params.component, params.endpoint) as nifi:
        left = [group for group in nifi.groups() if _is_left_behind(group.name, time.time() - deadline.seconds)]
        for group in left:
            nifi.delete_group(group.id)
        nodes = nifi.nodes()
        if away := [f"{node} is {state}" for node, state in sorted(nodes.items()) if state != "CONNECTED"]:
            raise CheckFailed(f"not all nodes are there: {', '.join(away)}")
        wanted = len(nodes) or 1
        scratch = nifi.create_group(f"{SCRATCH}{time.time():.0f}-{token}")
        with removed_after(lambda: nifi.delete_group(scratch.id), f"the group {scratch.name}", required=True):
            source = nifi.create_processor(scratch.id, _SOURCE, {"generate-ff-custom-text": token}, schedule="1 day")
            # It is never started: it only holds the other end of the queue.
            target = nifi.create_processor(scratch.id, _TARGET)
            queue = nifi.connect(scratch.id, source, "success", target)
            nifi.run(source, "RUN_ONCE")

            def look() -> list[FlowFile]:
                if len(found := nifi.queued(queue)) >= wanted:
                    return found
                raise CheckFailed(
                    f"the processor was run, but its queue stays empty on {wanted - len(found)} of {wanted} node(s)"
                )

            flow_files = deadline.retry(look, on=CheckFailed)
            contents = [nifi.content(queue, flow_file).decode(errors="replace") for flow_file in flow_files]
    if contents != [token] * wanted or len({flow_file.node for flow_file in flow_files}) != wanted:
        raise CheckFailed(f"wanted one flow file with {token} from each of {wanted} node(s), found {contents}")
    also = f"; removed {len(left)} group(s) of earlier runs" if left else ""
    where = f" on each of {wanted} nodes" if nodes else ""
    return f"one flow file with {token[:8]}… made{where}, queued and read back, group removed{also}"


def _is_left_behind(name: str, started_before: float) -> bool:
    """Whether a group of this check is older than any run that may still go on.

    Args:
        name: the group's name, which holds the time when it was made.
        started_before: Unix time at which a run that takes its whole deadline would have begun.
    """
    made, _, _ = name.removeprefix(SCRATCH).partition("-")
    return name.startswith(SCRATCH) and made.isdigit() and int(made) < started_before - _LEFT_BEHIND
