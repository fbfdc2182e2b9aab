"""Why a component does not come up: each fault as the API shows it, with what must be said of it."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.targets.kubernetes.faults import Facts, explain, faults, of_helm

SPACE = "data-platform-processing"


def pod(name: str = "trino-server-0", *, phase: str = "Running", **status: Any) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "data-platform/trino:1a2b",
        "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"memory": "1800Mi"}},
    }
    return {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": {"phase": phase, **status}}


def container(state: dict[str, Any], *, last: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    one = {"name": "server", "state": state, "lastState": last or {}, "ready": False, "restartCount": 0, **more}
    return pod(containerStatuses=[one])


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def event(kind: str, name: str, reason: str, message: str, at: str = "2026-11-25T18:00:00Z") -> dict[str, Any]:
    about = {"kind": kind, "name": name}
    return {"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": at}


def claim(phase: str = "Pending", storage_class: str | None = "openebs-hostpath") -> dict[str, Any]:
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": "2Gi"}}}
    return {"metadata": {"name": "data-trino-server-0"}, "spec": spec, "status": {"phase": phase}}


def deployment(message: str = "") -> dict[str, Any]:
    failed = [{"type": "ReplicaFailure", "status": "True", "message": message}] if message else []
    return {"kind": "Deployment", "metadata": {"name": "trino-worker"}, "spec": {}, "status": {"conditions": failed}}


def stateful(replicas: int = 0) -> dict[str, Any]:
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "trino-server"},
        "spec": {"replicas": 2},
        "status": {"replicas": replicas},
    }


def lab(kind: str, status: str, message: str = "") -> dict[str, Any]:
    conditions = {"Ready": {"type": "Ready", "status": "True"}}
    conditions[kind] = {"type": kind, "status": status, "message": message}
    return {"metadata": {"name": "lab"}, "status": {"conditions": list(conditions.values())}}


def unscheduled(message: str) -> dict[str, Any]:
    why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(phase="Pending", conditions=[why])


QUOTA = (
    'pods "trino-worker-7d" is forbidden: exceeded quota: platform, requested: requests.memory=2Gi, '
    "used: requests.memory=7Gi, limited: requests.memory=8Gi"
)
LIMIT = 'pods "trino-worker-7d" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi'
SECURITY = (
    'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
    '(container "server" must set securityContext.allowPrivilegeEscalation=false)'
)
LOG = {("trino-server-0", "server"): "starting\nERROR: no such catalog: lakehouse\n"}

#: Facts, what the problem must name, what the remedy must say.
CASES: dict[str, tuple[Facts, list[str], str]] = {
    "image cannot be pulled": (
        Facts(pods=[waiting("ImagePullBackOff", 'Back-off pulling image "data-platform/trino:1a2b"')]),
        ["Pod trino-server-0", "container server", "image data-platform/trino:1a2b", "ImagePullBackOff"],
        "bootstrap images build",
    ),
    "image is not there": (
        Facts(pods=[waiting("ErrImagePull", "not found")]),
        ["image data-platform/trino:1a2b is not there (ErrImagePull): not found"],
        "push them where the values say",
    ),
    "image is not loaded": (
        Facts(pods=[waiting("ErrImageNeverPull")]),
        ["image data-platform/trino:1a2b is not there (ErrImageNeverPull)"],
        "images",
    ),
    "claim without a class": (
        Facts(claims=[claim(storage_class=None)]),
        ["PersistentVolumeClaim data-trino-server-0", SPACE, "2Gi", "no class is the default"],
        "default",
    ),
    "claim of a class that is missing": (
        Facts(claims=[claim()], classes=["local-path"]),
        ["PersistentVolumeClaim data-trino-server-0", "StorageClass openebs-hostpath", "only local-path"],
        "install that class",
    ),
    "claim that gets no volume": (
        Facts(
            claims=[claim()],
            classes=["openebs-hostpath"],
            events=[event("PersistentVolumeClaim", "data-trino-server-0", "ProvisioningFailed", "no space in pool")],
        ),
        ["PersistentVolumeClaim data-trino-server-0", "no space in pool"],
        "provisioner",
    ),
    "claim whose volume is lost": (Facts(claims=[claim("Lost")]), ["has lost its volume"], "backup"),
    "quota, of a Deployment": (
        Facts(workloads=[deployment(QUOTA)]),
        ["Deployment trino-worker", "ResourceQuota platform", "requests.memory=2Gi", "allowed requests.memory=8Gi"],
        "lower requests or replicas",
    ),
    "quota, of a StatefulSet": (
        Facts(workloads=[stateful()], events=[event("StatefulSet", "trino-server", "FailedCreate", QUOTA)]),
        ["StatefulSet trino-server", "ResourceQuota platform", "requests.memory=2Gi"],
        "deploy the guard rails again",
    ),
    "limit range": (
        Facts(workloads=[deployment(LIMIT)]),
        ["LimitRange", "maximum memory usage per Container is 4Gi, but limit is 8Gi"],
        "ask for less",
    ),
    "pod security": (
        Facts(workloads=[deployment(SECURITY)]),
        ["Pod Security", "allowPrivilegeEscalation != false"],
        "security context",
    ),
    "no account": (
        Facts(workloads=[deployment('error looking up service account x/trino: serviceaccount "trino" not found')]),
        ["ServiceAccount trino is missing"],
        "deploy the component again",
    ),
    "refusal that is not known": (
        Facts(workloads=[deployment("admission webhook said no")]),
        ["Deployment trino-worker gets no pod: admission webhook said no"],
        "docs/runbooks/kubernetes-deploy-is-red.md",
    ),
    "crash": (
        Facts(
            pods=[waiting("CrashLoopBackOff", last={"terminated": {"exitCode": 3}}, restartCount=4)], logs=LOG
        ),
        ["Pod trino-server-0", "ended with 3 (4 restarts)", "ERROR: no such catalog: lakehouse"],
        "kubectl logs trino-server-0 -c server --previous",
    ),
    "a container that has ended badly": (
        Facts(pods=[container({"terminated": {"exitCode": 2, "reason": "Error"}})], logs=LOG),
        ["ended with 2", "no such catalog"],
        "log",
    ),
    "out of memory": (
        Facts(
            pods=[
                waiting("CrashLoopBackOff", last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
            ]
        ),
        ["Pod trino-server-0", "memory limit of 1800Mi", "OOMKilled"],
        "raise its memory",
    ),
    "program is missing": (
        Facts(
            pods=[
                container(
                    {"terminated": {"exitCode": 128, "reason": "StartError", "message": 'exec: "java": not found'}}
                )
            ]
        ),
        ["container server cannot start", 'exec: "java": not found'],
        "build its image again",
    ),
    "secret is missing": (
        Facts(pods=[waiting("CreateContainerConfigError", 'secret "trino-server" not found')]),
        ["container server cannot start", 'secret "trino-server" not found'],
        "writes its Secrets",
    ),
    "volume of a secret": (
        Facts(
            pods=[waiting("ContainerCreating")],
            events=[event("Pod", "trino-server-0", "FailedMount", 'secret "trino-etc" not found')],
        ),
        ["Pod trino-server-0 cannot mount a volume", 'secret "trino-etc" not found'],
        "writes its Secrets",
    ),
    "no room": (
        Facts(pods=[unscheduled("0/1 nodes are available: 1 Insufficient memory.")]),
        ["no node takes the Pod trino-server-0", "Insufficient memory"],
        "add a node",
    ),
    "no volume": (
        Facts(pods=[unscheduled("pod has unbound immediate PersistentVolumeClaims")]),
        ["no node takes the Pod trino-server-0"],
        "claims",
    ),
    "no node with its label": (
        Facts(pods=[unscheduled("1 node(s) didn't match Pod's node affinity/selector")]),
        ["node affinity"],
        "labels, taints and spread",
    ),
    "disk, seen on the node": (
        Facts(nodes=[lab("DiskPressure", "True", "kubelet has disk pressure")]),
        ["Node lab is out of disk (DiskPressure): kubelet has disk pressure"],
        "free disk",
    ),
    "disk, seen on the pod": (
        Facts(pods=[unscheduled("1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }")]),
        ["disk-pressure"],
        "free disk",
    ),
    "evicted": (
        Facts(pods=[pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage.")]),
        ["Pod trino-server-0 was evicted: The node was low on resource: ephemeral-storage."],
        "free what the node lacks",
    ),
    "node is away": (
        Facts(nodes=[lab("Ready", "Unknown", "stopped posting")]),
        ["Node lab is not ready: stopped posting"],
        "kubectl describe node lab",
    ),
    "pending release": (
        Facts(release="pending-upgrade"),
        ["helm release trino", SPACE, "pending-upgrade"],
        "forgets the half-done revision",
    ),
    "runs and is not ready": (
        Facts(
            pods=[container({"running": {}})],
            events=[event("Pod", "trino-server-0", "Unhealthy", "Readiness probe failed: 503")],
        ),
        ["Pod trino-server-0", "is not ready: Readiness probe failed: 503"],
        "kubectl logs trino-server-0 -c server",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_fault_names_its_object_and_its_remedy(case: str) -> None:
    facts, words, remedy = CASES[case]
    error = explain("trino", SPACE, facts)
    assert error is not None
    for word in words:
        assert word in error.problem
    assert remedy in error.remedy
    assert error.problem.startswith(f"trino in {SPACE} does not come up:\n- ")


#: Looks like a fault and is none.
WELL: dict[str, Facts] = {
    "nothing": Facts(),
    "all runs": Facts(
        pods=[pod(containerStatuses=[{"name": "server", "state": {"running": {}}, "ready": True, "restartCount": 0}])],
        workloads=[deployment(), stateful(2)],
        claims=[claim("Bound")],
        nodes=[lab("DiskPressure", "False")],
        release="deployed",
    ),
    "an old refusal of pods that are there now": Facts(
        workloads=[stateful(2)], events=[event("StatefulSet", "trino-server", "FailedCreate", QUOTA)]
    ),
    "a refusal of another component": Facts(events=[event("ReplicaSet", "nessie-7d", "FailedCreate", QUOTA)]),
    "a claim that waits for its pod": Facts(
        claims=[claim()],
        classes=["openebs-hostpath"],
        events=[
            event(
                "PersistentVolumeClaim",
                "data-trino-server-0",
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding",
            )
        ],
    ),
    "a pod that is being made": Facts(pods=[waiting("ContainerCreating")]),
    "a mount that failed and then worked": Facts(
        pods=[pod(containerStatuses=[{"name": "server", "state": {"running": {}}, "ready": True, "restartCount": 0}])],
        events=[event("Pod", "trino-server-0", "FailedMount", "no")],
    ),
    "a container that has done its work": Facts(pods=[container({"terminated": {"exitCode": 0}})]),
    "a first look that was too early": Facts(pods=[container({"running": {}})]),
}


@pytest.mark.parametrize("case", WELL)
def test_what_only_looks_like_a_fault_is_none(case: str) -> None:
    assert faults("trino", SPACE, WELL[case]) == []
    assert explain("trino", SPACE, WELL[case]) is None


def test_the_most_basic_fault_is_told_first_and_each_once() -> None:
    facts = Facts(
        pods=[unscheduled("untolerated taint {node.kubernetes.io/disk-pressure: }"), waiting("ErrImagePull")],
        nodes=[lab("DiskPressure", "True")],
        claims=[claim(storage_class=None), claim(storage_class=None)],
    )
    found = [fault.problem.partition(" ")[0] for fault in faults("trino", SPACE, facts)]
    assert found == ["Node", "PersistentVolumeClaim", "Pod", "no"]
    error = explain("trino", SPACE, facts)
    assert error is not None
    assert error.remedy.count("free disk") == 1


def test_a_server_that_is_still_starting_is_no_certain_fault_and_a_crashing_one_is() -> None:
    starting, _, _ = CASES["runs and is not ready"]
    assert explain("trino", SPACE, starting, certain=True) is None
    assert explain("trino", SPACE, CASES["crash"][0], certain=True) is not None


def test_only_the_last_lines_of_a_log_are_shown() -> None:
    logs = {("trino-server-0", "server"): "\n".join(f"line {number}" for number in range(100))}
    (fault,) = faults("trino", SPACE, Facts(pods=[waiting("CrashLoopBackOff")], logs=logs))
    assert "line 99" in fault.problem
    assert "line 84" not in fault.problem


#: As Helm 4 says it, cut to its last lines.
HELM = {
    "CRD missing": (
        (
            "Error: unable to build kubernetes objects from release manifest: resource mapping not found for name: "
            '"x" namespace: "" from "": no matches for kind "ServiceMonitor" in version "monitoring.coreos.com/v1"\n'
            "ensure CRDs are installed first"
        ),
        "the cluster has no kind ServiceMonitor of monitoring.coreos.com/v1: its CustomResourceDefinition is missing",
        "install the operator",
    ),
    "pending": (
        "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        "an earlier operation on it was cut off",
        "forgets the half-done revision",
    ),
    "API away": (
        (
            'Error: kubernetes cluster unreachable: Get "https://127.0.0.1:16444/version": dial tcp 127.0.0.1:16444: '
            "connect: connection refused"
        ),
        "the API server went away",
        "it goes on where it stopped",
    ),
    "someone else's": (
        (
            'Error: unable to continue with install: ConfigMap "x" in namespace "ht" exists and cannot be imported '
            'into the current release: invalid ownership metadata; label validation error: missing key "app"'
        ),
        'ConfigMap "x" in namespace "ht" is there and belongs to someone else',
        "label and annotations",
    ),
    "no right": (
        (
            'Error: query: failed to query with labels: secrets is forbidden: User "system:serviceaccount:ht:weak" '
            'cannot list resource "secrets" in API group "" in the namespace "ht"'
        ),
        'system:serviceaccount:ht:weak cannot list resource "secrets" in API group "" in the namespace "ht"',
        "cluster administrator",
    ),
    "quota": (
        (
            'Error: server-side apply failed for object ht/x /v1, Kind=Service: services "x" is forbidden: exceeded '
            "quota: q, requested: services.nodeports=1, used: services.nodeports=0, limited: services.nodeports=0"
        ),
        'the ResourceQuota q refuses services "x": asked for services.nodeports=1; used are services.nodeports=0',
        "lower requests",
    ),
    "job failed": (
        (
            "Error: failed pre-install: resource Job/data-platform-core/airflow-migrate not ready. status: Failed, "
            "message: Job Failed. failed: 1/1"
        ),
        "its job airflow-migrate failed",
        "kubectl logs --namespace data-platform-core job/airflow-migrate",
    ),
    "job too slow": (
        (
            "Error: failed pre-install: resource Job/data-platform-core/airflow-migrate not ready. status: InProgress, "
            "message: Job in progress\ncontext deadline exceeded"
        ),
        "its job airflow-migrate did not end in time",
        "kubectl describe --namespace data-platform-core job/airflow-migrate",
    ),
    "unknown": ("Error: something new\nand more", "helm failed:\nError: something new\nand more", "docs/runbooks/"),
}


@pytest.mark.parametrize("case", HELM)
def test_what_helm_says_is_told_with_its_remedy(case: str) -> None:
    said, problem, remedy = HELM[case]
    error = of_helm("trino", SPACE, said)
    assert error.problem.startswith(f"the release trino in {SPACE}: {problem}")
    assert remedy in error.remedy
