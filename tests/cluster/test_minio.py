"""MinIO as production has it, one drive in each of four pods: what the loss of one and of two pods takes away.

Beside a platform, in a namespace of its own: with the chart and the values of production, smaller and on one node.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
import urllib3
import yaml
from minio import Minio
from minio.error import MinioException

from data_platform.checks.base import Deadline
from data_platform.clients import s3
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes.definition import stored_object
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.cluster.given import Given, of_a_platform
from tests.render.conftest import helm
from tests.running import ROOT

pytestmark = pytest.mark.timeout(3600)

SERVER = "app.kubernetes.io/name=minio,app.kubernetes.io/component=server"
SET = "minio-server"
PODS = 4
#: Seconds until all pods are ready, from nothing or after some were away.
READY_SECONDS = 600
#: Seconds of one request that is to be answered, and until servers know that others are away.
SECONDS = 60.0
BUCKET = "drill"
#: The guard rails of the platform's namespaces let their pods ask for names; this namespace has none of them.
DNS = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
AWAY = (MinioException, urllib3.exceptions.HTTPError, ClusterError)
#: Of production there stays: four pods with one drive each. One node has not the room for the rest.
SMALLER = {
    "defaultStorageClass": "",
    "drives": {"size": "1Gi"},
    "workloads": {
        "server": {
            "topologySpread": {"whenUnsatisfiable": "ScheduleAnyway"},
            "resources": {"requests": {"cpu": "20m", "memory": "200Mi"}, "limits": {"cpu": "1", "memory": "700Mi"}},
        }
    },
}


class NotYetError(Exception):
    """It is not so yet."""


@dataclass
class Store:
    """MinIO's pods in one namespace."""

    cluster: Cluster
    namespace: str
    keys: tuple[str, str]

    @contextmanager
    def client(self, seconds: float = SECONDS) -> Iterator[Minio]:
        """S3 at one of the pods."""
        with self.cluster.port_forward("minio", self.namespace, 9000) as forward:
            yield s3.client(f"http://{forward.host}:{forward.port}", *self.keys, seconds)

    def put(self, key: str, content: bytes) -> None:
        with self.client() as store:
            store.put_object(BUCKET, key, BytesIO(content), len(content))

    def read(self, key: str) -> bytes | None:
        with self.client() as store:
            return s3.read(store, BUCKET, key)

    def scale(self, pods: int) -> None:
        """Have so many of the pods, the first ones, and wait until it is so."""
        meta = {"name": SET, "namespace": self.namespace}
        wanted = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": {"replicas": pods}}
        self.cluster.server_side_apply(wanted, field_manager="by-hand")

        def look() -> None:
            found = self.cluster.list_objects("v1", "Pod", self.namespace, labels=SERVER)
            ready = [pod for pod in found if pod["status"].get("containerStatuses", [{}])[0].get("ready")]
            if (len(found), len(ready)) != (pods, pods):
                raise NotYetError(str([pod["status"] for pod in found]))

        Deadline(READY_SECONDS).retry(look, on=NotYetError)


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest, given: Given, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    cluster = given.client
    # Its image is where a platform was brought up.
    running = of_a_platform(request, lambda: cluster.list_objects("apps/v1", "StatefulSet", labels=SERVER))
    namespace = f"minio-{uuid.uuid4().hex[:8]}"
    cluster.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "minio", "namespace": namespace}}
    cluster.server_side_apply(account)
    cluster.server_side_apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "dns", "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": DNS}]},
        }
    )
    image = running[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    try:
        yield install(given, image, namespace, tmp_path_factory)
    finally:
        cluster.delete("v1", "Namespace", namespace)


def install(given: Given, image: str, namespace: str, folders: pytest.TempPathFactory) -> Store:
    """What the platform installs in size production, in another namespace and with credentials of its own."""
    program = Helm(helm(), ("--kube-context", given.context, "--kubeconfig", str(given.kubeconfig)), seconds=300)
    stack = load_stack(ROOT, target=KUBERNETES)
    target = KubernetesTarget(
        stack, Settings(size="production", images={"minio": image}), given.client, program, inside=True
    )
    keys = "drill", uuid.uuid4().hex
    target._known["minio"] = {"access_key": keys[0], "secret_key": keys[1]}
    item = stack.components["minio"]
    for content in target._secrets(item).values():
        secret = stored_object(stack, "minio", content)
        secret["metadata"]["namespace"] = namespace
        given.client.server_side_apply(secret)
    smaller: Path = folders.mktemp("minio") / "values.yaml"
    smaller.write_text(yaml.safe_dump(SMALLER), encoding="utf-8")
    release = target._release(item)
    program.upgrade(release._replace(namespace=namespace, sizes=(*release.sizes, smaller)))
    made = Store(given.client, namespace, keys)
    made.scale(PODS)

    def bucket() -> None:
        with made.client() as client:
            if not client.bucket_exists(BUCKET):
                client.make_bucket(BUCKET)

    Deadline(READY_SECONDS).retry(bucket, on=AWAY)
    return made


def test_one_pod_away_takes_nothing_and_two_take_writing(store: Store) -> None:
    content = uuid.uuid4().bytes * 100_000
    store.put("whole", content)
    store.scale(PODS - 1)
    assert Deadline(SECONDS).retry(lambda: store.read("whole"), on=AWAY) == content
    Deadline(SECONDS).retry(lambda: store.put("one pod away", content), on=AWAY)
    assert store.read("one pod away") == content

    store.scale(PODS - 2)
    assert Deadline(SECONDS).retry(lambda: store.read("whole"), on=AWAY) == content
    with pytest.raises((MinioException, urllib3.exceptions.HTTPError)):
        store.put("two pods away", content)

    store.scale(PODS)
    Deadline(SECONDS).retry(lambda: store.put("whole again", content), on=AWAY)
    for key in ("whole", "one pod away", "whole again"):
        assert store.read(key) == content, key
    assert store.read("two pods away") is None
