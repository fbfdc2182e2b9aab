"""Who is told which secret on Kubernetes: its holder, in Secrets of his namespace, where he names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.definition import Job, Process, Tool
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NOT_YET, holders
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.pods import mounted
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.secret_values import leaks, named, secrets_of
from tests.unit.targets.kubernetes.conftest import FakeHelm, steps
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

ROOT = Path(__file__).resolve().parents[4]
#: Those that the platform deploys.
COMPONENTS = sorted(n for n, item in load_stack(ROOT, target=KUBERNETES).components.items() if item.is_deployed)


def test_who_only_looks_generates_nothing(target: KubernetesTarget) -> None:
    empty = FakeCluster()
    looking = KubernetesTarget(target.stack, target.settings, empty, FakeHelm(), inside=True)  # type: ignore[arg-type]
    assert looking.credentials("minio") == {"access_key": "platform", "secret_key": NOT_YET}
    assert looking.wanted("nessie")
    assert empty.objects == {}


def test_the_secret_of_a_holder_lies_where_its_component_does(target: KubernetesTarget, cluster: FakeCluster) -> None:
    there = {name: where for (kind, where, name) in cluster.objects if kind == "Secret"}
    expected = {
        f"{name}-credentials": places.namespace(target.stack, each.component)
        for name, each in holders(target.stack).items()
        if each.generated
    }
    assert {"pipelines-credentials", "checks-credentials", "pages-credentials"} < expected.keys()
    assert there == expected


def test_a_rotated_secret_reaches_the_secrets_of_who_holds_it(target: KubernetesTarget) -> None:
    for step in steps(target, "nessie"):
        target.apply("nessie", [step])
    before = target.credentials("nessie")["s3_secret_key"]
    following = target.stage("nessie", "s3_secret_key")
    assert target.stage("nessie", "s3_secret_key") == following != before
    assert target.credentials("nessie")["s3_secret_key"] == before
    target.promote("nessie", "s3_secret_key")
    target.promote("nessie", "s3_secret_key")
    assert target.credentials("nessie")["s3_secret_key"] == following
    assert [step.name for step in steps(target, "nessie") if step.kind == "secret"] == ["nessie-server"]


@pytest.mark.parametrize("component", ["trino", "minio", "nessie", "airflow", "nifi", "postgresql", "datahub"])
def test_no_secret_is_a_value_of_a_chart_or_in_what_airflow_passes_on(target: KubernetesTarget, component: str) -> None:
    known = secrets_of(target)
    assert len(known) >= 20
    shown = repr(target._release(target._item(component)).values) + repr(target.wanted(component))
    assert leaks(known, shown) == []
    inside = b"".join(
        value for content in target._secrets(target._item(component)).values() for value in content.data.values()
    )
    assert leaks(known, inside.decode()) != []


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_environment_holds_the_secrets_that_it_names_and_no_other(
    target: KubernetesTarget, component: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "DATA", tmp_path)
    known, item, own = secrets_of(target), target._item(component), target.bindings(component).secret
    made = target._secrets(item)
    specs: dict[str, Process | Job | Tool] = {**item.definition.jobs, **item.definition.processes}
    specs |= {name: item.definition.tools[pod.tool] for name, pod in item.kubernetes.pods.items()}  # type: ignore[union-attr]
    environments = {
        name: {key: value.decode() for key, value in made[f"{component}-{name}"].data.items()} for name in specs
    }
    for name, tool in item.definition.tools.items():
        specs[f"tool {name}"] = tool
        monkeypatch.setenv(places.COMPONENT_VARIABLE, component)
        environments[f"tool {name}"] = dict(target.tool_command(component, name, []).environment)
    assert environments
    for name, environment in environments.items():
        for_it = {own[binding] for binding in named(specs[name]) & own.keys()}
        found = set(leaks(known, "\n".join(environment.values())))
        assert found == {label for label, value in known.items() if value in for_it}, f"{component}: {name}"
        assert not (own.keys() - named(specs[name])) & environment.keys(), f"{component}: {name}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_has_no_secret_of_another_holder(target: KubernetesTarget, component: str) -> None:
    others = {label: value for label, value in secrets_of(target).items() if label.partition(".")[0] != component}
    # Of what is mounted with credentials test_pods.py says whose they are.
    own = [c for n, c in target._secrets(target._item(component)).items() if n not in mounted(target.stack)]
    inside = b"\n".join(value for content in own for value in content.data.values())
    assert bool(own) == (component not in ("dbt", "analysis"))
    assert leaks(others, inside.decode(errors="replace")) == []


def test_a_secret_of_another_holder_and_one_in_a_command_are_found(target: KubernetesTarget) -> None:
    known = secrets_of(target)
    planted = f"key={known['minio.secret_key']} seed={known['airflow.fernet_seed'][5:21]}"
    assert set(leaks(known, planted)) == {"minio.secret_key", "airflow.fernet_seed"}
    item = target._item("nessie")
    ((name, spec), *_) = item.definition.processes.items()
    broken = spec.model_copy(update={"command": (*spec.command, "--key={{ S3_SECRET_KEY }}")})
    definition = item.definition.model_copy(update={"processes": {name: broken}})
    target.stack.components["nessie"] = item.model_copy(update={"definition": definition})
    with pytest.raises(PlatformError, match="'S3_SECRET_KEY' is undefined"):
        target.wanted("nessie")
