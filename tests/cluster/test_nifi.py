"""NiFi's nodes: one is restarted or crashes, and no flow file is lost, in a queue or on its way.

Reads like a runbook: when … happens to a node, then … within … seconds.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from minio.deleteobjects import DeleteObject

from data_platform.checks.base import Deadline
from data_platform.clients import s3
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.clients.nifi import FlowFile, NiFi, NiFiError
from data_platform.datasets import flow
from data_platform.datasets.landing import landing_of
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.cluster.given import of_a_platform
from tests.running import ROOT

pytestmark = pytest.mark.timeout(2400)

NODES = "app.kubernetes.io/name=nifi,app.kubernetes.io/component=nifi"
SET = "nifi-nifi"
#: Seconds of one request, and until a queue holds what was made.
SECONDS = 60.0
#: Seconds until all nodes are connected again: missed heartbeats, the start of a pod and of NiFi, and joining.
HEALED_SECONDS = 420
#: Seconds until all files have arrived, a restart in the middle included.
ARRIVED_SECONDS = 600
DATASET = "nifi_drill"
FILES = 40
AWAY = (httpx.HTTPError, NiFiError, ClusterError)


class NotYetError(Exception):
    """It is not so yet."""


@dataclass
class Nodes:
    """NiFi's pods in one namespace."""

    cluster: Cluster
    namespace: str
    count: int

    @contextmanager
    def session(self) -> Iterator[NiFi]:
        """NiFi's API at one of the nodes."""
        with (
            self.cluster.port_forward("nifi", self.namespace, 8480) as forward,
            NiFi(f"http://{forward.host}:{forward.port}", Deadline(SECONDS).seconds) as nifi,
        ):
            yield nifi

    def heal(self) -> None:
        """Wait until all pods are ready and all nodes are connected."""

        def look() -> None:
            found = self.cluster.get("apps/v1", "StatefulSet", SET, self.namespace)
            assert found is not None
            if found["status"].get("readyReplicas") != self.count:
                raise NotYetError(str(found["status"]))
            with self.session() as nifi:
                nodes = nifi.nodes()
            if sorted(nodes.values()) != ["CONNECTED"] * self.count:
                raise NotYetError(str(nodes))

        Deadline(HEALED_SECONDS).retry(look, on=(NotYetError, *AWAY))

    def restarts(self, pod: str) -> tuple[str, int]:
        """By what one sees that a pod, or its container, is another one."""
        found = self.cluster.get("v1", "Pod", pod, self.namespace)
        if found is None or not found["status"].get("containerStatuses"):
            raise NotYetError(f"{pod} is away")
        return found["metadata"]["uid"], found["status"]["containerStatuses"][0]["restartCount"]

    def run(self, pod: str, *argv: str) -> bytes:
        """Output of a command in a pod."""
        done = self.cluster.execute(pod, self.namespace, argv, seconds=SECONDS)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def has_on_disk(self, pod: str, connection: str) -> None:
        """Raise until a node has written a queue into its flow: it drops flow files of queues that it does not know."""
        try:
            text = gzip.decompress(self.run(pod, "cat", "/var/lib/data-platform/flow.json.gz")).decode()
        except EOFError as error:
            raise NotYetError(str(error)) from error
        if connection not in text:
            raise NotYetError(f"{pod} has not written the queue")


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Nodes]:
    """The nodes of a platform's NiFi, all connected before and after."""
    found = of_a_platform(request, lambda: cluster.list_objects("apps/v1", "StatefulSet", labels=NODES))
    count = int(found[0]["spec"]["replicas"])
    assert count >= 2, "NiFi runs with one node here; two are needed"
    nodes = Nodes(cluster, found[0]["metadata"]["namespace"], count)
    nodes.heal()
    yield nodes
    nodes.heal()


def restart(nodes: Nodes, pod: str) -> None:
    """The pod is removed in good order, as when its Kubernetes node is emptied."""
    nodes.cluster.delete("v1", "Pod", pod, nodes.namespace)


def crash(nodes: Nodes, pod: str) -> None:
    """The server ends in the middle of a word. Not by KILL: the first process of a container is spared that one."""
    nodes.run(pod, "sh", "-c", "kill -SEGV 1")


FAULTS = [restart, crash]


def await_another(nodes: Nodes, pod: str, before: tuple[str, int]) -> None:
    """Return when the pod is not the one of before."""

    def look() -> None:
        if nodes.restarts(pod) == before:
            raise NotYetError(f"{pod} is as it was")

    Deadline(HEALED_SECONDS).retry(look, on=NotYetError)


@dataclass
class Waiting:
    """A queue whose flow files nobody takes."""

    connection: str
    text: str

    def held(self, nifi: NiFi) -> dict[FlowFile, str]:
        """What is in it, with its content."""
        return {found: nifi.content(self.connection, found).decode() for found in nifi.queued(self.connection)}


@pytest.fixture
def waiting(nodes: Nodes) -> Iterator[Waiting]:
    """One flow file on each node, in a queue that leads nowhere."""
    text = uuid.uuid4().hex
    with nodes.session() as nifi:
        group = nifi.create_group(f"drill-{text}").id
    try:
        with nodes.session() as nifi:
            source = nifi.create_processor(
                group,
                "org.apache.nifi.processors.standard.GenerateFlowFile",
                {"generate-ff-custom-text": text},
                schedule="1 day",
            )
            target = nifi.create_processor(group, "org.apache.nifi.processors.standard.ReplaceText")
            queue = Waiting(nifi.connect(group, source, "success", target), text)
            nifi.run(source, "RUN_ONCE")

            def made() -> None:
                if len(found := nifi.queued(queue.connection)) != nodes.count:
                    raise NotYetError(str(found))

            Deadline(SECONDS).retry(made, on=NotYetError)
        yield queue
    finally:
        nodes.heal()
        with nodes.session() as nifi:
            nifi.delete_group(group)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_waits_in_a_queue_survives_its_node(
    nodes: Nodes, waiting: Waiting, fault: Callable[[Nodes, str], None]
) -> None:
    pod = f"{SET}-{nodes.count - 1}"
    Deadline(SECONDS).retry(lambda: nodes.has_on_disk(pod, waiting.connection), on=NotYetError)
    with nodes.session() as nifi:
        before = waiting.held(nifi)
    assert list(before.values()) == [waiting.text] * nodes.count
    assert len({found.node for found in before}) == nodes.count
    was = nodes.restarts(pod)
    fault(nodes, pod)
    await_another(nodes, pod, was)
    nodes.heal()
    with nodes.session() as nifi:
        # The same nodes hold the same flow files: one that came back under another name would be a node more.
        assert waiting.held(nifi) == before


# --- on their way ---------------------------------------------------------------------------------------------------


@dataclass
class Dataset:
    """A dataset of the test's own, taken in by the flow definition of fx_rates."""

    target: KubernetesTarget

    def deploy(self) -> str:
        return flow.deploy_flow(self.target, DATASET, deadline=Deadline(SECONDS))

    def raw(self) -> set[str]:
        """Digests in the raw zone."""
        keys = self.target.credentials("s3")
        store = s3.client(self.target.address("s3", "http").url, keys["access_key"], keys["secret_key"])
        found = store.list_objects("raw", prefix=f"{DATASET}/", recursive=True)
        return {str(item.object_name).removeprefix(f"{DATASET}/").removesuffix(".csv") for item in found}

    def clean(self) -> None:
        """Remove the flow, its parameters and its objects."""
        with NiFi(self.target.address("nifi", "http").url, SECONDS) as nifi:
            for group in [g for g in nifi.groups() if g.name == DATASET]:
                nifi.delete_group(group.id)
            if context := nifi.parameters(DATASET):
                nifi.delete_parameters(context.id)
        keys = self.target.credentials("s3")
        store = s3.client(self.target.address("s3", "http").url, keys["access_key"], keys["secret_key"])
        found = store.list_objects("raw", prefix=f"{DATASET}/", recursive=True, include_version=True)
        doomed = [DeleteObject(str(item.object_name), item.version_id) for item in found]
        assert list(store.remove_objects("raw", doomed)) == []


@pytest.fixture
def dataset(nodes: Nodes, tmp_path: Path) -> Iterator[Dataset]:
    place = tmp_path / "nifi_flows" / DATASET
    place.mkdir(parents=True)
    shutil.copy(ROOT / "nifi_flows/fx_rates/flow.json", place)
    settings: dict[str, Any] = yaml.safe_load((ROOT / "nifi_flows/fx_rates/parameters.yaml").read_text("utf-8"))
    (place / "parameters.yaml").write_text(json.dumps(settings), encoding="utf-8")
    stack = load_stack(ROOT, target=KUBERNETES)
    # The platform whose nodes were found, whatever it is called.
    file = stack.file.model_copy(update={"name": nodes.namespace.removesuffix("-integration")})
    stack = replace(stack, root=tmp_path, file=file)
    target = KubernetesTarget(stack, Settings(), nodes.cluster, Helm("helm"), inside=False)
    made = Dataset(target)
    try:
        made.clean()
        yield made
        nodes.heal()
        made.clean()
    finally:
        target.close()


def test_files_that_come_in_while_a_node_crashes_all_arrive(nodes: Nodes, dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.deploy() == f"flow {DATASET}: created and started"
    assert dataset.deploy() == f"flow {DATASET}: unchanged"
    digests = set()
    pod, was = f"{SET}-0", nodes.restarts(f"{SET}-0")
    for number in range(FILES):
        file = tmp_path / f"file {number}.csv"
        file.write_text(f"Date,USD,\n2024-01-02,1.{number},\n", encoding="utf-8")
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
        # It is put through one of the nodes, which may be the one that has just crashed.
        Deadline(SECONDS).retry(partial(landing_of(dataset.target).place, DATASET, file), on=ClusterError)
        if number == FILES // 2:
            crash(nodes, pod)
    await_another(nodes, pod, was)
    flow.await_landed(dataset.target, DATASET, Deadline(ARRIVED_SECONDS))
    assert dataset.raw() == digests
    assert dataset.deploy() == f"flow {DATASET}: unchanged"
