"""Pods that run to their end have their checkout from a repository where Airflow's values say so."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from data_platform.stack.holders import holders
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places, pods
from data_platform.targets.kubernetes.checkout import GitSync, chart_values, git_sync
from data_platform.targets.kubernetes.needs import read_values
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget

SAID = {
    "image": "registry.example.org/git-sync:v4.7.1",
    "repository": "git@git.example.org:data/platform.git",
    "ref": "main",
    "periodSeconds": 60,
    "credentialsSecret": "git",
}


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings(images=dict.fromkeys(stack.components, "any"))


@pytest.fixture
def values(stack: Stack) -> dict[str, Any]:
    """Of Airflow's chart, as they are in the repository."""
    return read_values(stack.components["airflow"].folder, "small")


def test_the_checkout_is_the_images_own_unless_the_values_say_where_it_is(values: dict[str, Any]) -> None:
    assert git_sync(values) is None
    found = git_sync({**values, "gitSync": SAID})
    assert found == GitSync(SAID["image"], SAID["repository"], "main", 60, "git", values["gitSyncResources"])


def test_servers_have_what_tasks_have_and_follow_the_ref_besides(
    stack: Stack, settings: Settings, values: dict[str, Any]
) -> None:
    said = {**values, "gitSync": SAID}
    made = chart_values(said, pods.security(stack)["container"])["checkout"]
    task = pods.templates(stack, settings, pods.Tasks(git=git_sync(said)))["dbt"]["spec"]
    first, beside = made["containers"]
    assert [first] == task["initContainers"]
    assert made["mount"] in task["containers"][0]["volumeMounts"]
    assert [volume for volume in task["volumes"] if volume in made["volumes"]] == made["volumes"]
    assert (beside["restartPolicy"], "--period=60s" in beside["args"]) == ("Always", True)
    assert made["said"] == {"gitSync": SAID, "gitSyncResources": values["gitSyncResources"]}
    assert chart_values(values, {}) == {}


@pytest.mark.parametrize("name", ["deployer", "airflow", "spark", "dbt"])
def test_a_task_waits_for_its_checkout_and_cannot_write_it(
    stack: Stack, settings: Settings, values: dict[str, Any], name: str
) -> None:
    pod = pods.templates(stack, settings, pods.Tasks(git=git_sync({**values, "gitSync": SAID})))[name]
    (first,) = pod["spec"]["initContainers"]
    assert {"--ref=main", "--one-time", f"--link={places.CHECKOUT}/project"} <= set(first["args"])
    assert first["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsUser": 65533,
    }
    (container,) = pod["spec"]["containers"]
    mount = {"name": "checkout", "mountPath": str(places.CHECKOUT), "readOnly": True}
    assert mount in container["volumeMounts"]
    declared = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {m["name"] for m in (*first["volumeMounts"], *container["volumeMounts"])} == declared

    plain = pods.templates(stack, settings, pods.Tasks())[name]
    assert "initContainers" not in plain["spec"]
    assert str(places.CHECKOUT) not in yaml.safe_dump(plain)


def test_what_reads_the_repository_is_given_the_repositorys_login_and_nothing_else(
    stack: Stack, settings: Settings, values: dict[str, Any]
) -> None:
    found = pods.templates(stack, settings, pods.Tasks(git=git_sync({**values, "gitSync": SAID})))
    assert len(found) >= 4
    for name, pod in found.items():
        (first,) = pod["spec"]["initContainers"]
        keys = [each["valueFrom"]["secretKeyRef"]["name"] for each in first["env"]]
        mounted = {mount["name"] for mount in first["volumeMounts"]}
        given = [v["secret"]["secretName"] for v in pod["spec"]["volumes"] if v["name"] in mounted and "secret" in v]
        assert {*keys, *given} == {"git"}, name
        assert "envFrom" not in first


def test_all_pods_that_the_target_describes_have_it(
    stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = KubernetesTarget(stack, settings, None, None, inside=True)  # type: ignore[arg-type]
    target._known = {
        name: dict.fromkeys((*each.fixed, *each.generated), "any") for name, each in holders(stack).items()
    }

    def synced() -> list[bool]:
        files = {**target.etc("airflow"), **target.etc("spark")}
        found = [yaml.safe_load(text) for name, text in files.items() if name.startswith("pods/")]
        assert len(found) >= 6
        return ["initContainers" in pod["spec"] for pod in found]

    assert not any(synced())
    read, airflow = needs.read_values, stack.components["airflow"].folder
    monkeypatch.setattr(
        needs,
        "read_values",
        lambda folder, size, _: read(folder, size) | ({"gitSync": SAID} if folder == airflow else {}),
    )
    assert all(synced())
