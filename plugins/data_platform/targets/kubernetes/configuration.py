"""Configuration of components: Secrets that are never overwritten, so that an earlier revision of a release still finds
its own, and that are removed when no revision needs them any more.

The name of such a Secret ends with the digest of its content. Which of them a revision needs, its own record says: the
values that Helm keeps with it, and its manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.plan import Seen
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import credentials, places
from data_platform.targets.kubernetes.definition import SHORT, Content, content_of, stored_object
from data_platform.targets.kubernetes.releases import Record, history

_STORED = re.compile(rf"-[0-9a-f]{{{SHORT}}}$")


def there(cluster: Cluster, stack: Stack, component: str) -> dict[str, Content]:
    """Secrets of a component that the platform has written, by name; those of holders too."""
    ours = f"{places.NAME}={component},{places.MANAGED_BY}={places.MANAGER}"
    listed = cluster.list_objects("v1", "Secret", places.namespace(stack, component), labels=ours)
    return {content.name: content for content in map(content_of, listed)}


def write(cluster: Cluster, stack: Stack, component: str, content: Content, platform: str) -> None:
    """Store a Secret. One of that name that somebody made of other content is replaced."""
    wanted = stored_object(stack, component, content, platform)
    found = cluster.get("v1", "Secret", content.stored, wanted["metadata"]["namespace"])
    if found is not None and content_of(found).data != content.data:
        cluster.delete("v1", "Secret", content.stored, wanted["metadata"]["namespace"])
    cluster.server_side_apply(wanted)


def observe(wanted: Sequence[Content], kept: Mapping[str, Content], needed: Collection[str]) -> list[Seen]:
    """Which of the wanted Secrets are there, under what the component calls them; and those that nothing needs.

    Args:
        wanted: of the component's definition.
        kept: what is there.
        needed: names of Secrets that something needs, see `needed`.
    """
    found = []
    earlier = {_STORED.sub("", name) for name in kept}
    for content in wanted:
        if content.stored in kept:
            found.append(Seen(kind="secret", name=content.name, digest=kept[content.stored].digest))
        elif content.name in earlier:
            found.append(Seen(kind="secret", name=content.name))
    called = {content.name for content in wanted}
    # A release before this one stored them under what the component calls them: these go when the next one is written.
    leftover = [name for name in unneeded(wanted, kept, needed) if name not in called]
    return found + [Seen(kind="secret", name=name, digest=kept[name].digest) for name in leftover]


def unneeded(wanted: Iterable[Content], kept: Iterable[str], needed: Collection[str]) -> list[str]:
    """Names of Secrets that may go: neither wanted, nor needed, nor a holder's."""
    stay = {*needed, *(content.stored for content in wanted)}
    return [name for name in kept if name not in stay and not name.endswith(credentials.SUFFIX)]


def remove_unneeded(cluster: Cluster, stack: Stack, component: str, wanted: Iterable[Content]) -> None:
    """Delete those Secrets of a component that are neither wanted nor needed."""
    kept = there(cluster, stack, component)
    for name in unneeded(wanted, kept, needed_of(cluster, stack, component, kept)):
        cluster.delete("v1", "Secret", name, places.namespace(stack, component))


def needed_of(cluster: Cluster, stack: Stack, component: str, kept: Iterable[str]) -> set[str]:
    """See `needed`: of what Helm and the cluster say now."""
    here = places.namespace(stack, component)
    return needed(kept, history(cluster, component, here), cluster.list_objects("v1", "Pod", here))


def needed(kept: Iterable[str], revisions: Sequence[Record], pods: Sequence[Mapping[str, Any]]) -> set[str]:
    """Those of the Secrets that a revision to which Helm can go back, or a pod that runs, names.

    One with a fixed name was made by a release before this one, whose secrets all have other values since: there is no
    way back to it, so only a pod of then needs it.

    Args:
        kept: names of Secrets.
        revisions: that Helm keeps.
        pods: of the namespace.
    """
    specs = "\n".join(json.dumps(pod["spec"], default=str) for pod in pods if _runs(pod))
    texts = [f"{record.manifest}\n{json.dumps(record.values, default=str)}" for record in revisions]
    said = "\n".join([*texts, specs])
    return {name for name in kept if (name in said if _STORED.search(name) else _is_given(name, specs))}


def _is_given(secret: str, specs: str) -> bool:
    """Whether one of some pods, as JSON, has a Secret; accounts and containers may have the same name."""
    given = rf'"secret(?:Name|Ref|KeyRef)?": (?:\{{[^{{}}]*"name": )?"{re.escape(secret)}"'
    return re.search(given, specs) is not None


def _runs(pod: Mapping[str, Any]) -> bool:
    """Whether a pod may start a container again."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in pod.get("metadata", {})


def lost(record: Record, kept: Collection[str]) -> list[str]:
    """Secrets that a revision needs and that are not there."""
    return sorted(name for name in record.values.get("secrets", {}).values() if name not in kept)
