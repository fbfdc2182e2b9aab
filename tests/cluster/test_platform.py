"""The whole platform on the cluster, deployed by Airflow inside it: the same checks, pipeline, results as on `local`.

The tests of the pipeline are those of tests/e2e/test_pipeline.py, on the platform of this room.
"""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from data_platform.checks.base import Deadline
from data_platform.clients import postgres
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.trino import Trino
from data_platform.datasets.files import has_received
from data_platform.targets.base import Target
from data_platform.targets.kubernetes import places, rollout
from tests.cluster.given import PLATFORM_SECONDS, PROCESSING, another_checkout
from tests.e2e.test_pipeline import (
    NotYetError,
    history,
    test_every_day_has_the_euro_and_the_franc_that_the_list_leaves_out,
    test_the_daily_mart_has_the_cross_rate_of_every_day,
    test_the_monthly_mart_is_what_the_days_say,
    test_the_same_content_again_changes_nothing,
    test_up_ends_with_the_raw_table_equal_to_the_file,
    trino,
)
from tests.running import ROOT, Running

pytestmark = pytest.mark.timeout(3600)

__all__ = [
    "history",
    "test_every_day_has_the_euro_and_the_franc_that_the_list_leaves_out",
    "test_the_daily_mart_has_the_cross_rate_of_every_day",
    "test_the_monthly_mart_is_what_the_days_say",
    "test_the_same_content_again_changes_nothing",
    "test_up_ends_with_the_raw_table_equal_to_the_file",
    "trino",
]
#: Deploys one component and what it stands on: each task is a pod, and a pod takes its time.
NESSIE = json.dumps({"components": ["nessie"]})
#: A table of PostgreSQL that is locked while a query reads it: so the query goes on for as long as the drill wants.
HELD = "held_by_a_drill"
READ_HELD = f"select count(*) from postgresql.public.{HELD}"
#: As long as a worker that was told to go may go on (`terminationGracePeriodSeconds`).
DRILL_SECONDS = 600.0


def test_every_component_runs_and_its_checks_passed(platform: Running) -> None:
    found = platform.status()
    assert found["target"] == "kubernetes"
    states = {c["name"]: c["state"] for c in found["components"]}
    assert len(states) >= 10
    assert set(states.values()) <= {"running", "installed"}, states
    for component in found["components"]:
        assert len(component["checks"]) == component["checks_declared"], component["name"]
        assert {check["status"] for check in component["checks"]} == {"passed"}, component


def test_pages_open_at_the_addresses_that_status_shows_while_they_are_forwarded(platform: Running) -> None:
    shown = {c["name"]: c["page"] for c in platform.status()["components"]}
    assert shown["trino"] == "http://127.0.0.1:8440/ui/"
    # Of operators alone.
    assert shown["postgresql"] == ""
    with platform.start("forward", "trino", "datahub") as forward:
        ready = next(line for line in forward.lines() if line.startswith("Ctrl-C"))
        assert ready
        for name in ("trino", "datahub"):
            assert httpx.get(shown[name], trust_env=False, follow_redirects=True, timeout=60).status_code == 200, name
        with pytest.raises(httpx.ConnectError):
            httpx.get(shown["airflow"], trust_env=False, timeout=60)
        forward.process.send_signal(signal.SIGINT)
    assert forward.process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(shown["trino"], trust_env=False, timeout=60)


def test_a_task_links_to_the_page_that_people_open(platform: Running) -> None:
    with platform.airflow() as airflow:
        run = airflow.runs("stack_deploy")[-1]
        links = airflow.links("stack_deploy", run["dag_run_id"], "trino.verify")
    assert links["Component"] == "http://127.0.0.1:8440/ui/"


def test_what_changes_a_component_was_a_pod_and_none_is_left(platform: Running, cluster: Cluster) -> None:
    with platform.airflow() as airflow:
        # The first one: those that follow have little to do.
        run = airflow.runs("stack_deploy")[-1]
        tasks = airflow.tasks("stack_deploy", run["dag_run_id"])
    hosts = {task["task_id"]: task["hostname"] for task in tasks if task["state"] == "success"}
    pods = {task_id: hosts.pop(task_id) for task_id in list(hosts) if task_id.endswith(".apply")}
    there = cluster.list_objects("v1", "Pod", "data-platform-core")
    servers = {pod["metadata"]["name"] for pod in there if pod["spec"].get("restartPolicy") == "Always"}
    assert len(pods) > 5
    assert len(set(pods.values())) == len(pods)
    assert not set(pods.values()) & {*servers, "", None}
    # What looks, decides, waits or checks is done by the triggerer.
    ended = {task_id: host for task_id, host in hosts.items() if not task_id.startswith("artifacts.")}
    assert {"prepare", "trino.observe", "trino.plan", "trino.wait", "trino.verify"} <= set(ended)
    assert set(ended.values()) <= {"", None}


def test_a_second_up_changes_nothing(platform: Running, cluster: Cluster) -> None:
    before = {pod["metadata"]["uid"] for pod in servers(cluster)}
    assert len(before) >= 10
    platform.bootstrap("up", "--target", "kubernetes", seconds=PLATFORM_SECONDS)
    assert {pod["metadata"]["uid"] for pod in servers(cluster)} == before


def servers(cluster: Cluster) -> list[dict[str, Any]]:
    """Pods that stay, of all of the platform's namespaces; those that are leaving do not."""
    found = cluster.list_objects("v1", "Pod", labels="app.kubernetes.io/part-of=data-platform")
    there = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return [pod for pod in there if pod["spec"].get("restartPolicy") == "Always"]


def test_lineage_of_the_pipeline_was_checked_in_the_run(platform: Running) -> None:
    with platform.airflow() as airflow:
        runs = [run for run in airflow.runs("pipelines_fx_rates") if run["state"] == "success"]
        ended = [t for run in runs for t in airflow.tasks("pipelines_fx_rates", run["dag_run_id"])]
    assert "success" in {task["state"] for task in ended if task["task_id"] == "check_lineage"}
    assert has_received(platform.target, "fx_rates", seconds=30)


def test_airflows_own_past_is_kept_small_in_the_cluster_too(platform: Running) -> None:
    platform.bootstrap("run", "operations_airflow")
    with platform.airflow() as airflow:
        run = airflow.runs("operations_airflow")[0]["dag_run_id"]
        said = {task: "\n".join(airflow.log("operations_airflow", run, task, 1)) for task in ("runs", "logs")}
    assert "rows older than 90 days removed from" in said["runs"]
    assert "that were not written to for 30 days removed" in said["logs"]


def test_the_run_of_dbt_was_a_pod_and_its_models_waited_in_the_triggerer(platform: Running) -> None:
    with platform.airflow() as airflow:
        runs = [run for run in airflow.runs("pipelines_fx_rates") if run["state"] == "success"]
        ended = [t for run in runs for t in airflow.tasks("pipelines_fx_rates", run["dag_run_id"])]
    hosts = {t["task_id"]: t["hostname"] for t in ended if t["task_id"].startswith("dbt.") and t["state"] == "success"}
    assert hosts.pop("dbt.dbt_producer_watcher")
    assert {"dbt.stg_fx_rates.run", "dbt.fx_rates_daily.test"} <= set(hosts)
    assert set(hosts.values()) <= {"", None}


def test_what_is_changed_by_hand_is_reported_and_repaired(platform: Running, cluster: Cluster) -> None:
    changed = cluster.get("apps/v1", "Deployment", "nessie-server", PROCESSING)
    assert changed is not None
    replicas = changed["spec"]["replicas"]
    edited = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nessie-server", "namespace": PROCESSING},
    }
    cluster.server_side_apply({**edited, "spec": {"replicas": replicas + 1}}, field_manager="by-hand")
    cluster.delete("v1", "Service", "nessie", PROCESSING)
    drift = platform.bootstrap("run", "stack_drift", check=False)
    assert drift.returncode == 1
    assert "Deployment nessie-server was changed: spec.replicas" in drift.stdout
    assert "Service nessie was deleted" in drift.stdout
    platform.bootstrap("run", "stack_deploy", "--conf", NESSIE)
    healed = cluster.get("apps/v1", "Deployment", "nessie-server", PROCESSING)
    assert healed is not None
    assert healed["spec"]["replicas"] == replicas
    assert cluster.get("v1", "Service", "nessie", PROCESSING) is not None
    platform.bootstrap("run", "stack_drift")


CORE = "data-platform-core"
#: Of the Secret that a drill makes.
TOLD = "airflow-etc-of-a-drill"
DEPLOYER = "pods..deployer.yaml"
#: What Nessie reads when it starts, in a checkout.
SETTINGS_OF_NESSIE = "stack/components/processing/nessie/etc/application.properties.j2"


@contextmanager
def told(cluster: Cluster, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the pod of the deployer's tasks that start now; no server but the scheduler is touched.

    Its templates are in a Secret that nobody can change: the scheduler is given another one, and its own in the end.
    """
    scheduler = cluster.get("apps/v1", "Deployment", "airflow-scheduler", CORE)
    assert scheduler is not None
    (own,) = (
        volume["secret"]["secretName"]
        for volume in scheduler["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "etc"
    )
    secret = cluster.get("v1", "Secret", own, CORE)
    assert secret is not None
    pod = yaml.safe_load(base64.b64decode(secret["data"][DEPLOYER]))
    change(pod)
    data = {**secret["data"], DEPLOYER: base64.b64encode(yaml.safe_dump(pod).encode()).decode()}
    identity = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": TOLD, "namespace": CORE}}
    cluster.server_side_apply({**identity, "data": data}, field_manager="by-hand")
    try:
        read_by_the_scheduler(cluster, TOLD)
        yield
    finally:
        read_by_the_scheduler(cluster, own)
        cluster.delete("v1", "Secret", TOLD, CORE)


def read_by_the_scheduler(cluster: Cluster, secret: str) -> None:
    """Give the scheduler this Secret as its configuration, and wait until no other scheduler is left."""
    volume = {"name": "etc", "secret": {"secretName": secret}}
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "airflow-scheduler", "namespace": CORE},
        "spec": {"template": {"spec": {"volumes": [volume]}}},
    }
    cluster.server_side_apply(wanted, field_manager="by-hand")

    def rolled(found: dict[str, Any] | None) -> bool:
        return found is not None and not rollout.progress(found)

    cluster.wait_until("apps/v1", "Deployment", "airflow-scheduler", CORE, done=rolled, seconds=DRILL_SECONDS)


def deployed(cluster: Cluster) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What Nessie's pods are made from: their specification, and the content of the Secrets that it names."""
    found = cluster.get("apps/v1", "Deployment", "nessie-server", PROCESSING)
    assert found is not None
    spec = found["spec"]["template"]["spec"]
    names = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
    names += [source["secretRef"]["name"] for each in spec["containers"] for source in each.get("envFrom", [])]
    assert len(names) >= 2
    content: dict[str, bytes] = {}
    for name in names:
        secret = cluster.get("v1", "Secret", name, PROCESSING)
        assert secret is not None, f"{name} is gone"
        assert secret["immutable"] is True
        content |= {f"{name}/{key}": base64.b64decode(value) for key, value in secret["data"].items()}
    return spec, content


def upgrade_that_fails(platform: Running, cluster: Cluster) -> None:
    """Upgrade Nessie: the run is red, what was there before is there again, and it serves."""
    before = deployed(cluster)
    conf = json.dumps({"component": "nessie"})
    done = platform.bootstrap("run", "stack_upgrade", "--conf", conf, check=False, seconds=1800)
    assert done.returncode == 1
    assert "is back and its checks pass" in done.stdout
    assert deployed(cluster) == before
    platform.bootstrap("check", "nessie")


def test_an_upgrade_whose_pods_do_not_come_up_is_rolled_back(platform: Running, cluster: Cluster) -> None:
    def another_image(pod: dict[str, Any]) -> None:
        (settings,) = (v for v in pod["spec"]["containers"][0]["env"] if v["name"] == places.SETTINGS_VARIABLE)
        said = json.loads(settings["value"])
        # Another component's: it is there, and has not the programs.
        said["images"]["nessie"] = said["images"]["zookeeper"]
        settings["value"] = json.dumps(said)

    with told(cluster, another_image):
        upgrade_that_fails(platform, cluster)


def test_an_upgrade_to_a_configuration_with_which_it_does_not_start_is_rolled_back(
    platform: Running, cluster: Cluster
) -> None:
    said = (ROOT / SETTINGS_OF_NESSIE).read_text(encoding="utf-8")
    wrong = said.replace("nessie.version.store.type=JDBC2\n", "nessie.version.store.type=OF_A_DRILL\n")
    assert wrong != said
    file = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "of-a-drill", "namespace": CORE},
        "data": {"file": wrong},
    }
    cluster.server_side_apply(file, field_manager="by-hand")

    def another_file(pod: dict[str, Any]) -> None:
        # As if its checkout said so.
        path = str(places.CHECKOUT / places.ROOT.name / SETTINGS_OF_NESSIE)
        pod["spec"]["volumes"].append({"name": "of-a-drill", "configMap": {"name": "of-a-drill"}})
        mount = {"name": "of-a-drill", "mountPath": path, "subPath": "file", "readOnly": True}
        pod["spec"]["containers"][0]["volumeMounts"].append(mount)

    known = configurations(cluster)
    try:
        with told(cluster, another_file):
            upgrade_that_fails(platform, cluster)
    finally:
        cluster.delete("v1", "ConfigMap", "of-a-drill", CORE)
    # It was tried, beside what serves: the failed revision has it still.
    (tried,) = configurations(cluster) - known
    secret = cluster.get("v1", "Secret", tried, PROCESSING)
    assert secret is not None
    assert b"nessie.version.store.type=OF_A_DRILL\n" in base64.b64decode(secret["data"]["application.properties"])


def configurations(cluster: Cluster) -> set[str]:
    """Names of the Secrets with Nessie's files, of any revision."""
    found = cluster.list_objects("v1", "Secret", PROCESSING, labels=f"{places.NAME}=nessie")
    names = {secret["metadata"]["name"] for secret in found}
    return {name for name in names if name.startswith("nessie-etc-")}


def scale(cluster: Cluster, workers: int) -> None:
    """Ask for so many workers, as an autoscaler does."""
    identity = {"name": "trino-worker", "namespace": PROCESSING}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": identity}
    cluster.server_side_apply({**deployment, "spec": {"replicas": workers}}, field_manager="by-hand")


def workers(cluster: Cluster) -> dict[str, bool]:
    """Pods of workers, and whether each was told to go."""
    found = cluster.list_objects("v1", "Pod", PROCESSING, labels="app.kubernetes.io/component=worker")
    return {pod["metadata"]["name"]: "deletionTimestamp" in pod["metadata"] for pod in found}


@dataclass(frozen=True)
class Analyst:
    """Somebody who asks Trino, each question in a session of its own."""

    url: str

    def ask(self, statement: str) -> list[list[Any]]:
        with Trino(self.url, DRILL_SECONDS) as trino:
            return trino.rows(statement)

    def await_nodes(self, statement: str, wanted: int, during: Future[Any]) -> None:
        """Wait until a statement that names nodes names so many, while a query is going on."""

        def look() -> None:
            if during.done():
                pytest.fail(f"the query ended before {wanted} nodes were seen: {statement}")
            if len(self.ask(statement)) != wanted:
                raise NotYetError

        Deadline(DRILL_SECONDS).retry(look, on=NotYetError)


WORKERS = "select node_id from system.runtime.nodes where state = 'active' and not coordinator"
WORKING = (
    "select distinct t.node_id from system.runtime.tasks t join system.runtime.queries q using (query_id) "
    f"where q.query = '{READ_HELD}' and t.state = 'RUNNING' and t.node_id in ({WORKERS})"
)


@contextmanager
def held_table(target: Target) -> Iterator[Callable[[], None]]:
    """A table of two rows that nobody can read before the word; it is gone in the end."""
    server, login = target.address("postgresql", "sql"), target.credentials("trino")
    names = login["database_user"], login["database_password"], "analytics"
    with (
        closing(postgres.connect(server.host, server.port, *names)) as owner,
        closing(postgres.connect(server.host, server.port, *names)) as holder,
    ):

        def let_go() -> None:
            holder.execute("rollback")

        owner.execute(f"drop table if exists {HELD}")
        owner.execute(f"create table {HELD} (number integer)")
        try:
            owner.execute(f"insert into {HELD} values (1), (2)")
            holder.execute("begin")
            holder.execute(f"lock table {HELD} in access exclusive mode")
            yield let_go
        finally:
            holder.close()
            owner.execute(f"drop table {HELD}")


def test_a_worker_goes_when_another_one_has_come_and_its_query_ends_well(platform: Running, cluster: Cluster) -> None:
    (old,) = workers(cluster)
    with closing(platform.target) as target, ThreadPoolExecutor(1) as pool, held_table(target) as let_go:
        analyst = Analyst(target.address("trino", "http").url)
        query = pool.submit(analyst.ask, READ_HELD)
        try:
            analyst.await_nodes(WORKING, 1, query)
            scale(cluster, 2)
            analyst.await_nodes(WORKERS, 2, query)
            # The one with the lowest cost is the one to go: here the one that works.
            cost = {"controller.kubernetes.io/pod-deletion-cost": "-100"}
            meta = {"name": old, "namespace": PROCESSING, "annotations": cost}
            cluster.server_side_apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta}, field_manager="by-hand")
            scale(cluster, 1)
            analyst.await_nodes(WORKERS, 1, query)
            assert workers(cluster)[old], "it was not told to go"
            assert not query.done()
            let_go()
            assert query.result() == [[2]]
            assert analyst.ask("select count(*) from tpch.tiny.nation") == [[25]]
        finally:
            scale(cluster, 1)


def test_a_deploy_ends_when_airflow_is_killed_in_the_middle(platform: Running, cluster: Cluster) -> None:
    cluster.delete("v1", "Service", "nessie", PROCESSING)
    killed: list[str] = []
    with platform.start("run", "stack_deploy", "--conf", NESSIE) as deploy:
        for line in deploy.lines():
            if "nessie.apply" in line and not killed:
                killed = [pod["metadata"]["name"] for pod in servers(cluster) if is_airflow(pod)]
                for name in killed:
                    cluster.delete("v1", "Pod", name, "data-platform-core")
    assert len(killed) == 4
    # Whatever the command saw of it, the run itself comes to an end, or the next one does its work.
    platform.bootstrap("run", "stack_deploy", "--conf", NESSIE)
    assert cluster.get("v1", "Service", "nessie", PROCESSING) is not None
    with platform.airflow() as airflow:
        states = [run["state"] for run in airflow.runs("stack_deploy")]
    # The newest first: what was killed has come to an end, and the next one has done its work.
    assert len(states) >= 2
    assert states[0] == "success"
    assert not {"queued", "running"} & set(states), states
    platform.bootstrap("run", "stack_drift")


def is_airflow(pod: dict[str, Any]) -> bool:
    return str(pod["metadata"]["labels"]["app.kubernetes.io/name"]) == "airflow"


def test_the_credentials_file_is_private(platform: Running) -> None:
    file = platform.folder / "credentials.json"
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text(encoding="utf-8"))["airflow"]["password"]


def test_only_what_changed_is_rolled(platform: Running, cluster: Cluster, tmp_path: Path) -> None:
    # The last test here: it leaves the platform as another checkout says.
    values = "stack/components/processing/nessie/values.small.yaml"
    changed = another_checkout(tmp_path, values, "memory: 350Mi", "memory: 351Mi")
    before = {pod["metadata"]["uid"]: pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in servers(cluster)}
    replace(platform, root=changed).bootstrap(
        "up", "--target", "kubernetes", "--only", "nessie", seconds=PLATFORM_SECONDS
    )
    after = {pod["metadata"]["uid"] for pod in servers(cluster)}
    # Airflow's pods hold the checkout.
    assert {name for uid, name in before.items() if uid not in after} == {"airflow", "nessie"}
    deployment = cluster.get("apps/v1", "Deployment", "nessie-server", PROCESSING)
    assert deployment is not None
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["memory"] == "351Mi"
