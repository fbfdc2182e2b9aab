"""Who watches a kind of objects does something with a new one: an object is made, watched, and removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform


class Params(KindParams):
    """Arguments of the kind."""

    wanted: dict[str, Any] = Field(description="The object: apiVersion, kind and spec. The check names it.")
    namespace_of: str = Field(description="Component or capability in whose namespace it is made.")
    becomes: dict[str, str] = Field(min_length=1, description="Text at a path of the object, by path.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Make the object and watch it until it says so."""
    from data_platform.checks.objects import made, new_name, on_cluster
    from data_platform.clients.kubernetes_errors import TIMEOUT, ClusterError

    place = on_cluster(platform)
    cluster, namespace = place.cluster, place.namespace(params.namespace_of)
    name, version, kind = new_name(), str(params.wanted["apiVersion"]), str(params.wanted["kind"])
    wanted = {**params.wanted, "metadata": {"name": name, "namespace": namespace}}

    def done(found: Mapping[str, Any] | None) -> bool:
        return found is not None and _said(found, params.becomes) == params.becomes

    with made(cluster, [wanted]):
        try:
            cluster.wait_until(version, kind, name, namespace, done=done, seconds=deadline.remaining)
        except ClusterError as error:
            if error.reason != TIMEOUT:
                raise
            seen = _said(cluster.get(version, kind, name, namespace) or {}, params.becomes)
            raise CheckFailed(f"{kind} {name} in {namespace}: {_shown(seen)} after {deadline.seconds:.0f} s") from None
    return f"{kind} {name} in {namespace} became {_shown(params.becomes)}"


def _said(thing: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for path in paths:
        value: Any = thing
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        found[path] = "" if value is None else str(value)
    return found


def _shown(said: Mapping[str, str]) -> str:
    return ", ".join(f"{path} is {text or 'not there'}" for path, text in said.items())
