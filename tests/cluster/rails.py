"""A platform of a name of its own, for tests of its guard rails: they can run beside the real one."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from data_platform.clients.kubernetes import Cluster, connect
from data_platform.clients.kubernetes_api import Request
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.guard_rails import guard_rails
from data_platform.targets.kubernetes.inventory import api_server_address
from data_platform.targets.kubernetes.permissions import namespaces
from tests import sizes
from tests.cluster.given import Given

Object = dict[str, Any]


def called(stack: Stack, name: str) -> Stack:
    """The same platform under another name."""
    return dataclasses.replace(stack, file=stack.file.model_copy(update={"name": name}))


@dataclasses.dataclass(frozen=True)
class Rails:
    """Guard rails in a cluster."""

    cluster: Cluster
    stack: Stack
    objects: list[Object]

    @property
    def namespaces(self) -> list[str]:
        """All of the platform."""
        found = namespaces(self.stack)
        assert len(found) > 1, "what is asked of each of them would be asked of none"
        return found

    def find(self, kind: str, namespace: str, name: str = "") -> Object:
        """The one object of a kind in a namespace; the one of that name where there are several."""
        there = [o for o in self.objects if o["kind"] == kind and o["metadata"].get("namespace") == namespace]
        (found,) = (o for o in there if not name or o["metadata"]["name"] == name)
        return found


def make(cluster: Cluster, stack: Stack, *, without: frozenset[str] = frozenset()) -> Rails:
    """Apply the guard rails, and let their quotas count."""
    objects = guard_rails(stack, "small", sizes.asked(stack, "small"), api_server_address(cluster))
    for wanted in objects:
        if wanted["kind"] not in without:
            cluster.server_side_apply(wanted)
    for wanted in objects:
        if wanted["kind"] == "ResourceQuota":
            count(cluster, wanted)
    return Rails(cluster, stack, objects)


def count(cluster: Cluster, quota: Object) -> None:
    """Do what the quota controller does at first; without a controller nobody would, and all pods were refused."""
    meta, hard = quota["metadata"], quota["spec"]["hard"]
    body = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    path = f"/api/v1/namespaces/{meta['namespace']}/resourcequotas/{meta['name']}/status"
    cluster._api.send(Request("PATCH", path, "counting", body=body, form="application/merge-patch+json"))


def remove(rails: Rails) -> None:
    """Ask for the end of all that was made."""
    for name in rails.namespaces:
        rails.cluster.delete("v1", "Namespace", name)
    for thing in rails.objects:
        if thing["kind"].startswith("ClusterRole"):
            rails.cluster.delete(thing["apiVersion"], thing["kind"], thing["metadata"]["name"])


def as_account(given: Given, name: str, namespace: str, folder: Path) -> Cluster:
    """A client that is a service account, by a token of its own."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
    given.client.server_side_apply(account)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = given.client._api.json(Request("POST", path, "asking for a token", body=body))["status"]["token"]
    with changed_kubeconfig(given, folder) as content:
        content["users"] = [{"name": user["name"], "user": {"token": token}} for user in content["users"]]
    return connect(given.context, folder / "kubeconfig")


@contextmanager
def changed_kubeconfig(given: Given, folder: Path) -> Iterator[Object]:
    """The kubeconfig of the cluster, to be changed and written to a folder, with nothing left in other files."""
    content = yaml.safe_load(given.kubeconfig.read_text(encoding="utf-8"))
    for cluster in content["clusters"]:
        if file := cluster["cluster"].pop("certificate-authority", None):
            data = (given.kubeconfig.parent / file).read_bytes()
            cluster["cluster"]["certificate-authority-data"] = base64.b64encode(data).decode()
    yield content
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kubeconfig").write_text(json.dumps(content), encoding="utf-8")


def restricted_pod(name: str, namespace: str, image: str = "example.test/none:1", **container: Any) -> Object:
    """A pod that Pod Security takes."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    one = {"name": "one", "image": image, "securityContext": security, **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [one],
        },
    }
