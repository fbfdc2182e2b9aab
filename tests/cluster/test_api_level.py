"""What an API server alone decides: schemas, owners of fields, permissions, quotas, Pod Security."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bootstrap.helm import helm_program
from bootstrap.on_cluster import _purge_inside, remove
from bootstrap.progress import Progress
from data_platform.checks.base import Deadline
from data_platform.clients.kubernetes import Cluster, Object, connect
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NEXT
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes import credentials, places, spark_application
from data_platform.targets.kubernetes.guard_rails import guard_rails, inside
from data_platform.targets.kubernetes.inventory import api_server_address, read_facts
from data_platform.targets.kubernetes.needs import quantity
from data_platform.targets.kubernetes.ownership import kept
from data_platform.targets.kubernetes.permissions import ROLE, namespaces, permissions
from data_platform.targets.kubernetes.preflight import judge
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests import sizes
from tests.cluster import rails as its
from tests.cluster.rails import Rails, restricted_pod

if TYPE_CHECKING:
    from tests.cluster.given import Given

pytestmark = [pytest.mark.api_level, pytest.mark.timeout(3600)]

#: Until what was asked for is so.
SECONDS = 120.0


@pytest.fixture(scope="module")
def rails(given: Given, root: Path) -> Iterator[Rails]:
    """The guard rails of a platform of its own."""
    stack = its.called(load_stack(root, target=KUBERNETES), f"api-{uuid.uuid4().hex[:6]}")
    found = its.make(given.client, stack)
    yield found
    its.remove(found)


@pytest.fixture(scope="module")
def airflow(given: Given, rails: Rails, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A client that is Airflow's account."""
    return its.as_account(given, "airflow", f"{rails.stack.file.name}-core", tmp_path_factory.mktemp("airflow"))


def versions(rails: Rails) -> dict[tuple[str, str, str], str]:
    found = {}
    for o in rails.objects:
        meta = o["metadata"]
        there = rails.cluster.get(o["apiVersion"], o["kind"], meta["name"], meta.get("namespace", ""))
        assert there is not None
        found[o["kind"], meta.get("namespace", ""), meta["name"]] = there["metadata"]["resourceVersion"]
    return found


# The guard rails as objects


def test_the_guard_rails_are_accepted_and_a_second_time_change_nothing(rails: Rails) -> None:
    before = versions(rails)
    assert len(before) > 60
    for wanted in rails.objects:
        rails.cluster.server_side_apply(wanted)
    assert versions(rails) == before


def test_what_a_hand_changed_is_repaired_and_what_it_added_elsewhere_stays(rails: Rails) -> None:
    space = rails.namespaces[0]
    quota = copy.deepcopy(rails.find("ResourceQuota", space))
    quota["spec"]["hard"]["pods"] = "1000"
    quota["metadata"]["annotations"] = {"team": "payments"}
    rails.cluster.server_side_apply(quota, field_manager="a-hand")
    rails.cluster.delete("networking.k8s.io/v1", "NetworkPolicy", "default-deny", space)
    for wanted in rails.objects:
        rails.cluster.server_side_apply(wanted)
    there = rails.cluster.get("v1", "ResourceQuota", "platform", space)
    assert there is not None
    assert there["spec"]["hard"] == rails.find("ResourceQuota", space)["spec"]["hard"]
    assert there["metadata"]["annotations"]["team"] == "payments"
    assert rails.cluster.get("networking.k8s.io/v1", "NetworkPolicy", "default-deny", space)


def test_the_other_size_is_accepted_too(rails: Rails) -> None:
    objects = guard_rails(
        rails.stack, "production", sizes.asked(rails.stack, "production"), api_server_address(rails.cluster)
    )
    for wanted in objects:
        rails.cluster.server_side_apply(wanted, dry_run=True)
    # It says something else than the size that is there.
    assert len(objects) > 60
    assert objects != rails.objects


# What may run


def test_a_restricted_pod_is_accepted_and_gets_requests_and_limits(rails: Rails) -> None:
    for space in rails.namespaces:
        made = rails.cluster.server_side_apply(restricted_pod("ordinary", space), dry_run=True)
        resources = made["spec"]["containers"][0]["resources"]
        assert resources == {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        }


PRIVILEGED: dict[str, Any] = {
    "privileged": {"securityContext": {"privileged": True}},
    "root": {"securityContext": {"runAsUser": 0, "allowPrivilegeEscalation": False}},
    "capability": {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}, "allowPrivilegeEscalation": False}},
}


@pytest.mark.parametrize("what", PRIVILEGED)
def test_a_privileged_pod_is_refused_everywhere(rails: Rails, what: str) -> None:
    for space in rails.namespaces:
        with pytest.raises(ClusterError, match="violates PodSecurity") as caught:
            rails.cluster.server_side_apply(restricted_pod("bad", space, **PRIVILEGED[what]))
        assert "security context" in caught.value.remedy


def test_a_pod_with_a_folder_of_the_node_is_refused(rails: Rails) -> None:
    pod = restricted_pod("bad", rails.namespaces[0])
    pod["spec"]["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        rails.cluster.server_side_apply(pod)


def test_a_pod_beyond_the_quota_is_refused_and_names_it(rails: Rails) -> None:
    for space in rails.namespaces:
        hard = quantity(rails.find("ResourceQuota", space)["spec"]["hard"]["requests.memory"]) / 2**20
        (limit,) = rails.find("LimitRange", space)["spec"]["limits"]
        most = int(quantity(limit["max"]["memory"]) / 2**20)
        pod = restricted_pod("large", space)
        one = pod["spec"]["containers"][0] | {
            "resources": {"requests": {"memory": f"{most}Mi"}, "limits": {"memory": f"{most}Mi"}}
        }
        pod["spec"]["containers"] = [one | {"name": f"c{index}"} for index in range(int(hard / most) + 1)]
        with pytest.raises(ClusterError, match=r"exceeded quota: platform.*requests\.memory") as caught:
            rails.cluster.server_side_apply(pod)
        assert "raise the quota" in caught.value.remedy


def test_a_container_beyond_the_limits_is_refused(rails: Rails) -> None:
    for space in rails.namespaces:
        giant = restricted_pod("giant", space, resources={"limits": {"memory": "500Gi"}, "requests": {"memory": "1Mi"}})
        with pytest.raises(ClusterError, match="maximum memory usage per Container is"):
            rails.cluster.server_side_apply(giant)


def test_more_pods_than_the_quota_are_refused_one_by_one(rails: Rails) -> None:
    space = f"{rails.stack.file.name}-datalab"
    tiny = {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "10m", "memory": "10Mi"}}
    for index in range(4):
        rails.cluster.server_side_apply(restricted_pod(f"p{index}", space, resources=tiny))
    with pytest.raises(
        ClusterError, match="exceeded quota: platform, requested: pods=1, used: pods=4, limited: pods=4"
    ):
        rails.cluster.server_side_apply(restricted_pod("p4", space, resources=tiny))


@pytest.mark.parametrize(("kind", "key"), [("NodePort", "nodeports"), ("LoadBalancer", "loadbalancers")])
def test_a_service_that_opens_ports_of_the_nodes_is_refused(rails: Rails, kind: str, key: str) -> None:
    service: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "open", "namespace": rails.namespaces[0]},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]},
    }
    rails.cluster.server_side_apply(service, dry_run=True)
    service["spec"]["type"] = kind
    with pytest.raises(ClusterError, match=rf"exceeded quota: platform.*services\.{key}"):
        rails.cluster.server_side_apply(service)


# Who may do what


def test_airflow_repairs_the_guard_rails_by_its_own_rights(rails: Rails, airflow: Cluster) -> None:
    space = rails.namespaces[-1]
    airflow.delete("networking.k8s.io/v1", "NetworkPolicy", "dns", space)
    airflow.delete("v1", "LimitRange", "platform", space)
    for wanted in inside(rails.objects):
        airflow.server_side_apply(wanted)
    assert airflow.get("networking.k8s.io/v1", "NetworkPolicy", "dns", space)
    assert airflow.get("v1", "LimitRange", "platform", space)


def test_airflow_reads_secrets_of_the_platform_and_of_nobody_else(rails: Rails, airflow: Cluster) -> None:
    for space in rails.namespaces:
        mine = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "to-be-read", "namespace": space}}
        rails.cluster.server_side_apply(mine)
        assert "to-be-read" in {found["metadata"]["name"] for found in airflow.list_objects("v1", "Secret", space)}
    for space in ("kube-system", "default"):
        with pytest.raises(ClusterError, match=f'cannot list resource "secrets".*in the namespace "{space}"') as caught:
            airflow.list_objects("v1", "Secret", space)
        assert caught.value.reason == "Forbidden"


def test_airflow_may_not_make_namespaces_or_touch_those_of_others(rails: Rails, airflow: Cluster) -> None:
    new: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{rails.stack.file.name}-more"}}
    with pytest.raises(ClusterError, match="cannot patch resource"):
        airflow.server_side_apply(new)
    with pytest.raises(ClusterError, match="cannot delete resource"):
        airflow.delete("v1", "Namespace", rails.namespaces[0])
    new["metadata"]["name"] = "kube-system"
    with pytest.raises(ClusterError, match="cannot patch resource"):
        airflow.server_side_apply(new)


def test_airflow_may_not_give_itself_more(rails: Rails, airflow: Cluster) -> None:
    role = copy.deepcopy(rails.find("Role", rails.namespaces[0], ROLE))
    role["rules"].append({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]})
    with pytest.raises(ClusterError, match="attempting to grant RBAC permissions not currently held"):
        airflow.server_side_apply(role)
    binding = copy.deepcopy(rails.find("RoleBinding", rails.namespaces[0], ROLE))
    binding["metadata"]["name"] = "more"
    binding["roleRef"] |= {"kind": "ClusterRole", "name": "cluster-admin"}
    with pytest.raises(ClusterError, match="attempting to grant RBAC permissions not currently held"):
        airflow.server_side_apply(binding)


def test_another_account_may_nothing(given: Given, rails: Rails, tmp_path: Path) -> None:
    other = its.as_account(given, "other", rails.namespaces[0], tmp_path)
    assert not other.can_i("get", "secrets", rails.namespaces[0])
    assert not other.can_i("list", "pods/log", rails.namespaces[0])


def test_tasks_of_datasets_may_nothing_and_the_deployer_much(given: Given, rails: Rails, tmp_path: Path) -> None:
    home = f"{rails.stack.file.name}-core"
    tasks = its.as_account(given, "pipelines", home, tmp_path / "pipelines")
    deployer = its.as_account(given, "airflow", home, tmp_path / "airflow")
    asked = [("get", "secrets"), ("list", "pods"), ("create", "pods"), ("create", "pods/exec"), ("get", "pods/log")]
    for space in rails.namespaces:
        assert [one for one in asked if tasks.can_i(*one, space)] == []
        assert [one for one in asked if deployer.can_i(*one, space)] == asked


def test_airflows_pages_may_look_and_read_no_secret(given: Given, rails: Rails, tmp_path: Path) -> None:
    pages = its.as_account(given, "airflow-api-server", f"{rails.stack.file.name}-core", tmp_path)
    for space in rails.namespaces:
        assert pages.can_i("list", "deployments", space, group="apps")
        assert not pages.can_i("get", "secrets", space)
        assert not pages.can_i("create", "pods", space)
    assert pages.can_i("list", "nodes")


def test_what_starts_jobs_makes_pods_where_jobs_run_and_nowhere_else(
    given: Given, rails: Rails, tmp_path: Path
) -> None:
    submit = its.as_account(given, "spark-submit", f"{rails.stack.file.name}-core", tmp_path)
    may = [space for space in rails.namespaces if submit.can_i("create", "pods", space)]
    assert may == [f"{rails.stack.file.name}-processing"]
    assert not submit.can_i("get", "secrets", may[0])


def test_two_that_deploy_at_the_same_time_make_the_same_credentials(rails: Rails) -> None:
    """A Secret is made once, and a change of what has changed meanwhile is refused: an API server keeps its word."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: credentials.ensure(rails.cluster, rails.stack, "pipelines"), range(8)))
    assert len({json.dumps(one, sort_keys=True) for one in made}) == 1
    staged = credentials.stage(rails.cluster, rails.stack, "pipelines", "s3_secret_key")
    credentials.promote(rails.cluster, rails.stack, "pipelines", "s3_secret_key")
    found = credentials.read(rails.cluster, rails.stack, "pipelines")
    assert found["s3_secret_key"] == staged != made[0]["s3_secret_key"]
    assert f"s3_secret_key{NEXT}" not in found


# Cluster services


def role(space: str, name: str, *rights: dict[str, list[str]]) -> dict[str, Any]:
    meta = {"name": name, "namespace": space}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": list(rights)}


def test_airflow_can_neither_widen_what_a_service_is_granted_nor_give_it_to_itself(
    rails: Rails, airflow: Cluster
) -> None:
    space = f"{rails.stack.file.name}-processing"
    more = {"apiGroups": ["sparkoperator.k8s.io"], "resources": ["sparkconnects"], "verbs": ["create"]}
    for name in ("spark-operator-service", "of-my-own"):
        with pytest.raises(ClusterError, match="attempting to grant RBAC permissions not currently held"):
            airflow.server_side_apply(role(space, name, more))
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "of-my-own", "namespace": space},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "spark-operator-service"},
        "subjects": [{"kind": "ServiceAccount", "name": "airflow", "namespace": f"{rails.stack.file.name}-core"}],
    }
    with pytest.raises(ClusterError, match="attempting to grant RBAC permissions not currently held"):
        airflow.server_side_apply(binding)
    for verb, resource in (("create", "customresourcedefinitions"), ("patch", "customresourcedefinitions")):
        assert not airflow.can_i(verb, resource, group="apiextensions.k8s.io")


def test_airflow_grants_what_starts_jobs_a_part_of_what_it_was_given(rails: Rails, airflow: Cluster) -> None:
    space = f"{rails.stack.file.name}-processing"
    part = {"apiGroups": ["sparkoperator.k8s.io"], "resources": ["sparkapplications"], "verbs": ["create", "get"]}
    assert airflow.server_side_apply(role(space, "starts-jobs", part), dry_run=True)["rules"] == [part]


@pytest.fixture(scope="module")
def privileged(given: Given, root: Path) -> Iterator[Rails]:
    """The guard rails of a platform that deploys OpenEBS."""
    stack = load_stack(root, target=KUBERNETES, cluster_services={"openebs": "deployed"})
    found = its.make(given.client, its.called(stack, f"nodes-{uuid.uuid4().hex[:6]}"))
    yield found
    its.remove(found)


def test_in_a_privileged_namespace_airflow_reads_alone(
    given: Given, privileged: Rails, tmp_path_factory: pytest.TempPathFactory
) -> None:
    core, space = (f"{privileged.stack.file.name}-{part}" for part in ("core", "openebs"))
    mine = its.as_account(given, "airflow", core, tmp_path_factory.mktemp("airflow"))
    pod = restricted_pod("helper", space)
    pod["spec"]["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
    given.client.server_side_apply(pod, dry_run=True)
    for wanted in (pod, restricted_pod("ordinary", space)):
        with pytest.raises(ClusterError, match="cannot patch resource"):
            mine.server_side_apply(wanted, dry_run=True)
    assert mine.list_objects("v1", "Secret", space) == []
    label = {"pod-security.kubernetes.io/enforce": "privileged"}
    for name, may in ((core, True), (space, False)):
        assert mine.can_i("patch", "namespaces", name=name) is may
    with pytest.raises(ClusterError, match="cannot patch resource"):
        mine.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": label}})
    for wanted in inside(privileged.objects):
        mine.server_side_apply(wanted, dry_run=True)


# Preflight


def test_an_administrator_lacks_no_permission_and_airflow_does(given: Given, rails: Rails, airflow: Cluster) -> None:
    assert read_facts(given.client, rails.stack).denied == []
    denied = read_facts_of(airflow, rails)
    assert "create namespaces" in denied
    assert not [one for one in denied if "secrets" in one]


def read_facts_of(cluster: Cluster, rails: Rails) -> list[str]:
    """Permissions that a client lacks; it may not look at the pods of others, which preflight counts too."""
    from data_platform.targets.kubernetes.inventory import _read_denied

    return _read_denied(cluster, rails.stack, rails.namespaces)


def test_namespaces_of_our_own_are_taken_and_one_of_another_is_refused(given: Given, rails: Rails) -> None:
    facts = read_facts(given.client, rails.stack)
    assert set(facts.labels) == set(rails.namespaces)
    asked = sizes.asked(rails.stack, "small")
    ours = [
        p.what for p in judge(rails.stack, "small", asked, facts).problems if "was not made by this platform" in p.what
    ]
    assert ours == []
    stack = its.called(rails.stack, f"alien-{uuid.uuid4().hex[:6]}")
    alien = f"{stack.file.name}-core"
    given.client.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": alien}})
    try:
        found = judge(stack, "small", asked, read_facts(given.client, stack)).problems
    finally:
        given.client.delete("v1", "Namespace", alien)
    assert [p.what for p in found if alien in p.what] == [
        f"the namespace {alien} is there and was not made by this platform"
    ]


# Whose it is


@pytest.fixture
def two(given: Given, root: Path) -> Iterator[tuple[KubernetesTarget, KubernetesTarget]]:
    """Two platforms of one name: the first one was brought up."""
    stack = its.called(load_stack(root, target=KUBERNETES), f"two-{uuid.uuid4().hex[:6]}")
    images = {name: f"registry.example/{name}:1" for name in stack.components}
    api = api_server_address(given.client)
    one, other = (
        KubernetesTarget(
            stack,
            Settings(images=images, api_server=api, platform=name),
            given.client,
            Helm(helm_program()),
            inside=False,
        )
        for name in ("0123456789abcdef", "fedcba9876543210")
    )
    assert one.prepare()
    yield one, other
    its.remove(Rails(given.client, stack, guard_rails(stack, "small", one.asked, api)))


def marks(target: KubernetesTarget) -> dict[str, str]:
    """Id on all guard rails, by what bears it."""
    found = {}
    for wanted in guard_rails(target.stack, "small", target.asked, target.settings.api_server):
        meta = wanted["metadata"]
        there = target.cluster.get(wanted["apiVersion"], wanted["kind"], meta["name"], meta.get("namespace", ""))
        assert there is not None
        named = f"{wanted['kind']} {meta.get('namespace', '')}/{meta['name']}"
        found[named] = there["metadata"]["labels"].get(places.PLATFORM_ID, "")
    return found


def test_a_second_platform_of_the_name_is_refused_and_removes_nothing(
    two: tuple[KubernetesTarget, KubernetesTarget],
) -> None:
    one, other = two
    roles = [o for o in permissions(one.stack) if o["kind"].startswith("ClusterRole")]
    assert len(roles) >= 2
    assert set(marks(one).values()) == {one.settings.platform}
    facts = read_facts(other.cluster, other.stack)

    def told(target: KubernetesTarget) -> list[str]:
        found = judge(target.stack, "small", target.asked, facts, platform=target.settings.platform).problems
        return [problem.what for problem in found]

    refused = [what for what in told(other) if "belongs to another platform" in what]
    assert len(refused) == len(namespaces(one.stack)) + len(roles)
    assert not [what for what in told(one) if "belongs" in what]
    with pytest.raises(PlatformError, match="belongs to another platform"):
        other.prepare()
    one.ensure_credentials()
    for purge in (False, True):
        assert len(remove(other, purge, Progress())) == len(namespaces(one.stack)) + purge * len(roles)
    assert set(marks(one).values()) == {one.settings.platform}
    space = places.namespace(one.stack, "minio")
    kept = one.cluster.get("v1", "Secret", "minio-credentials", space)
    assert kept is not None
    assert kept["metadata"]["labels"][places.PLATFORM_ID] == one.settings.platform
    for name in namespaces(one.stack):
        there = one.cluster.get("v1", "Namespace", name)
        assert there is not None
        assert "deletionTimestamp" not in there["metadata"]


def test_what_a_version_without_ids_made_is_taken_over(two: tuple[KubernetesTarget, KubernetesTarget]) -> None:
    one, other = two
    # The same fields, owned by the same manager, without the id: as that version applies them.
    for wanted in guard_rails(one.stack, "small", one.asked, one.settings.api_server):
        one.cluster.server_side_apply(wanted)
    assert set(marks(one).values()) == {""}
    assert len(remove(one, False, Progress())) == len(namespaces(one.stack))
    other.prepare()
    assert set(marks(other).values()) == {other.settings.platform}


def test_a_purge_leaves_a_namespace_in_which_others_have_something(
    two: tuple[KubernetesTarget, KubernetesTarget],
) -> None:
    one, _ = two
    space = places.namespace(one.stack, "minio")
    one.ensure_credentials()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-login", "namespace": space}}
    one.cluster.server_side_apply(secret, field_manager="a-hand")
    assert kept(one.cluster, space, one.stack.components) != []
    _purge_inside(one, space, set())
    left = {thing["metadata"]["name"] for thing in one.cluster.list_objects("v1", "Secret", space)}
    assert left == {"git-login"}
    there = one.cluster.get("v1", "Namespace", space)
    assert there is not None
    assert not {places.MANAGED_BY, places.PLATFORM_ID} & there["metadata"]["labels"].keys()
    assert one.cluster.get("v1", "ResourceQuota", "platform", space) is None


# The client


def config_map(space: str, name: str = "notes", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}, "data": data}


def test_fields_of_another_owner_are_a_conflict_unless_taken_over(rails: Rails) -> None:
    space = rails.namespaces[0]
    rails.cluster.server_side_apply(config_map(space, colour="red"), field_manager="a-hand")
    with pytest.raises(ClusterError, match=r'conflict with "a-hand".*\.data\.colour') as caught:
        rails.cluster.server_side_apply(config_map(space, colour="blue"), force=False)
    assert caught.value.reason == "Conflict"
    assert rails.cluster.server_side_apply(config_map(space, colour="blue"))["data"] == {"colour": "blue"}


def test_a_field_that_no_schema_knows_is_refused(rails: Rails) -> None:
    wrong = config_map(rails.namespaces[0], "wrong") | {"dota": {}}
    with pytest.raises(ClusterError, match=r"\.dota"):
        rails.cluster.server_side_apply(wrong)
    assert rails.cluster.get("v1", "ConfigMap", "wrong", rails.namespaces[0]) is None


def test_a_dry_run_judges_and_keeps_nothing(rails: Rails) -> None:
    made = rails.cluster.server_side_apply(config_map(rails.namespaces[0], "dry", a="b"), dry_run=True)
    assert made["data"] == {"a": "b"}
    assert rails.cluster.get("v1", "ConfigMap", "dry", rails.namespaces[0]) is None


def test_a_change_is_seen_while_it_is_waited_for(rails: Rails) -> None:
    space = rails.namespaces[0]
    rails.cluster.server_side_apply(config_map(space, "slow", state="begun"))
    seen: list[str] = []

    def look(found: dict[str, Any] | None) -> bool:
        """Whether it is gone; each state that was seen is followed by the next one, and none comes before."""
        seen.append(found["data"]["state"] if found else "gone")
        if seen == ["begun"]:
            rails.cluster.server_side_apply(config_map(space, "slow", state="done"))
        if seen == ["begun", "done"]:
            rails.cluster.delete("v1", "ConfigMap", "slow", space)
        return found is None

    assert rails.cluster.wait_until("v1", "ConfigMap", "slow", space, done=look, seconds=SECONDS) is None
    assert list(dict.fromkeys(seen)) == ["begun", "done", "gone"]


def test_only_the_object_that_was_meant_is_deleted(rails: Rails) -> None:
    space = rails.namespaces[0]
    made = rails.cluster.server_side_apply(config_map(space, "mine"))
    with pytest.raises(ClusterError, match="does not match the UID in record"):
        rails.cluster.delete("v1", "ConfigMap", "mine", space, uid=str(uuid.uuid4()))
    assert rails.cluster.delete("v1", "ConfigMap", "mine", space, uid=made["metadata"]["uid"])
    assert not rails.cluster.delete("v1", "ConfigMap", "mine", space)


def test_lists_are_chosen_by_label_and_come_in_pages(rails: Rails) -> None:
    space = rails.namespaces[0]
    for index in range(3):
        wanted = config_map(space, f"listed-{index}")
        wanted["metadata"]["labels"] = {"listed": "yes"}
        rails.cluster.server_side_apply(wanted)
    found = rails.cluster.list_objects("v1", "ConfigMap", space, labels="listed=yes")
    assert [o["metadata"]["name"] for o in found] == ["listed-0", "listed-1", "listed-2"]
    assert {o["kind"] for o in found} == {"ConfigMap"}


def test_a_kind_without_its_definition_is_told_and_known_once_it_is_there(given: Given) -> None:
    group = f"g{uuid.uuid4().hex[:6]}.example.test"
    assert not given.client.knows(f"{group}/v1", "Thing")
    with pytest.raises(ClusterError, match=f"no kind Thing of {group}/v1"):
        given.client.list_objects(f"{group}/v1", "Thing")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition: Object = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    given.client.server_side_apply(definition)
    name = str(definition["metadata"]["name"])

    def established(found: dict[str, Any] | None) -> bool:
        conditions = (found or {}).get("status", {}).get("conditions") or []
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    try:
        crd = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        given.client.wait_until(*crd, done=established, seconds=SECONDS)
        # A moment later the API server says so of itself.
        assert Deadline(SECONDS).retry(lambda: given.client.list_objects(f"{group}/v1", "Thing"), on=ClusterError) == []
    finally:
        given.client.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)


def test_a_cluster_whose_certificate_is_not_known_is_not_trusted(given: Given, tmp_path: Path) -> None:
    with its.changed_kubeconfig(given, tmp_path) as content:
        for cluster in content["clusters"]:
            del cluster["cluster"]["certificate-authority-data"]
    with pytest.raises(ClusterError, match="shows a certificate that this context does not trust"):
        connect(given.context, tmp_path / "kubeconfig").version()


def test_credentials_that_are_none_are_told(given: Given, tmp_path: Path) -> None:
    with its.changed_kubeconfig(given, tmp_path) as content:
        content["users"] = [{"name": user["name"], "user": {"token": "nonsense"}} for user in content["users"]]
    with pytest.raises(ClusterError, match="Unauthorized") as caught:
        connect(given.context, tmp_path / "kubeconfig").list_objects("v1", "Secret", "default")
    assert "renew the credentials" in caught.value.remedy


# The Spark Operator's kind


@pytest.fixture
def spark_applications(given: Given) -> Iterator[None]:
    """The CRD of the Spark Operator: the cluster's own, or the trimmed one beside this file."""
    wanted = yaml.safe_load((Path(__file__).parent / "spark_application_crd.yaml").read_text(encoding="utf-8"))
    api, kind = wanted["apiVersion"], wanted["kind"]
    if given.client.get(api, kind, wanted["metadata"]["name"]) is not None:
        yield
        return
    given.client.server_side_apply(wanted)

    def served() -> None:
        assert given.client.knows(spark_application.API_VERSION, spark_application.KIND)

    Deadline(SECONDS).retry(served, on=AssertionError)
    yield
    given.client.delete(api, kind, wanted["metadata"]["name"])


@pytest.mark.usefixtures("spark_applications")
def test_airflow_may_run_a_job_by_the_spark_operator_and_an_unknown_field_is_refused(
    rails: Rails, airflow: Cluster
) -> None:
    settings = Settings(images={name: f"registry.example/{name}:1" for name in rails.stack.components})
    target = KubernetesTarget(rails.stack, settings, rails.cluster, Helm("helm"), inside=True)
    submitted = spark_application.Submitted("spark_jobs/fx_rates/load.py", ("--files", "x"), {"spark.a": "b"})
    wanted = spark_application.application("load-1", "3.5.9", submitted, target.etc("spark"))
    assert wanted["metadata"]["namespace"] in rails.namespaces
    assert airflow.server_side_apply(wanted, dry_run=True)["spec"]["mode"] == "cluster"
    wanted["spec"]["executor"]["instance"] = 2
    with pytest.raises(ClusterError, match="instance"):
        airflow.server_side_apply(wanted, dry_run=True)


@pytest.mark.parametrize("name", ["executor", "driver"])
def test_pods_of_a_job_of_spark_are_taken_by_their_restricted_namespace(rails: Rails, name: str) -> None:
    settings = Settings(images={name: f"registry.example/{name}:1" for name in rails.stack.components})
    target = KubernetesTarget(rails.stack, settings, rails.cluster, Helm("helm"), inside=True)
    pod = yaml.safe_load(target.etc("spark")[f"pods/{name}.yaml"])
    space, meta = pod["metadata"]["namespace"], pod["metadata"]
    identity = {"name": pod["spec"]["serviceAccountName"], "namespace": space}
    rails.cluster.server_side_apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": identity})
    # As Spark completes it.
    (container,) = pod["spec"]["containers"]
    container["resources"]["requests"] = {"cpu": "100m", "memory": "1200Mi"}
    container["resources"]["limits"]["memory"] = "1200Mi"
    pod["metadata"] = meta | {"name": f"of-a-job-{name}"}
    rails.cluster.server_side_apply(pod, dry_run=True)
    container["securityContext"] = {"privileged": True}
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        rails.cluster.server_side_apply(pod, dry_run=True)
