"""Every chart in every size obeys the policies; and every policy is seen to fail."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.render import policies
from tests.render.conftest import CANARY, CHARTS, MONITORING, SIZES, Object, definition, render, target

Break = Callable[[Object], object]


def pod(thing: Object) -> Object:
    """Specification of the pods of a workload."""
    return thing["spec"]["template"]["spec"]


def container(thing: Object) -> Object:
    """Its first container."""
    return pod(thing)["containers"][0]


def test_there_are_charts() -> None:
    assert {chart.parent.name for chart in CHARTS} >= {"airflow", "postgresql", "minio", "trino", "nifi"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.parent.name)
def test_charts_obey_every_policy(chart: Path, size: str) -> None:
    objects = render(chart, size, apis=(MONITORING,))
    assert objects
    assert [problem for policy in policies.POLICIES for problem in policy(objects)] == []


#: For each policy, ways to break one StatefulSet of several pods, and whom they concern.
BROKEN: list[tuple[Callable[[list[Object]], policies.Problems], Break]] = [
    (policies.requests_and_limits_are_set, lambda o: container(o)["resources"]["limits"].pop("cpu")),
    (policies.requests_and_limits_are_set, lambda o: container(o).pop("resources")),
    (policies.images_are_pinned, lambda o: container(o).update(image="somewhere:5000/trino")),
    (policies.images_are_pinned, lambda o: container(o).update(image="trino:latest")),
    (policies.pods_are_restricted, lambda o: pod(o)["securityContext"].update(runAsUser=0)),
    (policies.pods_are_restricted, lambda o: pod(o)["securityContext"].pop("seccompProfile")),
    (policies.pods_are_restricted, lambda o: pod(o).update(hostNetwork=True)),
    (policies.pods_are_restricted, lambda o: pod(o)["volumes"].append({"name": "h", "hostPath": {"path": "/"}})),
    (
        policies.containers_are_restricted,
        lambda o: container(o)["securityContext"].update(allowPrivilegeEscalation=True),
    ),
    (policies.containers_are_restricted, lambda o: container(o)["securityContext"].pop("readOnlyRootFilesystem")),
    (
        policies.containers_are_restricted,
        lambda o: container(o)["securityContext"]["capabilities"].update(add=["SYS_PTRACE"]),
    ),
    (policies.servers_are_probed, lambda o: container(o).pop("startupProbe")),
    (policies.servers_are_probed, lambda o: container(o).pop("readinessProbe")),
    (policies.servers_are_probed, lambda o: container(o)["livenessProbe"].pop("tcpSocket")),
    (policies.objects_are_labelled, lambda o: o["metadata"]["labels"].pop("app.kubernetes.io/version")),
    (
        policies.objects_are_labelled,
        lambda o: o["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/version": "1"}),
    ),
    (
        policies.volume_claims_have_lasting_labels,
        lambda o: o["spec"]["volumeClaimTemplates"][0]["metadata"].pop("labels"),
    ),
    (policies.several_pods_are_spread_and_kept, lambda o: pod(o).pop("topologySpreadConstraints")),
    (policies.no_secret_is_in_a_release, lambda o: container(o)["env"].append({"name": "DB_PASSWORD", "value": "x"})),
    (policies.tokens_are_where_they_are_needed, lambda o: pod(o).pop("automountServiceAccountToken")),
    (policies.ends_are_graceful, lambda o: pod(o).pop("enableServiceLinks")),
    (policies.ends_are_graceful, lambda o: pod(o).update(terminationGracePeriodSeconds=1)),
    (policies.services_lead_to_pods, lambda o: container(o).pop("ports")),
    (policies.objects_name_their_namespace, lambda o: o["metadata"].pop("namespace")),
]


@pytest.fixture(scope="module")
def release() -> list[Object]:
    """A chart with a StatefulSet of several pods that has a Service, and no role."""
    (chart,) = [chart for chart in CHARTS if chart.parent.name == "nifi"]
    return render(chart, "small")


@pytest.mark.parametrize(("policy", "spoil"), BROKEN, ids=lambda value: getattr(value, "__name__", "").strip("<>"))
def test_what_breaks_a_policy_is_found(policy: Any, spoil: Break, release: list[Object]) -> None:
    assert list(policy(release)) == []
    objects = copy.deepcopy(release)
    spoil(policies.workloads(objects)[0])
    assert list(policy(objects)) != []


def test_a_secret_and_a_missing_budget_are_found(release: list[Object]) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}}
    assert list(policies.no_secret_is_in_a_release([*release, secret])) == ["Secret/s: a Secret"]
    alone = [thing for thing in release if thing["kind"] != "PodDisruptionBudget"]
    assert list(policies.several_pods_are_spread_and_kept(alone)) == ["StatefulSet/nifi-nifi: no PodDisruptionBudget"]


def test_every_policy_has_been_broken() -> None:
    assert {policy for policy, _ in BROKEN} == set(policies.POLICIES)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.parent.name)
def test_no_credential_is_in_values_or_objects(chart: Path) -> None:
    text = json.dumps([definition(chart), *render(chart, "small")])
    assert CANARY not in text


def test_credentials_are_in_the_secrets_of_the_same_definition() -> None:
    item = target().stack.components["trino"]
    contents = target()._secrets(item)
    assert contents.keys() == {"trino-etc", "trino-server", "trino-worker", "trino-scraper"}
    assert any(CANARY in value.decode() for value in contents["trino-server"].data.values())
    inside = b"\n".join(value for content in contents.values() for value in content.data.values()).decode()
    assert set(re.findall(rf"{CANARY}-([a-z]+)-", inside)) == {"trino"}
