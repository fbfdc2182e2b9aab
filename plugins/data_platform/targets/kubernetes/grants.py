"""Rights that cluster services need (`grants` in their kubernetes.yaml), as roles that the bootstrap alone makes.

Airflow, which deploys a service, could not make them: nobody may grant what he does not have, and it is given neither
`escalate` nor `bind`, with which it could grant itself everything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from data_platform.stack.model import Loaded
from data_platform.stack.service import Right
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places, rbac

Object = dict[str, Any]


class Granted(NamedTuple):
    """Rights of one account in one place.

    Attributes:
        service: for which cluster service.
        to: `own` or `deployer`, as the grant says.
        namespace: where; the whole cluster when empty.
        rights: what it may do.
        reasons: what for.
    """

    service: str
    to: str
    namespace: str
    rights: tuple[Right, ...]
    reasons: tuple[str, ...]

    def role(self, stack: Stack) -> str:
        """Name of the role that holds them."""
        name = f"{self.service}-{'service' if self.to == 'own' else 'user'}"
        return name if self.namespace else f"{stack.file.name}-{name}"


def all_granted(stack: Stack) -> list[Granted]:
    """What all cluster services need. The account of one that is the administrator's is his affair."""
    found: dict[tuple[str, str, str], tuple[tuple[Right, ...], tuple[str, ...]]] = {}
    for name, item in stack.components.items():
        for grant in item.service.grants if item.service else ():
            if grant.to == "own" and not item.is_deployed:
                continue
            for part in grant.namespaces or ("",):
                key = (name, grant.to, f"{stack.file.name}-{part}" if part else "")
                rights, reasons = found.get(key, ((), ()))
                found[key] = ((*rights, *grant.rights), (*reasons, grant.reason))
    return [Granted(*key, *said) for key, said in found.items()]


def served(stack: Stack, item: Loaded) -> list[str]:
    """Namespaces, besides its own, in which a service's own account may do something."""
    own = [grant for grant in (item.service.grants if item.service else ()) if grant.to == "own"]
    parts = {part for grant in own for part in grant.namespaces}
    return sorted(f"{stack.file.name}-{part}" for part in parts - {item.name})


def roles(stack: Stack, deployer: Object) -> list[Object]:
    """The roles with their bindings.

    Args:
        stack: the platform.
        deployer: Airflow's account.
    """
    found = []
    for each in all_granted(stack):
        to = rbac.subject(each.service, places.namespace(stack, each.service)) if each.to == "own" else deployer
        found += rbac.bound(each.role(stack), each.namespace, [_rule(right) for right in each.rights], to)
    for made in found:
        made["metadata"]["labels"] = {places.APPLIED_BY: places.BOOTSTRAP}
    return found


def _rule(right: Right) -> Object:
    names: Object = {"resourceNames": list(right.names)} if right.names else {}
    return {"apiGroups": [right.group], "resources": list(right.resources), **names, "verbs": list(right.verbs)}
