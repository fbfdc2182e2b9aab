"""Every secret is where it was declared to be and nowhere else: looked for by value, in every pod of the platform.

The same as tests/e2e/test_secret_holders.py on `local`.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.holders import PAGES, PIPELINES, holder
from data_platform.stack.stack import Stack
from data_platform.targets.base import Target
from data_platform.targets.kubernetes import needs, places
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.running import Running
from tests.secret_values import binding, given, secrets_of, told

pytestmark = pytest.mark.timeout(1800)

#: Finds the lines of its standard input in files and folders: so no argument list and no environment holds them.
_SEARCH = 'test $# -eq 0 || grep -rohaF -f - "$@" 2>/dev/null | sort -u'
#: What every process of the container was started with.
_STARTED_WITH = f"set -- /proc/[0-9]*/environ /proc/[0-9]*/cmdline; {_SEARCH}"
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
#: Servers that speak to the API server: Airflow's, which make pods and deploy, and Patroni.
_WITH_TOKEN = {
    ("airflow", "api-server"),
    ("airflow", "scheduler"),
    ("airflow", "triggerer"),
    ("postgresql", "server"),
    ("spark-operator", "controller"),
}
_SECONDS = 120.0
#: Kinds whose objects must hold no secret.
_OPEN_KINDS = (
    ("v1", "ConfigMap"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
)
#: Component and name of each template from which Airflow and Spark make pods.
_TEMPLATES = [
    *(("airflow", name) for name in ("deployer", "airflow", "analysis", "dbt", "spark")),
    ("spark", "driver"),
    ("spark", "executor"),
]
Object = dict[str, Any]


@pytest.fixture(scope="module")
def target(platform: Running) -> Iterator[KubernetesTarget]:
    with closing(platform.target) as found:
        assert isinstance(found, KubernetesTarget)
        yield found


@pytest.fixture(scope="module")
def stack(target: Target) -> Stack:
    return target.stack


@pytest.fixture(scope="module")
def secrets(target: Target) -> dict[str, str]:
    """Every generated secret, by holder and key."""
    found = secrets_of(target)
    assert len(set(found.values())) == len(found) >= 20
    return found


def of_the_platform(cluster: Cluster, stack: Stack, api_version: str, kind: str) -> list[Object]:
    found = cluster.list_objects(api_version, kind)
    return [each for each in found if each["metadata"]["namespace"].startswith(f"{stack.file.name}-")]


@pytest.fixture(scope="module")
def servers(cluster: Cluster, stack: Stack) -> list[tuple[str, str, Object]]:
    """Component, process and pod of each server."""
    found = []
    for pod in of_the_platform(cluster, stack, "v1", "Pod"):
        if pod["spec"]["restartPolicy"] == "Always" and "deletionTimestamp" not in pod["metadata"]:
            labels = pod["metadata"]["labels"]
            found.append((labels[places.NAME], labels[places.COMPONENT], pod))
    deployed = {name: item for name, item in stack.components.items() if item.is_deployed}
    declared = {(name, process) for name, item in deployed.items() for process in item.definition.processes}
    assert {(component, process) for component, process, _ in found} == declared
    assert len(declared) >= 10
    return found


def search(cluster: Cluster, pod: Object, secrets: dict[str, str], script: str, *paths: str) -> set[str]:
    """Names of the secrets whose value a script finds in a pod's containers."""
    meta, found = pod["metadata"], set()
    values = {value: name for name, value in secrets.items()}
    # Pieces too: some are cut to the length that a format wants.
    patterns = "\n".join(value[:43] for value in values).encode() + b"\n"
    for container in pod["spec"]["containers"]:
        done = cluster.execute(
            meta["name"],
            meta["namespace"],
            ["sh", "-c", script, "sh", *paths],
            patterns,
            container=container["name"],
            seconds=_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        found |= {name for value, name in values.items() if value[:43] in done.stdout.decode().split()}
    return found


def in_processes(cluster: Cluster, pod: Object, secrets: dict[str, str]) -> set[str]:
    return search(cluster, pod, secrets, _STARTED_WITH)


def mounts(pod: Object) -> tuple[list[str], list[str]]:
    """Paths of the pod's volumes with Secrets, and of the others."""
    kinds = {volume["name"]: "secret" in volume or "projected" in volume for volume in pod["spec"].get("volumes", [])}
    found: tuple[list[str], list[str]] = ([], [])
    for container in pod["spec"]["containers"]:
        for mount in container.get("volumeMounts", []):
            found[0 if kinds[mount["name"]] else 1].append(mount["mountPath"])
    return found


def in_files(target: KubernetesTarget, component: str, process: str) -> set[str]:
    """Secrets that the configuration files of a process were declared to hold: its templates name them."""
    item = target.stack.components[component]
    each, spec = holder(target.stack, component), item.definition.processes[process]
    folders = [item.folder / name for name in ("etc", "etc-kubernetes")]
    files = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and any(path.relative_to(folder).match(f"{glob}*") for glob in spec.files)
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return {f"{component}.{key}" for key in each.generated if f"{{{{ {binding(each, key)}" in text}


def test_every_server_was_started_with_what_was_declared_and_nothing_else(
    cluster: Cluster, stack: Stack, servers: list[tuple[str, str, Object]], secrets: dict[str, str]
) -> None:
    for component, process, pod in servers:
        declared = told(stack, component, stack.components[component].definition.processes[process])
        assert in_processes(cluster, pod, secrets) == declared, f"{component}.{process}"
    # The comparison sees secrets at all.
    assert told(stack, "nessie", stack.components["nessie"].definition.processes["server"]) >= {"nessie.s3_secret_key"}


def test_every_server_is_given_the_files_that_were_declared_and_no_others(
    target: KubernetesTarget, cluster: Cluster, servers: list[tuple[str, str, Object]], secrets: dict[str, str]
) -> None:
    found, declared = {}, {}
    for component, process, pod in servers:
        name = f"{component}.{process}"
        declared[name] = in_files(target, component, process)
        found[name] = search(cluster, pod, secrets, _SEARCH, *mounts(pod)[0])
    # Pages read as what they are, and its API gives tasks their connections.
    for each in (PAGES, PIPELINES):
        declared["airflow.api-server"] |= {f"{each}.{key}" for key in holder(target.stack, each).generated}
    declared["airflow.api-server"] |= {f"airflow.{key}" for key in holder(target.stack, "airflow").generated}
    assert found == declared
    assert sum(bool(each) for each in found.values()) >= 4


def test_what_servers_write_holds_no_secret_of_others(
    cluster: Cluster, stack: Stack, servers: list[tuple[str, str, Object]], secrets: dict[str, str]
) -> None:
    assert len(servers) > len(stack.components) / 2
    for component, process, pod in servers:
        paths = mounts(pod)[1]
        assert paths, f"{component}.{process}: a pod of ours writes into volumes alone"
        strange = search(cluster, pod, secrets, _SEARCH, *paths) - given(stack, component)
        assert strange == set(), f"{component}.{process}"


def test_only_what_speaks_to_the_api_server_has_a_token(
    cluster: Cluster, servers: list[tuple[str, str, Object]]
) -> None:
    found = set()
    for component, process, pod in servers:
        meta = pod["metadata"]
        done = cluster.execute(meta["name"], meta["namespace"], ["sh", "-c", f"test -e {_TOKEN}"], seconds=_SECONDS)
        if done.returncode == 0:
            found.add((component, process))
    assert found == _WITH_TOKEN


def test_no_object_but_a_secret_holds_one(cluster: Cluster, stack: Stack, secrets: dict[str, str]) -> None:
    for api_version, kind in _OPEN_KINDS:
        listed = of_the_platform(cluster, stack, api_version, kind)
        assert listed, kind
        for each in listed:
            text = json.dumps(each)
            there = [name for name, value in secrets.items() if value[:43] in text]
            assert there == [], f"{kind} {each['metadata']['name']}"


def test_what_helm_keeps_of_releases_holds_no_secret(cluster: Cluster, stack: Stack, secrets: dict[str, str]) -> None:
    kept = [s for s in of_the_platform(cluster, stack, "v1", "Secret") if s["type"] == "helm.sh/release.v1"]
    assert len(kept) >= len(stack.components) - 2
    jobs = set()
    for each in kept:
        text = gzip.decompress(base64.b64decode(base64.b64decode(each["data"]["release"]))).decode()
        assert "chart" in text
        jobs |= {hook["name"] for hook in json.loads(text).get("hooks") or () if hook["kind"] == "Job"}
        assert [name for name, value in secrets.items() if value[:43] in text] == [], each["metadata"]["name"]
    # Jobs are here alone: one that has ended well is removed.
    assert jobs


@pytest.fixture
def task(request: pytest.FixtureRequest, target: KubernetesTarget, cluster: Cluster) -> Iterator[tuple[str, Object]]:
    """Name of a template, and a pod made from it that waits instead of working."""
    component, template = request.param
    pod = yaml.safe_load(target.etc(component)[f"pods/{template}.yaml"])
    namespace, name = pod["metadata"]["namespace"], f"secrets-of-{template}"
    pod["metadata"] |= {"name": name}
    container = pod["spec"]["containers"][0]
    container |= {"command": ["cat"], "args": [], "stdin": True}
    # Who makes a pod of Spark's says how much it takes; here it takes little.
    container.setdefault("resources", {}).setdefault("requests", {}).setdefault("cpu", "50m")
    container["resources"]["limits"].setdefault("memory", "256Mi")
    pod["spec"]["terminationGracePeriodSeconds"] = 0
    cluster.server_side_apply(pod, field_manager="by-hand")
    try:
        running = cluster.wait_until(
            "v1",
            "Pod",
            name,
            namespace,
            done=lambda found: found is not None and found["status"].get("phase") == "Running",
            seconds=_SECONDS,
        )
        assert running is not None
        yield template, running
    finally:
        cluster.delete("v1", "Pod", name, namespace)


def test_every_template_is_looked_at(target: KubernetesTarget, stack: Stack) -> None:
    made = {
        (component, path.removeprefix("pods/").removesuffix(".yaml"))
        for component, item in stack.components.items()
        if item.is_deployed and (item.definition.processes or item.definition.tools)
        for path in target.etc(component)
        if path.startswith("pods/")
    }
    assert made == set(_TEMPLATES)


@pytest.mark.parametrize("task", _TEMPLATES, indirect=True, ids="-".join)
def test_a_pod_that_runs_to_its_end_holds_what_was_declared_and_nothing_else(
    target: KubernetesTarget, cluster: Cluster, stack: Stack, task: tuple[str, Object], secrets: dict[str, str]
) -> None:
    template, pod = task
    meta, identity = pod["metadata"], pod["metadata"]["labels"][places.NAME]
    started = in_processes(cluster, pod, secrets)
    found = search(cluster, pod, secrets, _SEARCH, *mounts(pod)[0])
    done = cluster.execute(meta["name"], meta["namespace"], ["sh", "-c", f"test -e {_TOKEN}"], seconds=_SECONDS)
    token = done.returncode == 0
    if identity == "spark":
        spec = stack.components["spark"].definition.tools["submit"]
        assert started == told(stack, "spark", spec)
        assert found <= given(stack, "spark")
        assert token == (template == "driver")
        return
    assert started == set(), "nothing in the environment of a task"
    if template == places.DEPLOYER_TEMPLATE:
        assert found == set(), "the deployer reads what it needs at the API server"
        assert token
        return
    whose = [PIPELINES, *([] if template == "airflow" else [template])]
    assert found == {f"{each}.{key}" for each in whose for key in holder(stack, each).generated}
    assert token == (template in needs.submitters(stack, target.settings.size))
