"""Generated credentials, one Secret a component, in the component's own namespace."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.bindings import credential_names
from data_platform.stack.load import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.definition import Content, content_of, secret_object
from data_platform.targets.local.state import SECRET_BYTES


def _name(component: str) -> str:
    return f"{component}-credentials"


def read(cluster: Cluster, stack: Stack, component: str) -> dict[str, str]:
    """Fixed and generated credentials of a component; only those generated so far."""
    fixed, generated = credential_names(stack, component)
    if not generated:
        return fixed
    found = cluster.get("v1", "Secret", _name(component), places.namespace(stack, component))
    data = content_of(found).data if found else {}
    return {**fixed, **{key: value.decode() for key, value in data.items()}}


def ensure(cluster: Cluster, stack: Stack, component: str) -> Mapping[str, str]:
    """Credentials of a component; what is missing is generated and saved first. What is there is never replaced."""
    generated = credential_names(stack, component)[1]
    known = read(cluster, stack, component)
    if any(key not in known for key in generated):
        # Hexadecimal: safe unquoted in every configuration format and URL.
        known |= {key: secrets.token_hex(SECRET_BYTES) for key in generated if key not in known}
        own = {key: known[key].encode() for key in generated}
        cluster.server_side_apply(secret_object(stack, component, Content(_name(component), own)))
    return known
