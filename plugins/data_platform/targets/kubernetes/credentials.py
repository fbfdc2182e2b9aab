"""Generated credentials, one Secret a holder, in the namespace of the component that he belongs to.

Each bears the id of its platform, where there is one.
"""

from __future__ import annotations

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.holders import NEXT, NOT_YET, holder, new_secret
from data_platform.stack.load import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.definition import Content, content_of, secret_object

#: Ends the names of these Secrets.
SUFFIX = "-credentials"


def _name(holder_name: str) -> str:
    return holder_name + SUFFIX


def _kept(cluster: Cluster, stack: Stack, name: str) -> dict[str, str]:
    of = holder(stack, name)
    found = cluster.get("v1", "Secret", _name(of.name), places.namespace(stack, of.component))
    return {key: value.decode() for key, value in content_of(found).data.items()} if found else {}


def read(cluster: Cluster, stack: Stack, name: str) -> dict[str, str]:
    """Fixed and generated credentials of a holder, as they are. Reads only: what is not made yet is NOT_YET."""
    of = holder(stack, name)
    if not of.generated:
        return dict(of.fixed)
    return {**dict.fromkeys(of.generated, NOT_YET), **_kept(cluster, stack, name), **of.fixed}


def ensure(cluster: Cluster, stack: Stack, name: str, platform: str = "") -> dict[str, str]:
    """Credentials of a holder; what is missing is generated and saved first. What is there is never replaced."""
    of, kept = holder(stack, name), _kept(cluster, stack, name)
    if any(key not in kept for key in of.generated):
        kept |= {key: new_secret() for key in of.generated if key not in kept}
        _write(cluster, stack, name, kept, platform)
    return {**kept, **of.fixed}


def stage(cluster: Cluster, stack: Stack, name: str, key: str, platform: str = "") -> str:
    """See `Target.stage`."""
    kept = _kept(cluster, stack, name)
    if (following := f"{key}{NEXT}") not in kept:
        kept[following] = new_secret()
        _write(cluster, stack, name, kept, platform)
    return kept[following]


def promote(cluster: Cluster, stack: Stack, name: str, key: str, platform: str = "") -> None:
    """See `Target.promote`."""
    kept = _kept(cluster, stack, name)
    if (staged := kept.pop(f"{key}{NEXT}", None)) is not None:
        kept[key] = staged
        _write(cluster, stack, name, kept, platform)


def _write(cluster: Cluster, stack: Stack, name: str, kept: dict[str, str], platform: str) -> None:
    of = holder(stack, name)
    content = Content(_name(of.name), {key: value.encode() for key, value in kept.items()})
    cluster.server_side_apply(secret_object(stack, of.component, content, platform))
