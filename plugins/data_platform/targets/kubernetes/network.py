"""Who may call whom, from `calls`, claims, facets and endpoints: as pairs for people and tests, as policies.

Nothing else gets through: each namespace refuses what no rule allows, in both directions. Policies of Kubernetes only
add up, so a site opens more with a policy of its own and changes none of these.
"""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple

from data_platform.stack.capabilities import JOBS, ORCHESTRATOR
from data_platform.stack.endpoint import Audience
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import PAGES, PIPELINES, holders
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.permissions import namespaces

Object = dict[str, Any]

#: What starts jobs. Their executors are pods of their own; the driver may run in a task pod. Their ports are chosen at
#: each start.
SUBMIT = f"{PIPELINES}/{places.SUBMIT}"
#: Namespaces with this label (an ingress controller's, a gateway's) may open the pages that people look at.
ENTRY, ENTRY_ALLOWED = "data-platform/entry", "allowed"
_NAMESPACE = "kubernetes.io/metadata.name"
_DNS_NAMESPACE, _DNS_PORT = "kube-system", 53


class Call(NamedTuple):
    """Pods of `caller` may connect to those of `callee`: a component, one of its processes (airflow/triggerer), or an
    identity that has pods of its own.

    Attributes:
        ports: where; none for all ports.
    """

    caller: str
    callee: str
    ports: tuple[int, ...]
    reason: str


def deployers(stack: Stack) -> tuple[str, ...]:
    """What deploys, looks and checks calls everything; nobody where nobody does."""
    found = stack.provider(ORCHESTRATOR)
    return (f"{found}/{places.DEPLOY_TASK}", f"{found}/{places.LOOKS_SERVER}") if found else ()


def servers(stack: Stack) -> dict[str, str]:
    """Which server acts as an identity; the others have pods of their own."""
    found = stack.provider(ORCHESTRATOR)
    return {PAGES: f"{found}/{places.PAGES_SERVER}"} if found else {}


def calls(stack: Stack) -> list[Call]:
    """All that is allowed among the components, sorted."""
    found = []
    deployer, jobs = stack.provider(ORCHESTRATOR), stack.provider(JOBS)
    for name, item in stack.components.items():
        found += [Call(name, name, (), "members of one component")] if item.is_deployed else []
        makers = {stack.resolve(claim.provider) for claim in item.component.claims}
        found += [
            Call(name, other, _ports(stack, other, "components"), "claims" if other in makers else "calls")
            for other in stack.callees(name)
            if _ports(stack, other, "components")
        ]
        for other, facet, side in stack.worked_with(name):
            if other != name and side.called:
                port = stack.components[other].component.endpoints[side.called].port
                found.append(Call(name, other, (port,), facet))
        if deployer and name != deployer:
            # All of Airflow may call these already.
            known = _ports(stack, name, "components") if name in stack.callees(deployer) else ()
            if more := tuple(port for port in _ports(stack, name) if port not in known):
                found += [Call(party, name, more, "deploys and checks") for party in deployers(stack)]
    for identity in identities(stack):
        party = servers(stack).get(identity, identity)
        for name in _called(stack, identity):
            if name != party.partition("/")[0] and (ports := _ports(stack, name, "components")):
                found.append(Call(party, name, ports, f"identity {identity}"))
    if deployer and jobs:
        found += [Call(one, two, (), "executors and driver") for one, two in ((jobs, SUBMIT), (SUBMIT, jobs))]
    return sorted(set(found))


def identities(stack: Stack) -> list[str]:
    """Identities that have pods, or a server, to themselves: what they call is theirs alone."""
    return [name for name in (PIPELINES, PAGES) if name in stack.file.identities]


def _called(stack: Stack, identity: str) -> set[str]:
    """What an identity calls: who makes something for it, what it says, and what the tools need that its pods run."""
    calls_ = stack.file.identities[identity].calls
    made = holders(stack)[identity].claims if identity in holders(stack) else ()
    found = {stack.resolve(name) for name in (*calls_, *(claim.provider for claim in made))}
    if identity == PIPELINES:
        found |= {other for name, item in stack.components.items() if item.definition.tools
                  for other in stack.callees(name)}  # fmt: skip
    return found


def _ports(stack: Stack, name: str, audience: Audience | None = None) -> tuple[int, ...]:
    """Ports of a component's endpoints: those for an audience, or all."""
    specs = stack.components[name].component.endpoints.values()
    return tuple(sorted(spec.port for spec in specs if audience is None or audience in spec.audience))


def api_server_parties(stack: Stack) -> list[str]:
    """Who calls the API server of Kubernetes, sorted: whom kubernetes.yaml names, and task pods that deploy or make
    pods.
    """
    found = []
    for name, item in stack.components.items():
        if (here := item.kubernetes) is None:
            continue
        if here.api_server is True:
            found.append(name)
        elif here.api_server:
            found += [f"{name}/{process}" for process in here.api_server]
        found += [f"{name}/{pod}" for pod, spec in here.pods.items() if spec.api_server]
        found += [f"{name}/{places.DEPLOY_TASK}"] if here.runs_tasks else []
    return sorted([*found, SUBMIT] if stack.provider(JOBS) and stack.provider(ORCHESTRATOR) else found)


def policies(stack: Stack, api_server: str) -> list[Object]:
    """All NetworkPolicies; those that refuse come last, so that applying them never cuts what is allowed.

    Args:
        stack: the platform.
        api_server: ADDRESS:PORT of the API server as pods reach it; several with commas between.
    """
    allowed = calls(stack)
    parties = sorted({party for call in allowed for party in (call.caller, call.callee)})
    found = [_of_party(stack, party, allowed) for party in parties]
    servers = [{"to": [{"ipBlock": {"cidr": cidr}}], "ports": _tcp((port,))} for cidr, port in addresses(api_server)]
    found += [
        _policy(f"{_name(party)}-api-server", places.party_namespace(stack, party), _labels(party), egress=servers)
        for party in api_server_parties(stack)
    ]
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {_NAMESPACE: _DNS_NAMESPACE}}}],
        "ports": [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")],
    }
    found += [_policy("dns", name, {}, egress=[dns]) for name in namespaces(stack)]
    return found + [_policy("default-deny", name, {}, ingress=[], egress=[]) for name in namespaces(stack)]


def addresses(api_server: str) -> list[tuple[str, int]]:
    """Address block and port of each instance of the API server.

    Raises:
        PlatformError: it is not ADDRESS:PORT.
    """
    found = []
    for part in api_server.split(","):
        host, _, port = part.strip().rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]"))
            found.append((f"{address}/{address.max_prefixlen}", int(port)))
        except ValueError:
            raise PlatformError(
                f"{part!r} is no address of the API server",
                "give ADDRESS:PORT as numbers, as the EndpointSlice kubernetes in the namespace default has them",
            ) from None
    return sorted(found)


def _of_party(stack: Stack, party: str, allowed: list[Call]) -> Object:
    """All that pods of a party may do, and have done to them."""
    ingress = [
        {"from": [_peer(stack, call.caller)]} | ({"ports": _tcp(call.ports)} if call.ports else {})
        for call in allowed
        if call.callee == party
    ]
    egress = [
        {"to": [_peer(stack, call.callee)]} | ({"ports": _tcp(call.ports)} if call.ports else {})
        for call in allowed
        if call.caller == party
    ]
    if pages := _ports(stack, party, "people") if party in stack.components else ():
        entry = {"namespaceSelector": {"matchLabels": {ENTRY: ENTRY_ALLOWED}}}
        ingress.append({"from": [entry], "ports": _tcp(pages)})
    return _policy(_name(party), places.party_namespace(stack, party), _labels(party), ingress, egress)


def _peer(stack: Stack, party: str) -> Object:
    return {
        "namespaceSelector": {"matchLabels": {_NAMESPACE: places.party_namespace(stack, party)}},
        "podSelector": {"matchLabels": _labels(party)},
    }


def _name(party: str) -> str:
    return party.replace("/", "-")


def _labels(party: str) -> dict[str, str]:
    component, _, process = party.partition("/")
    return {places.NAME: component} | ({places.COMPONENT: process} if process else {})


def _tcp(ports: tuple[int, ...]) -> list[Object]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _policy(
    name: str,
    namespace: str,
    labels: dict[str, str],
    ingress: list[Object] | None = None,
    egress: list[Object] | None = None,
) -> Object:
    """A policy about the pods with these labels; a direction that is None is none of its business."""
    types = [word for word, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    spec: Object = {"podSelector": {"matchLabels": labels} if labels else {}, "policyTypes": types}
    spec |= {"ingress": ingress} if ingress else {}
    spec |= {"egress": egress} if egress else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
