"""The cluster of our own is a Kubernetes: pods, services, names, volumes, limits, permissions."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap import cluster as our_cluster
from bootstrap.cluster import archives, binaries
from data_platform.checks.base import Deadline
from data_platform.clients.commands import run
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.targets.local.cache import cache_folder

if TYPE_CHECKING:
    from tests.cluster.given import Given, Room

#: The first test brings the cluster up, and compiles it when it is not there.
pytestmark = pytest.mark.timeout(3600)


#: Seconds until what was asked for is so, and of one command.
SOON, SECONDS = 120.0, 60.0


class NotYetError(Exception):
    """It is not so yet."""


def _service(room: Room, name: str, **more: Any) -> str:
    """A Service of the pods of that name; returns its address."""
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **more}
    made = room.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    return str(made["spec"]["clusterIP"])


def _eventually_calls(room: Room, pod: str, *words: str) -> str:
    """What the probe says when it has success; a new endpoint is programmed some tenths of a second later."""

    def look() -> str:
        code, said = room.call(pod, *words)
        if code:
            raise NotYetError(said)
        return said

    return Deadline(SOON).retry(look, on=NotYetError)


def test_it_is_the_version_that_it_says(given: Given) -> None:
    assert given.client.version() == (1, 37)
    (node,) = given.client.list_objects("v1", "Node")
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.2"
    # What the machine has, and no more.
    assert int(node["status"]["capacity"]["cpu"]) == os.cpu_count()


def test_a_pod_is_reached_by_the_name_of_its_service(room: Room) -> None:
    room.pod("server")
    room.pod("client")
    _service(room, "server")
    for name in ("server", f"server.{room.name}", f"server.{room.name}.svc.cluster.local"):
        assert _eventually_calls(room, "client", "get", f"http://{name}/").startswith("server ")
    assert room.call("client", "lookup", f"nobody.{room.name}.svc.cluster.local")[0] == 1


def test_a_pod_reaches_itself_through_its_service(room: Room) -> None:
    room.pod("server")
    _service(room, "server")
    # Its short name is the pod's own host name.
    assert _eventually_calls(room, "server", "get", f"http://server.{room.name}/").startswith("server ")


def test_names_of_single_pods_are_known(room: Room) -> None:
    _service(room, "db", clusterIP="None", publishNotReadyAddresses=True)
    spec = {
        "serviceName": "db",
        "replicas": 2,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": room.pod_spec("serve", "8080")},
    }
    room.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec})
    pods = [room.wait_for(name) for name in ("db-0", "db-1")]
    assert _eventually_calls(room, "db-1", "lookup", "db-0.db").strip() == pods[0]["status"]["podIP"]
    both = _eventually_calls(room, "db-0", "lookup", f"db.{room.name}.svc.cluster.local").split()
    assert sorted(both) == sorted(pod["status"]["podIP"] for pod in pods)


def test_a_node_port_is_reached_from_the_machine(room: Room, given: Given) -> None:
    room.pod("server")
    _service(room, "server", type="NodePort")
    service = given.client.get("v1", "Service", "server", room.name)
    assert service is not None
    node = given.client.get("v1", "Node", "node")
    assert node is not None
    (address,) = [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
    url = f"http://{address}:{service['spec']['ports'][0]['nodePort']}/"
    probe = str(binaries.programs(cache_folder()).path("agents", "probe"))

    def look() -> str:
        done = subprocess.run([probe, "get", url], capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise NotYetError(done.stderr)
        return done.stdout

    assert Deadline(SOON).retry(look, on=NotYetError).startswith("server ")


def test_a_port_is_forwarded(room: Room, given: Given) -> None:
    room.pod("server")
    _service(room, "server")
    kubectl = str(our_cluster.tools(cache_folder())["kubectl"])
    words = ["--kubeconfig", str(given.kubeconfig), "--namespace", room.name, "port-forward", "pod/server", ":8080"]
    with subprocess.Popen([kubectl, *words], stdout=subprocess.PIPE, text=True) as forward:  # noqa: TID251 - used below
        try:
            assert forward.stdout is not None
            port = forward.stdout.readline().split(" -> ")[0].rpartition(":")[2]
            probe = str(binaries.programs(cache_folder()).path("agents", "probe"))
            said = run([probe, "get", f"http://127.0.0.1:{port}/"], doing="asking the pod", remedy="", seconds=SECONDS)
        finally:
            forward.terminate()
    assert said.startswith("server ")


def test_nothing_outside_can_be_reached_and_one_hears_so_at_once(room: Room) -> None:
    room.pod("client")
    # Where it is dropped the client hears nothing, and says that the time is over.
    code, said = room.call("client", "dial", "192.0.2.99:443", "20s")
    assert code == 1
    assert "unreachable" in said or "no route" in said


def _claim(room: Room, name: str) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    room.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})


def _keeper(room: Room, name: str, claim: str) -> dict[str, Any]:
    """A pod with a volume, run by a user of its own."""
    spec = room.pod_spec("serve", "8080", volumeMounts=[{"name": "data", "mountPath": "/data"}])
    spec["securityContext"] |= {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000}
    spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    room.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    return room.wait_for(name)


def test_a_volume_outlives_its_pod_and_goes_with_its_claim(room: Room, given: Given) -> None:
    _claim(room, "data")
    _keeper(room, "first", "data")
    assert room.call("first", "append", "/data/lines", "one") == (0, "one\n")
    claim = given.client.get("v1", "PersistentVolumeClaim", "data", room.name)
    assert claim is not None
    volume = given.client.get("v1", "PersistentVolume", claim["spec"]["volumeName"])
    assert volume is not None
    # Not hostPath, which backups skip in silence.
    folder = Path(volume["spec"]["local"]["path"])
    # It follows the pod's fsGroup, which a hostPath does not.
    assert folder.stat().st_gid == 2000
    given.client.delete("v1", "Pod", "first", room.name)
    given.client.wait_until("v1", "Pod", "first", room.name, done=lambda pod: pod is None, seconds=SOON)
    _keeper(room, "second", "data")
    assert room.call("second", "append", "/data/lines", "two") == (0, "one\ntwo\n")
    given.client.delete("v1", "Pod", "second", room.name)
    given.client.delete("v1", "PersistentVolumeClaim", "data", room.name)
    name = volume["metadata"]["name"]
    given.client.wait_until("v1", "PersistentVolume", name, done=lambda found: found is None, seconds=SOON)
    assert not folder.exists()


def test_who_eats_more_than_its_limit_is_killed(room: Room) -> None:
    meta = {"name": "eater"}
    spec = room.pod_spec("eat", "200", resources={"limits": {"memory": "32Mi"}}) | {"restartPolicy": "Never"}
    room.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    pod = room.wait_for("eater", "Failed")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_pod_that_asks_for_more_than_there_is_stays_pending(room: Room, given: Given) -> None:
    spec = room.pod_spec("serve", "8080", resources={"requests": {"cpu": "1000"}})
    room.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "big"}, "spec": spec})

    def told(pod: dict[str, Any] | None) -> bool:
        conditions = pod["status"].get("conditions", []) if pod else []
        return any("Insufficient cpu" in condition.get("message", "") for condition in conditions)

    pod = given.client.wait_until("v1", "Pod", "big", room.name, done=told, seconds=SOON)
    assert pod is not None
    assert (pod["status"]["phase"], pod["spec"].get("nodeName")) == ("Pending", None)


def test_a_quota_refuses(room: Room) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}
    room.apply(quota)

    def look() -> None:
        wanted = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": room.pod_spec("serve", "1")}
        try:
            room.client.server_side_apply({**wanted, "metadata": {"name": "one", "namespace": room.name}}, dry_run=True)
        except ClusterError as error:
            if "exceeded quota" in str(error):
                return
            raise
        raise NotYetError

    Deadline(SOON).retry(look, on=NotYetError)


def test_a_restricted_namespace_refuses_privileges(room: Room, given: Given) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    meta = {"name": room.name, "labels": labels}
    given.client.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    room.pod("allowed")
    spec = room.pod_spec("serve", "8080")
    spec["containers"][0]["securityContext"] = {"privileged": True}
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        room.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}, "spec": spec})


def test_an_account_may_do_what_its_role_says(room: Room, given: Given) -> None:
    room.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    group = "rbac.authorization.k8s.io"
    room.apply({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": rules})
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": room.name}],
    }
    room.apply(binding)
    kubectl = str(our_cluster.tools(cache_folder())["kubectl"])
    account = f"--as=system:serviceaccount:{room.name}:reader"

    def can(*words: str) -> str:
        command = [kubectl, f"--kubeconfig={given.kubeconfig}", "auth", "can-i", *words, account]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout.strip()

    assert can("list", "pods", f"--namespace={room.name}") == "yes"
    assert can("delete", "pods", f"--namespace={room.name}") == "no"
    assert can("list", "pods", "--namespace=kube-system") == "no"


def test_an_archive_of_images_is_loaded(room: Room, given: Given, tmp_path: Path) -> None:
    probe = binaries.programs(cache_folder()).path("agents", "probe")
    archive = tmp_path / "an image.tar"
    # Without a registry, as in the platform's own references.
    archives.write(archive, f"data-platform/loaded:{room.name}", {"/probe": probe}, ["/probe"])
    (name,) = our_cluster.load_images(given.own.platform_state, archive)
    assert name == f"docker.io/data-platform/loaded:{room.name}"
    room.image = f"data-platform/loaded:{room.name}"
    room.pod("loaded")


def test_helm_installs_and_removes_a_release(room: Room, given: Given, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 1.0.0\n", encoding="utf-8")
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tiny}\ndata: {word: {{ .Values.word }}}\n"
    (tmp_path / "templates" / "map.yaml").write_text(text, encoding="utf-8")
    helm = str(our_cluster.tools(cache_folder())["helm"])

    def do(*words: str) -> str:
        command = [helm, f"--kubeconfig={given.kubeconfig}", f"--namespace={room.name}", *words]
        return run(command, doing=f"helm {words[0]}", remedy="", seconds=SOON)

    do("install", "tiny", str(tmp_path), "--set", "word=hello")
    found = given.client.get("v1", "ConfigMap", "tiny", room.name)
    assert found is not None
    assert found["data"] == {"word": "hello"}
    do("uninstall", "tiny")
    assert given.client.get("v1", "ConfigMap", "tiny", room.name) is None
