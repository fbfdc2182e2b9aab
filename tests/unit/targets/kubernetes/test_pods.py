"""What a pod of a task holds: its account, and every secret that its definition or one of its volumes gives to it."""

from __future__ import annotations

import copy
import re
from typing import Any, cast

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.holders import holders
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places, pods
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget

Object = dict[str, Any]
Contents = dict[str, dict[str, bytes]]
#: Components whose images hold tools; dbt holds nothing, for Trino asks nobody for a password.
TOOLS, HOLDING = ("analysis", "dbt", "spark"), {"analysis", "spark"}
#: What each generated credential is here, so that its owner is known wherever it turns up.
_MARK = re.compile(rb"of<([a-z0-9-]+)>")


@pytest.fixture(scope="module")
def target(stack: Stack) -> KubernetesTarget:
    """The platform on a cluster that nobody asks, whose credentials name their owners."""
    settings = Settings(images={name: f"{name}:1" for name in stack.components})
    found = KubernetesTarget(stack, settings, cast("Cluster", None), Helm("helm"), inside=True)
    for name, each in holders(stack).items():
        found._known[name] = {**each.fixed, **dict.fromkeys(each.generated, f"of<{name}>{'0' * 64}")}
    return found


@pytest.fixture(scope="module")
def templates(target: KubernetesTarget) -> dict[str, Object]:
    """As the executor reads them."""
    files = {name: text for name, text in target.etc("airflow").items() if name.startswith("pods/")}
    assert len(files) >= 4
    return {name.removeprefix("pods/").removesuffix(".yaml"): yaml.safe_load(text) for name, text in files.items()}


@pytest.fixture(scope="module")
def contents(target: KubernetesTarget) -> Contents:
    """Secrets of the namespace, by the name under which they are stored."""
    return {content.stored: content.data for content in target._secrets(target._item("airflow")).values()}


def stored(target: KubernetesTarget, name: str) -> str:
    """Under which name a Secret of Airflow's is stored."""
    return target._secrets(target._item("airflow"))[name].stored


def owners(pod: Object, contents: Contents) -> set[str]:
    """Whose secrets a pod is given, by its definition or by Secrets."""
    given = [yaml.safe_dump(pod).encode()]
    for container in pod["spec"]["containers"]:
        for source in container.get("envFrom", []):
            given += contents[source["secretRef"]["name"]].values()
        for variable in container["env"]:
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                given.append(contents[reference["name"]][reference["key"]])
    for volume in pod["spec"]["volumes"]:
        if secret := volume.get("secret"):
            data = contents[secret["secretName"]]
            keys = [item["key"] for item in secret["items"]] if "items" in secret else list(data)
            given += [data[key] for key in keys]
    return {found.decode() for text in given for found in _MARK.findall(text)}


@pytest.mark.parametrize("name", ["airflow", *TOOLS])
def test_a_datasets_pod_holds_what_pipelines_and_its_tools_hold(
    templates: dict[str, Object], contents: Contents, name: str
) -> None:
    assert owners(templates[name], contents) == {"pipelines"} | ({name} & HOLDING)


@pytest.mark.parametrize(
    "leak",
    [
        lambda spec, etc: spec["containers"][0].update(envFrom=[{"secretRef": {"name": etc}}]),
        lambda spec, etc: spec["volumes"][0]["secret"].update(secretName=etc),
        lambda spec, _: spec["containers"][0]["env"].append({"name": "KEY", "value": "of<airflow>"}),
    ],
    ids=["environment", "volume", "value"],
)
def test_the_judge_sees_a_secret_that_is_not_theirs(
    target: KubernetesTarget, templates: dict[str, Object], contents: Contents, leak: Any
) -> None:
    pod = copy.deepcopy(templates["dbt"])
    leak(pod["spec"], stored(target, "airflow-etc"))
    assert "airflow" in owners(pod, contents)


def test_the_deployers_pod_is_given_no_secret_and_asks_by_its_token(
    target: KubernetesTarget, templates: dict[str, Object], contents: Contents
) -> None:
    pod = templates["deployer"]
    assert owners(pod, contents) == set()
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["automountServiceAccountToken"]) == ("airflow", True)
    assert pod["metadata"]["labels"] == places.labels(target.stack, "airflow", "deploy-task")


@pytest.mark.parametrize("name", ["airflow", "analysis", "dbt"])
def test_a_datasets_pod_has_an_account_without_rights_and_no_token(
    target: KubernetesTarget, templates: dict[str, Object], name: str
) -> None:
    pod = templates[name]
    assert pod["spec"]["serviceAccountName"] == "pipelines"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["metadata"]["labels"] == places.labels(target.stack, "pipelines", "task")


def test_a_task_that_asks_for_nothing_gets_a_datasets_pod(target: KubernetesTarget) -> None:
    scheduler = target._secrets(target._item("airflow"))["airflow-scheduler"].data
    said = scheduler["AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE"].decode()
    assert said == str(places.ETC / "airflow" / "pods" / "airflow.yaml")


def test_a_task_reads_one_file_of_airflows_configuration(templates: dict[str, Object], contents: Contents) -> None:
    assert len(templates) > 1
    for name, pod in templates.items():
        (etc,) = (volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "etc")
        assert contents[etc["secretName"]].keys() == {"airflow.cfg"}, name


def test_what_is_to_come_in_a_rotation_is_told_to_no_task_and_changes_no_name(
    target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: content.stored for name, content in target._secrets(target._item("airflow")).items()}
    assert before.keys() > {"airflow-pages", "airflow-task-spark"}
    monkeypatch.setitem(target._known, "spark", {**target._known["spark"], "s3_secret_key_next": "to come"})
    assert {name: content.stored for name, content in target._secrets(target._item("airflow")).items()} == before
    monkeypatch.setitem(target._known, "spark", {**target._known["spark"], "s3_secret_key": "another"})
    after = {name: content.stored for name, content in target._secrets(target._item("airflow")).items()}
    # The templates in airflow-etc name the other.
    assert {name for name in after if after[name] != before[name]} == {"airflow-etc", "airflow-task-spark"}


@pytest.mark.parametrize("name", ["airflow", *TOOLS])
def test_credentials_are_mounted_where_the_target_looks(
    templates: dict[str, Object], contents: Contents, name: str
) -> None:
    (container,) = templates[name]["spec"]["containers"]
    mount = {"name": "credentials", "mountPath": str(places.CREDENTIALS), "readOnly": True}
    assert mount in container["volumeMounts"]
    (secret,) = (v["secret"] for v in templates[name]["spec"]["volumes"] if v["name"] == "credentials")
    # A component that holds nothing has a file too: without one the target would ask the API server.
    assert set(contents[secret["secretName"]]) == {"pipelines.json", f"{name}.json"} - {"airflow.json"}


@pytest.mark.parametrize(
    ("runner", "account", "kind"),
    [("pod", "pipelines", "task"), ("scheduler", "spark-submit", "submit"), ("operator", "spark-submit", "submit")],
)
def test_only_what_starts_jobs_elsewhere_holds_a_token(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, runner: str, account: str, kind: str
) -> None:
    monkeypatch.setattr(needs, "execution", lambda *_: {"runner": runner})
    settings = Settings(images=dict.fromkeys(stack.components, "any:1"))
    found = pods.templates(stack, settings, pods.Tasks(submitters=needs.submitters(stack, "small")))
    spec = found["spark"]["spec"]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == (account, runner != "pod")
    assert found["spark"]["metadata"]["labels"][places.COMPONENT] == kind
    assert found["dbt"]["spec"]["serviceAccountName"] == "pipelines"


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_that_a_check_runs_holds_what_its_component_holds(
    target: KubernetesTarget, contents: Contents, name: str
) -> None:
    pod = pods.tool_pod(target.stack, target.settings, name, ["any"], "tool-1", tasks=target._tasks())
    assert owners(pod, contents) == {name} & HOLDING
    assert pod["spec"]["serviceAccountName"] == ("spark-submit" if name == "spark" else "pipelines")
    # Logs of Airflow's tasks and its configuration are not its business.
    assert not [volume for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume]
    assert {v["name"] for v in pod["spec"]["volumes"] if "secret" in v} == {"credentials"}


def test_what_airflow_wants_when_it_is_loaded_tasks_are_told_and_it_opens_nothing(
    target: KubernetesTarget, templates: dict[str, Object]
) -> None:
    """Servers read these options by commands, from files that tasks do not have."""
    options, section = set(), ""
    for line in target.etc("airflow")["airflow.cfg"].decode().splitlines():
        section = line.strip("[]").upper() if line.startswith("[") else section
        if match := re.match(r"(\w+)_cmd\s*=", line):
            options.add(f"AIRFLOW__{section}__{match[1].upper()}")
    assert len(options) >= 4
    for pod in templates.values():
        said = {variable["name"]: variable.get("value", "") for variable in pod["spec"]["containers"][0]["env"]}
        assert all(said.get(option) for option in options)


def test_every_pod_has_the_security_of_the_library_chart_and_the_user_of_the_images(
    target: KubernetesTarget, templates: dict[str, Object]
) -> None:
    wanted = pods.security(target.stack)
    assert wanted["pod"]["runAsUser"] == wanted["pod"]["fsGroup"] == places.USER
    made = [yaml.safe_load(target.etc("spark")[f"pods/{name}.yaml"]) for name in ("driver", "executor")]
    for pod in [*templates.values(), *made]:
        assert pod["spec"]["securityContext"] == wanted["pod"]
        assert [container["securityContext"] for container in pod["spec"]["containers"]] == [wanted["container"]]
    # Each its own: who changes one changes no other.
    wanted["pod"].clear()
    assert pods.security(target.stack)["pod"]
