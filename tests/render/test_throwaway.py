"""A component that scrapes everything is rendered as all others, without a line anywhere but in its own folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.holders import holders
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes.network import policies
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests import throwaway
from tests.render import policies as house
from tests.render.conftest import MONITORING, SIZES, Object, helm
from tests.render.test_schemas import schemas

NAMESPACE = "data-platform-observability"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesTarget]:
    """This checkout's stack with the component, on a cluster that nobody asks."""
    root = throwaway.checkout(tmp_path_factory.mktemp("throwaway"), "scraper")
    chart = root / "stack" / "components" / "observability" / "scraper" / "chart"
    (chart / "values.schema.json").write_text(schemas.schema(chart), encoding="utf-8")
    stack = load_stack(root, target=KUBERNETES)
    images = {name: f"localhost/data-platform/{name}:0123456789ab" for name in stack.components}
    nobody = cast("Cluster", SimpleNamespace(knows=lambda *_: False))
    made = KubernetesTarget(stack, Settings(images=images), nobody, Helm(helm()), inside=True)
    for name, each in holders(stack).items():
        made._known[name] = {**each.fixed, **dict.fromkeys(each.generated, "secret")}
    yield made
    made.close()


@pytest.mark.parametrize("size", SIZES)
def test_its_chart_obeys_every_policy(place: KubernetesTarget, size: str) -> None:
    item = place.stack.components["scraper"]
    release = place._release(item)._replace(sizes=(item.folder / f"values.{size}.yaml",))
    # Helm tells of the link to the library too, in words.
    found = yaml.safe_load_all(place.helm.template(release))
    objects: list[Object] = [thing for thing in found if isinstance(thing, dict)]
    assert {thing["kind"] for thing in objects} >= {"Deployment", "Service", "ServiceAccount"}
    assert [problem for policy in house.POLICIES for problem in policy(objects)] == []
    # Its own metrics are for whoever scrapes it.
    assert release.values["serviceMonitor"] == {"endpoint": "http", "scheme": "http", "path": "/metrics"}
    assert MONITORING not in {thing["apiVersion"] for thing in objects}


def test_it_is_told_the_addresses_of_services(place: KubernetesTarget) -> None:
    urls = {each["component"]: each["url"] for each in json.loads(place.etc("scraper")["scraped.json"])}
    assert urls == {
        "minio": "http://minio.data-platform-storage.svc.cluster.local:9000/minio/v2/metrics/cluster",
        "nessie": "http://nessie.data-platform-processing.svc.cluster.local:8421/q/metrics",
        "nifi": "http://nifi.data-platform-integration.svc.cluster.local:8480/nifi-api/flow/metrics/prometheus",
        "postgresql": "http://postgresql.data-platform-storage.svc.cluster.local:8008/metrics",
        "trino": "http://trino.data-platform-processing.svc.cluster.local:8440/metrics",
    }


def test_the_network_lets_it_through_to_these_and_to_nothing_else(place: KubernetesTarget) -> None:
    (policy,) = [
        thing
        for thing in policies(place.stack, "192.0.2.1:6443")
        if (thing["metadata"]["namespace"], thing["metadata"]["name"]) == (NAMESPACE, "scraper")
    ]
    reached = {
        (rule["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for rule in policy["spec"]["egress"]
        for port in rule.get("ports", ())
    }
    assert reached == {("minio", 9000), ("nessie", 8421), ("nifi", 8480), ("postgresql", 8008), ("trino", 8440)}


def test_it_is_part_of_a_checkout_that_is_otherwise_this_one(place: KubernetesTarget) -> None:
    here = load_stack(throwaway.ROOT, target=KUBERNETES).components
    assert place.stack.components.keys() - here.keys() == {"scraper"}
    assert Path(place.stack.root) != throwaway.ROOT
    for name, item in here.items():
        assert place.stack.components[name].component == item.component
