"""A node of ZooKeeper is seen by another session, and is gone with the session that made it."""

from __future__ import annotations

import uuid

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect


class Params(KindParams):
    """Arguments of the kind."""

    component: str = Field(description="The ZooKeeper; by default the check's own component.")
    endpoint: str = Field("client", description="The endpoint for its clients.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Make a node as one elects by it, look at it from a second session, end the first, and look again."""
    from kazoo.exceptions import NoNodeError

    where = params.component, params.endpoint
    token = uuid.uuid4().hex
    path = f"/check-{token}"
    with connect.zookeeper(platform, deadline.remaining, *where) as second:
        with connect.zookeeper(platform, deadline.remaining, *where) as first:
            first.create(path, token.encode(), ephemeral=True)
            # The second session may be with a member that has not heard of it yet.
            second.sync(path)
            try:
                content, about = second.get(path)
            except NoNodeError:
                raise CheckFailed(f"{path} was made, but another session does not see it") from None
            if content != token.encode() or about.ephemeralOwner != first.client_id[0]:
                raise CheckFailed(f"{path} is not as it was made: {content!r}, of session {about.ephemeralOwner:#x}")
        second.sync(path)
        if second.exists(path):
            raise CheckFailed(f"{path} is still there after the end of its session")
    return f"{path[:15]}… made, read by another session, gone with its own; ZooKeeper is at {about.czxid:#x}"
