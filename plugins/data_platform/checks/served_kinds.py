"""The cluster knows kinds of objects, in the versions that are used."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform


class Kind(KindParams):
    """A kind of objects."""

    api_version: str = Field(description="Group and version, such as cert-manager.io/v1.")
    kind: str = Field(description="Such as Certificate.")


class Params(KindParams):
    """Arguments of the kind. `cluster_service` in a kubernetes.yaml gives them; no component.yaml needs to."""

    kinds: tuple[Kind, ...] = Field(min_length=1, description="What must be served.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Ask the API server for the kinds of each group and version."""
    from data_platform.checks.objects import on_cluster

    cluster = on_cluster(platform).cluster
    named = {each: f"{each.kind} of {each.api_version}" for each in params.kinds}

    def look() -> None:
        if missing := [text for each, text in named.items() if not cluster.knows(each.api_version, each.kind)]:
            raise CheckFailed(f"the cluster does not know {', '.join(missing)}")

    deadline.retry(look, on=CheckFailed)
    return f"the cluster knows {', '.join(named.values())}"
