"""Generated credentials: one Secret for each holder, in the namespace of the component that it belongs to.

Who looks reads; who applies makes what is missing. What is there is never replaced, except by a rotation. Each Secret
bears the id of its platform, where there is one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import CONFLICT, ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NEXT, NOT_YET, Holder, holder, holders, new_secret
from data_platform.stack.plan import Resource, Seen
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.definition import Content, content_of, digest, secret_object
from data_platform.targets.kubernetes.releases import DIGEST_LABEL

Object = dict[str, Any]
#: Ends the names of these Secrets.
SUFFIX = "-credentials"
#: How often a Secret is read again that others change at the same time.
_TRIES = 5


def read(cluster: Cluster, stack: Stack, name: str) -> dict[str, str]:
    """Fixed and generated credentials of a holder, as they are. Reads only: what is not made yet is NOT_YET.

    Raises:
        PlatformError: they are gone, and what was made with them is there.
    """
    of = holder(stack, name)
    if not of.generated:
        return dict(of.fixed)
    found = _secret(cluster, stack, of)
    if found is None:
        _refuse_lost(cluster, stack, of)
    return {**dict.fromkeys(of.generated, NOT_YET), **_kept(found), **of.fixed}


def ensure(cluster: Cluster, stack: Stack, name: str, platform: str = "") -> dict[str, str]:
    """Credentials of a holder; what is missing is made first. Of several that make the same, one does.

    Raises:
        PlatformError: they are gone, and what was made with them is there; or others change them all the time.
    """
    of = holder(stack, name)
    if not of.generated:
        return dict(of.fixed)

    def completed(kept: dict[str, str]) -> dict[str, str]:
        return {**{key: new_secret() for key in of.generated if key not in kept}, **kept}

    return {**_change(cluster, stack, of, platform, completed), **of.fixed}


def stage(cluster: Cluster, stack: Stack, name: str, key: str, platform: str = "") -> str:
    """See `Target.stage`."""
    following = f"{key}{NEXT}"

    def staged(kept: dict[str, str]) -> dict[str, str]:
        return {following: new_secret(), **kept}

    return _change(cluster, stack, holder(stack, name), platform, staged)[following]


def promote(cluster: Cluster, stack: Stack, name: str, key: str, platform: str = "") -> None:
    """See `Target.promote`."""

    def promoted(kept: dict[str, str]) -> dict[str, str]:
        staged = kept.pop(f"{key}{NEXT}", None)
        return kept if staged is None else {**kept, key: staged}

    _change(cluster, stack, holder(stack, name), platform, promoted)


def wanted(stack: Stack, component: str) -> list[Resource]:
    """Secrets of the holders that belong to a component."""
    return [
        Resource(kind="secret", name=each.name + SUFFIX, digest=_digest(each.generated))
        for each in _belonging(stack, component)
    ]


def observe(stack: Stack, component: str, kept: Mapping[str, Content]) -> list[Seen]:
    """The same Secrets as they are there: of each, which of the wanted keys it has.

    Args:
        stack: the platform.
        component: to which they belong.
        kept: Secrets by name.
    """
    return [
        Seen(kind="secret", name=name, digest=_digest(key for key in each.generated if key in kept[name].data))
        for each in _belonging(stack, component)
        if (name := each.name + SUFFIX) in kept
    ]


def _belonging(stack: Stack, component: str) -> list[Holder]:
    return [each for each in holders(stack).values() if each.component == component and each.generated]


def _digest(keys: Iterable[str]) -> str:
    return digest(sorted(keys))


def _secret(cluster: Cluster, stack: Stack, of: Holder) -> Object | None:
    return cluster.get("v1", "Secret", of.name + SUFFIX, places.namespace(stack, of.component))


def _kept(found: Object | None) -> dict[str, str]:
    return {key: value.decode() for key, value in content_of(found).data.items()} if found else {}


def _change(
    cluster: Cluster, stack: Stack, of: Holder, platform: str, decide: Callable[[dict[str, str]], dict[str, str]]
) -> dict[str, str]:
    """Make what is kept of a holder what `decide` makes of it. Whoever is quicker wins: it is decided again then."""
    for _ in range(_TRIES):
        found = _secret(cluster, stack, of)
        before = _kept(found)
        after = decide(dict(before))
        if after == before:
            return before
        try:
            if found is None:
                _refuse_lost(cluster, stack, of)
                content = Content(of.name + SUFFIX, {key: value.encode() for key, value in after.items()})
                cluster.create(secret_object(stack, of.component, content, platform))
            else:
                labels = {"labels": places.labels(stack, of.component, platform=platform)}
                new = {key: _encoded(value) for key, value in after.items() if before.get(key) != value}
                # What a merge patch says is null goes.
                data = {**new, **dict.fromkeys(before.keys() - after.keys())}
                cluster.merge(found, {"metadata": labels, "data": data})
        except ClusterError as error:
            if error.reason != CONFLICT:
                raise
        else:
            return after
    raise PlatformError(
        f"Secret {of.name}{SUFFIX} in {places.namespace(stack, of.component)} was changed {_TRIES} times by others"
        " while it was to be changed",
        "find out who changes it (its metadata.managedFields), then run it again",
    )


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _refuse_lost(cluster: Cluster, stack: Stack, of: Holder) -> None:
    """Refuse new secrets for what was made with the old ones. What others make for a holder is made again."""
    item = stack.components.get(of.name)
    if item is None or not item.component.secrets:
        return
    here = places.namespace(stack, of.component)
    # Volumes and releases of that name that others made bear other labels.
    ours = f"{places.NAME}={of.name},{places.PART_OF}"
    there = cluster.list_objects("v1", "PersistentVolumeClaim", here, labels=ours)
    there += cluster.list_objects("v1", "Secret", here, labels=f"owner=helm,name={of.name},{DIGEST_LABEL}")
    if there:
        names = ", ".join(f"{thing['kind']} {thing['metadata']['name']}" for thing in there[:3])
        raise PlatformError(
            f"Secret {of.name}{SUFFIX} in {here} is gone, but what was made with it is there: {names}",
            "restore the Secret from a backup, or begin anew: python3 -m bootstrap down --purge",
        )
