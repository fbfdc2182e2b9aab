"""Components that the engine was not written for are rendered as all others, by what folders of components say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.entrance import routes
from data_platform.stack.holders import PAGES, holders
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.guard_rails import guard_rails
from data_platform.targets.kubernetes.needs import quantity
from data_platform.targets.kubernetes.network import deployers, policies
from data_platform.targets.kubernetes.pods import mounted
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests import sizes, throwaway
from tests.render import policies as house
from tests.render.conftest import CANARY, SIZES, Object, helm
from tests.render.test_schemas import schemas

NAMESPACE = "data-platform-observability"
WHERE = {"scraper": "observability", "identity-provider": "core", "backup-store": "storage"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesTarget]:
    """This checkout's stack with the components, on a cluster that nobody asks."""
    root = throwaway.checkout(tmp_path_factory.mktemp("throwaway"), *throwaway.ALL)
    for name, namespace in WHERE.items():
        chart = root / "stack" / "components" / namespace / name / "chart"
        (chart / "values.schema.json").write_text(schemas.schema(chart), encoding="utf-8")
    stack = load_stack(root, target=KUBERNETES)
    images = {name: f"localhost/data-platform/{name}:0123456789ab" for name in stack.components}
    nobody = cast("Cluster", SimpleNamespace(knows=lambda *_: False))
    made = KubernetesTarget(stack, Settings(images=images), nobody, Helm(helm()), inside=True)
    for name, each in holders(stack).items():
        made._known[name] = {**each.fixed, **{key: f"{CANARY}-{name}-{key}" for key in each.generated}}
    yield made
    made.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WHERE)
def test_its_chart_obeys_every_policy(place: KubernetesTarget, name: str, size: str) -> None:
    item = place.stack.components[name]
    release = place._release(item)._replace(sizes=(item.folder / f"values.{size}.yaml",))
    objects: list[Object] = place.helm.template(release)
    assert {thing["kind"] for thing in objects} >= {"Service", "ServiceAccount"}
    assert len(house.workloads(objects)) == 1
    assert {thing["metadata"]["namespace"] for thing in objects} == {f"data-platform-{WHERE[name]}"}
    assert [problem for policy in house.POLICIES for problem in policy(objects)] == []
    # No secret is in what Helm keeps.
    assert CANARY not in json.dumps([objects, release.values])


@pytest.mark.parametrize("name", ["scraper", "identity-provider"])
def test_its_metrics_are_for_whoever_scrapes(place: KubernetesTarget, name: str) -> None:
    values = place._release(place.stack.components[name]).values
    assert values["serviceMonitor"] == {"endpoint": "http", "scheme": "http", "path": "/metrics"}


def test_the_scraper_is_told_the_addresses_of_services(place: KubernetesTarget) -> None:
    urls = {each["component"]: each["url"] for each in json.loads(place.etc("scraper")["scraped.json"])}
    assert urls == {
        "identity-provider": "http://identity-provider.data-platform-core.svc.cluster.local:8995/metrics",
        "minio": "http://minio.data-platform-storage.svc.cluster.local:9000/minio/v2/metrics/cluster",
        "nessie": "http://nessie.data-platform-processing.svc.cluster.local:8421/q/metrics",
        "nifi": "http://nifi.data-platform-integration.svc.cluster.local:8480/nifi-api/flow/metrics/prometheus",
        "postgresql": "http://postgresql.data-platform-storage.svc.cluster.local:8008/metrics",
        "spark-operator": "http://spark-operator.data-platform-spark-operator.svc.cluster.local:8491/metrics",
        "trino": "http://trino.data-platform-processing.svc.cluster.local:8440/metrics",
    }


def reaches(place: KubernetesTarget, party: str) -> set[tuple[str, int]]:
    """Component and port of each server to which the network lets pods of a party through."""
    found = [thing for thing in rails(place) if thing["metadata"]["name"] == party]
    return {
        (rule["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for policy in found
        for rule in policy["spec"].get("egress", ())
        for port in rule.get("ports", ())
    }


def callers(place: KubernetesTarget, component: str) -> set[str]:
    """Which pods the network lets through to a component's port: a component, one of its processes, the entrance."""
    (policy,) = [thing for thing in rails(place) if thing["metadata"]["name"] == component]
    found = set()
    for rule in policy["spec"]["ingress"]:
        if "ports" not in rule:
            continue
        (peer,) = rule["from"]
        labels = peer.get("podSelector", {}).get("matchLabels", {})
        name = labels.get("app.kubernetes.io/name", "the entrance")
        found.add("/".join([name, *([part] if (part := labels.get("app.kubernetes.io/component")) else [])]))
    return found


def rails(place: KubernetesTarget) -> list[Object]:
    return policies(place.stack, "192.0.2.1:6443")


def test_the_network_lets_the_scraper_through_to_metrics_and_to_nothing_else(place: KubernetesTarget) -> None:
    assert reaches(place, "scraper") == {
        ("identity-provider", 8995),
        ("minio", 9000),
        ("nessie", 8421),
        ("nifi", 8480),
        ("postgresql", 8008),
        ("spark-operator", 8491),
        ("trino", 8440),
    }


def test_airflow_calls_the_identity_provider_that_comes_after_it(place: KubernetesTarget) -> None:
    order = list(place.stack.components)
    assert order.index("airflow") < order.index("identity-provider")
    assert ("identity-provider", 8995) in reaches(place, "airflow")
    # All of Airflow, people by the entrance, and who scrapes; its own pods have a rule without a port.
    assert callers(place, "identity-provider") == {"airflow", "scraper", "the entrance"}
    (route,) = [each for each in routes(place.stack, "lab.example") if each.component == "identity-provider"]
    assert (route.host, route.closes) == ("identity-provider.lab.example", ("/token",))


def test_airflow_holds_a_secret_of_it_and_tasks_of_datasets_do_not(place: KubernetesTarget) -> None:
    canary = f"{CANARY}-airflow-identity_provider_token"
    assert place.etc("airflow")["secrets/identity-provider-token"].decode().strip() == canary
    assert canary not in place.etc("identity-provider")["clients.json"].decode()
    of_tasks = [whose for name, whose in mounted(place.stack).items() if not name.endswith(PAGES)]
    assert of_tasks
    assert [whose for whose in of_tasks if "airflow" in whose] == []


def test_the_store_of_backups_is_reached_by_who_makes_and_checks_what_is_in_it(place: KubernetesTarget) -> None:
    deploying = set(deployers(place.stack))
    assert deploying
    assert callers(place, "backup-store") == deploying
    assert callers(place, "minio") > deploying


def rooms(stack: Stack) -> dict[str, float]:
    """Memory that pods of each namespace may ask for."""
    return {
        thing["metadata"]["namespace"]: quantity(thing["spec"]["hard"]["requests.memory"])
        for thing in guard_rails(stack, "small", sizes.asked(stack, "small"), "192.0.2.1:6443")
        if thing["kind"] == "ResourceQuota"
    }


def test_their_namespaces_have_room_for_them(place: KubernetesTarget) -> None:
    there, without = rooms(place.stack), rooms(load_stack(throwaway.ROOT, target=KUBERNETES))
    for name, namespace in WHERE.items():
        here = f"data-platform-{namespace}"
        values = yaml.safe_load((place.stack.components[name].folder / "values.small.yaml").read_text(encoding="utf-8"))
        asked = quantity(values["workloads"]["server"]["resources"]["requests"]["memory"])
        # There may be no such namespace without it.
        assert there[here] - without.get(here, 0) >= asked, name


def test_they_are_part_of_a_checkout_that_is_otherwise_this_one(place: KubernetesTarget) -> None:
    here = load_stack(throwaway.ROOT, target=KUBERNETES).components
    assert place.stack.components.keys() - here.keys() == set(throwaway.ALL)
    assert Path(place.stack.root) != throwaway.ROOT
    # Airflow alone has one claim more.
    for name in here.keys() - {"airflow"}:
        assert place.stack.components[name].component == here[name].component
    changed = place.stack.components["airflow"].component
    assert changed.model_copy(update={"claims": changed.claims[:-1]}) == here["airflow"].component


@pytest.mark.parametrize("folder", ["plugins", "bootstrap", "stack/charts", "dags"])
def test_the_engine_does_not_know_them(folder: str) -> None:
    files = [path for path in (throwaway.ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml", ".tpl", ".j2")]
    assert files
    words = ("scraper/", "identity-provider", "identity_provider", "backup-store", "backup_store", "throwaway")
    said = {path: path.read_text(encoding="utf-8") for path in files}
    assert [(path, word) for path, text in said.items() for word in words if word in text] == []
