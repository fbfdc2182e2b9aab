"""An upgrade leaves what the revisions before it need: the way back brings the configuration back, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.targets.kubernetes import context, releases
from data_platform.targets.kubernetes.definition import etc_files, secret_object
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.unit.targets.kubernetes.conftest import FakeHelm, steps
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

PROCESSING = "data-platform-processing"


def configure(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let Nessie's configuration file say something else."""

    def changed(item: Loaded, values: Mapping[str, Any]) -> dict[str, bytes]:
        return etc_files(item, values) | ({"application.properties": text.encode()} if item.name == "nessie" else {})

    monkeypatch.setattr(context, "etc_files", changed)


def deploy(target: KubernetesTarget, component: str = "nessie") -> None:
    target.apply(component, steps(target, component))


def stored(target: KubernetesTarget, component: str = "nessie") -> set[str]:
    """Names of what the present definition needs."""
    return {content.stored for content in target._secrets(target._item(component)).values()}


def there(cluster: FakeCluster, component: str = "nessie") -> set[str]:
    """Names of the Secrets with configuration of Nessie."""
    names = {name for kind, where, name in cluster.objects if kind == "Secret" and where == PROCESSING}
    return {name for name in names if name.startswith(f"{component}-") and not name.endswith("-credentials")}


def told(cluster: FakeCluster) -> set[str]:
    """What the newest revision's pods are given."""
    record = releases.newest(cluster, "nessie", PROCESSING)  # type: ignore[arg-type]
    assert record
    return {record.values["etc"]["secret"], record.values["processes"]["server"]["environmentSecret"]}


def test_the_way_back_brings_back_the_configuration_and_an_upgrade_overwrites_nothing(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(target)
    first, before = stored(target), target.revision("nessie")
    kept = {name: cluster.objects["Secret", PROCESSING, name] for name in first}
    assert before == "1"
    configure(monkeypatch, "quarkus.http.port=no-number")
    deploy(target)
    assert told(cluster) == stored(target) != first
    assert {name: cluster.objects["Secret", PROCESSING, name] for name in first} == kept
    target.restore("nessie", before)
    assert told(cluster) == first
    assert there(cluster) == first | stored(target)


def test_what_no_kept_revision_needs_is_removed_by_the_deploy_and_no_plan_names_it(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.helm = FakeHelm(cluster, history=3)
    expected = []
    for number in range(5):
        configure(monkeypatch, f"# {number}")
        deploy(target)
        expected.append(stored(target))
        assert steps(target, "nessie") == []
    assert there(cluster) == set().union(*expected[-3:])
    assert not expected[0] <= there(cluster)


def test_what_a_pod_still_names_stays(
    target: KubernetesTarget, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.helm = FakeHelm(cluster, history=1)
    deploy(target)
    (old,) = (name for name in stored(target) if name.startswith("nessie-etc-"))
    pod = {
        "kind": "Pod",
        "metadata": {"name": "nessie-1", "namespace": PROCESSING},
        "spec": {"volumes": [{"name": "etc", "secret": {"secretName": old}}]},
    }
    cluster.objects["Pod", PROCESSING, "nessie-1"] = pod
    configure(monkeypatch, "# changed")
    deploy(target)
    assert there(cluster) == stored(target) | {old}
    del cluster.objects["Pod", PROCESSING, "nessie-1"]
    assert [str(step) for step in steps(target, "nessie")] == [
        f"remove secret {old}: the component does not declare it"
    ]
    deploy(target)
    assert there(cluster) == stored(target)


def test_a_platform_whose_secrets_have_fixed_names_is_taken_over_and_they_go_with_its_pods(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    target.helm = FakeHelm(cluster, history=2)
    secrets = target._secrets(target._item("nessie"))
    for content in secrets.values():
        cluster.server_side_apply(secret_object(target.stack, "nessie", content))
    values = {"etc": {"secret": "nessie-etc"}}
    cluster.release("nessie", PROCESSING, "", values, **{releases.DIGEST_LABEL: "earlier"})
    fixed = there(cluster)
    assert fixed == {"nessie-etc", "nessie-server"}
    assert [(step.verb, step.name) for step in steps(target, "nessie")] == [
        ("write", "nessie-server"),
        ("write", "nessie-etc"),
        ("upgrade", "nessie"),
    ]
    old = {"volumes": [{"secret": {"secretName": name}} for name in sorted(fixed)]}
    cluster.server_side_apply({"kind": "Pod", "metadata": {"name": "old", "namespace": PROCESSING}, "spec": old})
    deploy(target)
    assert there(cluster) == fixed | stored(target)
    assert steps(target, "nessie") == []
    cluster.delete("v1", "Pod", "old", PROCESSING)
    target.forget_earlier("nessie")
    assert there(cluster) == stored(target)
    with pytest.raises(PlatformError, match="Helm does not keep revision 1 of nessie"):
        target.restore("nessie", "1")


def test_there_is_no_way_back_to_what_is_gone(target: KubernetesTarget, cluster: FakeCluster) -> None:
    deploy(target)
    with pytest.raises(PlatformError, match="no revision of nessie was deployed before"):
        target.restore("nessie", "")
    with pytest.raises(PlatformError, match="Helm does not keep revision 7 of nessie any more"):
        target.restore("nessie", "7")
    (etc,) = (name for name in stored(target) if name.startswith("nessie-etc-"))
    cluster.delete("v1", "Secret", etc, PROCESSING)
    with pytest.raises(PlatformError, match=f"revision 1 of nessie needs Secrets that are gone: {etc}\n"):
        target.restore("nessie", "1")


def test_after_a_rotation_nothing_holds_the_old_value_and_no_revision_leads_to_it(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    deploy(target)
    old = target.credentials("nessie")["s3_secret_key"]
    target.stage("nessie", "s3_secret_key")
    target.promote("nessie", "s3_secret_key")
    deploy(target)
    assert len(there(cluster)) == 3
    target.forget_earlier("nessie")
    assert there(cluster) == stored(target)
    assert old not in repr(cluster.objects)
    assert [record.revision for record in releases.history(cluster, "nessie", PROCESSING)] == [2]  # type: ignore[arg-type]
    assert steps(target, "nessie") == []


def test_what_pods_of_tools_need_is_there_before_tasks_know_of_it(
    target: KubernetesTarget, cluster: FakeCluster
) -> None:
    deploy(target, "airflow")
    assert there(cluster, "spark") == stored(target, "spark")
    assert {name[: -len("-0123456789")] for name in there(cluster, "spark")} == {
        "spark-etc", "spark-executor", "spark-driver",
    }  # fmt: skip
    # Each is deployed with its own component.
    assert [(step.kind, step.verb) for step in steps(target, "spark")] == [("release", "install")]
    deploy(target, "spark")
    assert there(cluster, "spark") == stored(target, "spark")
