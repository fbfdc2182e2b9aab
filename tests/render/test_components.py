"""What is special in a component's chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.checkout import chart_values, git_sync
from data_platform.targets.kubernetes.needs import read_values
from data_platform.targets.kubernetes.pods import Tasks, security, task_pod
from tests.render.conftest import CHARTS, MONITORING, SIZES, Object, RefusedError, render, target
from tests.render.policies import POLICIES, containers, pods, workloads


def chart(name: str) -> Path:
    """Folder of a component's chart."""
    (found,) = [path for path in CHARTS if path.parent.name == name]
    return found


def one(objects: list[Object], kind: str, name: str) -> Any:
    """The object of that kind and name."""
    (found,) = [thing for thing in objects if thing["kind"] == kind and thing["metadata"]["name"] == name]
    return found


def pod(objects: list[Object], kind: str, name: str) -> Any:
    """Specification of the pods of a workload."""
    return one(objects, kind, name)["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("component", "kind", "workload", "small", "production"),
    [
        ("postgresql", "StatefulSet", "postgresql-server", 2, 3),
        ("postgresql", "Deployment", "postgresql-pgbouncer", 1, 2),
        ("minio", "StatefulSet", "minio-server", 1, 4),
        ("zookeeper", "StatefulSet", "zookeeper-server", 1, 3),
        ("nifi", "StatefulSet", "nifi-nifi", 2, 3),
        ("nessie", "Deployment", "nessie-server", 2, 2),
        ("trino", "StatefulSet", "trino-server", 1, 1),
        ("trino", "Deployment", "trino-worker", 1, 2),
        ("datahub", "StatefulSet", "datahub-server", 1, 1),
    ],
)
def test_each_size_has_its_number_of_pods(
    component: str, kind: str, workload: str, small: int, production: int
) -> None:
    found = [one(render(chart(component), size), kind, workload)["spec"]["replicas"] for size in SIZES]
    assert found == [small, production]


@pytest.mark.parametrize("size", SIZES)
def test_storage_class_is_named_in_production_alone(size: str) -> None:
    claims = [
        claim["spec"].get("storageClassName")
        for path in CHARTS
        for thing in render(path, size)
        for claim in (thing, *thing.get("spec", {}).get("volumeClaimTemplates", ()))
        if claim["kind"] == "PersistentVolumeClaim"
    ]
    assert len(claims) >= 8
    assert set(claims) == ({None} if size == "small" else {"openebs-hostpath", "shared"})


def test_the_storage_class_that_was_asked_for_comes_before_that_of_the_size() -> None:
    asked_for = render(chart("postgresql"), "production", changes={"storageClass": "mine"})
    (claim,) = one(asked_for, "StatefulSet", "postgresql-server")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "mine"


def test_writers_reach_the_primary_and_readers_the_replicas() -> None:
    objects = render(chart("postgresql"), "small")
    roles = {name: one(objects, "Service", name)["spec"]["selector"].get("role") for name in services(objects)}
    assert roles == {
        "postgresql": "primary",
        "postgresql-replica": "replica",
        "postgresql-server": None,
        "postgresql-pgbouncer": None,
    }
    assert one(objects, "Service", "postgresql-server")["spec"]["clusterIP"] == "None"


def services(objects: list[Object]) -> list[str]:
    """Names of the Services."""
    return [thing["metadata"]["name"] for thing in objects if thing["kind"] == "Service"]


def test_patroni_may_change_what_it_elects_with_and_nothing_else() -> None:
    role = one(render(chart("postgresql"), "small"), "Role", "postgresql")
    changed = {
        resource
        for rule in role["rules"]
        for resource in rule["resources"]
        if {"create", "update", "patch", "delete"} & set(rule["verbs"])
    }
    assert changed == {"configmaps", "pods"}
    assert not any("*" in rule["verbs"] + rule["resources"] + rule["apiGroups"] for rule in role["rules"])


@pytest.mark.parametrize(
    ("size", "drives", "places"),
    [
        ("small", 4, "/var/lib/data-platform/drive{1...4}"),
        ("production", 1, "http://minio-server-{0...3}.minio-server:9000/var/lib/data-platform/drive1"),
    ],
)
def test_minio_is_told_of_every_drive_of_every_pod(size: str, drives: int, places: str) -> None:
    objects = render(chart("minio"), size)
    server = one(objects, "StatefulSet", "minio-server")
    (container,) = server["spec"]["template"]["spec"]["containers"]
    assert {"name": "MINIO_VOLUMES", "value": places} in container["env"]
    claims = [claim["metadata"]["name"] for claim in server["spec"]["volumeClaimTemplates"]]
    assert claims == [f"drive{number}" for number in range(1, drives + 1)]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert [mounted[claim] for claim in claims] == [f"/var/lib/data-platform/{claim}" for claim in claims]


@pytest.mark.parametrize("size", SIZES)
def test_a_worker_of_trino_ends_after_its_last_task(size: str) -> None:
    objects = render(chart("trino"), size)
    worker = pod(objects, "Deployment", "trino-worker")
    (container,) = worker["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert "SHUTTING_DOWN" in command
    assert "tail --pid=1" in command
    assert "sleep" not in container["lifecycle"]["preStop"]
    grace = next(int(v["value"].removesuffix("s")) for v in container["env"] if v["name"] == "TRINO_SHUTDOWN_GRACE")
    assert worker["terminationGracePeriodSeconds"] >= 4 * grace
    assert one(objects, "Service", "trino")["spec"]["selector"]["app.kubernetes.io/component"] == "server"


@pytest.mark.parametrize("size", SIZES)
def test_every_variable_of_trinos_files_is_given(size: str) -> None:
    path = chart("trino")
    given = {v["name"] for _, container in containers(render(path, size)) for v in container["env"]}
    named = {
        word.partition("}")[0]
        for file in path.parent.glob("etc-kubernetes/*.properties")
        for word in file.read_text(encoding="utf-8").split("${ENV:")[1:]
    }
    own = {name for name in named if name.startswith("TRINO_")} - {"TRINO_HTTP_PORT", "TRINO_HTTP_URL"}
    assert len(own) >= 4
    assert own <= given


@pytest.mark.parametrize(
    ("component", "claim", "place", "sharers"),
    [
        ("nifi", "nifi-landing", "/landing", {"nifi-nifi"}),
        (
            "airflow",
            "airflow-logs",
            "/var/log/data-platform",
            {"airflow-api-server", "airflow-scheduler", "airflow-triggerer"},
        ),
    ],
)
def test_shared_volumes_are_mounted_by_those_who_share_them(
    component: str, claim: str, place: str, sharers: set[str]
) -> None:
    objects = render(chart(component), "small")
    assert one(objects, "PersistentVolumeClaim", claim)["metadata"]["annotations"] == {
        "helm.sh/resource-policy": "keep"
    }
    found = set()
    for thing, template in pods(objects):
        (container,) = template["spec"]["containers"]
        volumes = {
            v["name"]
            for v in template["spec"]["volumes"]
            if dict(v).get("persistentVolumeClaim") == {"claimName": claim}
        }
        mounts = [m for m in container["volumeMounts"] if m["mountPath"] == place and m["name"] in volumes]
        if mounts:
            found.add(thing["metadata"]["name"])
        assert sum(m["mountPath"] == place for m in container["volumeMounts"]) <= 1
    assert found == sharers


def test_a_claim_that_is_there_already_is_used() -> None:
    objects = render(chart("nifi"), "production", changes={"sharedVolumes.landing.existingClaim": "share"})
    assert not [thing for thing in objects if thing["kind"] == "PersistentVolumeClaim"]
    volumes = pod(objects, "StatefulSet", "nifi-nifi")["volumes"]
    assert {"name": "landing", "persistentVolumeClaim": {"claimName": "share"}} in volumes


def test_a_changed_secret_rolls_its_own_workload_alone() -> None:
    before = templates(render(chart("airflow"), "small"))
    after = templates(render(chart("airflow"), "small", changes={"processes.scheduler.environmentSecret": "changed"}))
    assert {name for name in before if before[name] != after[name]} == {"airflow-scheduler"}
    after = templates(render(chart("airflow"), "small", changes={"etc.secret": "changed"}))
    assert {name for name in before if before[name] != after[name]} == before.keys()


def templates(objects: list[Object]) -> dict[str, Object]:
    """Pod templates of the workloads by name."""
    return {thing["metadata"]["name"]: thing["spec"]["template"] for thing in workloads(objects)}


def test_a_process_that_is_given_some_files_mounts_a_secret_of_its_own() -> None:
    objects = render(chart("postgresql"), "small")
    server, pool = pod(objects, "StatefulSet", "postgresql-server"), pod(objects, "Deployment", "postgresql-pgbouncer")
    etc = {
        name: volume["secret"]
        for name, spec in (("server", server), ("pool", pool))
        for volume in spec["volumes"]
        if volume["name"] == "etc"
    }
    stored = {c.stored: c for c in target()._secrets(target()._item("postgresql")).values()}
    assert stored[etc["server"]["secretName"]].name == "postgresql-etc"
    assert stored[etc["pool"]["secretName"]].name == "postgresql-pgbouncer-etc"
    for secret in etc.values():
        assert {item["key"] for item in secret["items"]} == stored[secret["secretName"]].data.keys()
    # What is the server's alone does not roll the pool.
    assert {"pool.sh", "pgbouncer.ini"} <= stored[etc["pool"]["secretName"]].data.keys()
    assert "postgresql.conf" not in stored[etc["pool"]["secretName"]].data


def test_a_secret_that_is_not_the_components_own_is_mounted_under_its_name() -> None:
    volumes = pod(render(chart("postgresql"), "small"), "StatefulSet", "postgresql-server")["volumes"]
    (tls,) = (volume["secret"] for volume in volumes if volume["name"] == "tls")
    assert tls == {"secretName": "postgresql-server-tls", "optional": True, "defaultMode": 0o440}


def test_more_workers_do_not_roll_those_that_are_there() -> None:
    before = templates(render(chart("trino"), "small"))
    assert before == templates(render(chart("trino"), "small", changes={"workloads.worker.replicas": 1}))
    more = render(
        chart("trino"), "small", changes={"workloads.worker.replicas": 5, "workloads.worker.topologySpread": False}
    )
    assert templates(more) == before


def test_jobs_run_before_the_release_with_nothing_of_it() -> None:
    objects = render(chart("airflow"), "small")
    job = one(objects, "Job", "airflow-migrate")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    spec = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec
    assert not [volume for volume in spec["volumes"] if "persistentVolumeClaim" in volume]


GIT_SYNC = {
    "image": "registry.example.org/git-sync:v4.7.1",
    "repository": "https://git.example.org/data/platform.git",
    "ref": "main",
    "periodSeconds": 60,
    "credentialsSecret": "git",
}
CHECKOUT = "/opt/data-platform/checkout"


def synced(size: str, **changed: str) -> Object:
    """Values of Airflow's chart with a checkout by git-sync, as the target gives them."""
    said = {"gitSync": {**GIT_SYNC, **changed}}
    values = {**read_values(chart("airflow").parent, size), **said}
    return {**said, **chart_values(values, security(target().stack)["container"])}


@pytest.mark.parametrize("size", SIZES)
def test_servers_have_their_checkout_by_git_sync_where_the_values_say_so(size: str) -> None:
    objects = render(chart("airflow"), size, changes=synced(size))
    assert [problem for policy in POLICIES for problem in policy(objects)] == []
    servers = [thing["spec"]["template"]["spec"] for thing in workloads(objects)]
    assert len(servers) == 4
    for spec in servers:
        first, beside = spec["initContainers"]
        assert "--one-time" in first["args"]
        assert (beside["restartPolicy"], "--period=60s" in beside["args"]) == ("Always", True)
        (server,) = spec["containers"]
        (mount,) = [mount for mount in server["volumeMounts"] if mount["mountPath"] == CHECKOUT]
        assert mount["readOnly"]
        assert mount["name"] in {volume["name"] for volume in spec["volumes"]}
    # It runs before the release, from the image.
    assert "initContainers" not in pod(objects, "Job", "airflow-migrate")


def test_servers_have_the_checkout_of_the_image_otherwise() -> None:
    objects = render(chart("airflow"), "small")
    assert not [thing for thing, template in pods(objects) if "initContainers" in template["spec"]]
    assert CHECKOUT not in yaml.safe_dump_all(objects)
    assert "git-sync" not in yaml.safe_dump_all(objects)


@pytest.mark.parametrize("credentials", ["git", ""])
def test_tasks_have_the_checkout_of_the_servers(credentials: str) -> None:
    changes = synced("small", credentialsSecret=credentials)
    spec = pod(render(chart("airflow"), "small", changes=changes), "Deployment", "airflow-scheduler")
    values = {**read_values(chart("airflow").parent, "small"), **changes}
    task = task_pod(target().stack, target().settings, "dbt", Tasks(git=git_sync(values)))["spec"]
    assert task["initContainers"] == spec["initContainers"][:1]
    mounted = {mount["name"] for mount in task["initContainers"][0]["volumeMounts"]}
    assert ("git-sync-credentials" in mounted) == bool(credentials)
    here, there = ([v for v in each["volumes"] if v["name"] in mounted] for each in (task, spec))
    assert here == there
    assert {volume["name"] for volume in here} == mounted


def test_servers_do_not_run_a_commit_that_tasks_do_not_know_of() -> None:
    made = synced("small")
    for changes in ({"gitSync": GIT_SYNC}, {**made, "gitSync": {**GIT_SYNC, "ref": "next"}}, {**made, "gitSync": None}):
        with pytest.raises(RefusedError, match="tasks do not know of it"):
            render(chart("airflow"), "small", changes=changes)


def test_each_server_of_airflow_has_the_account_that_it_needs() -> None:
    found = {
        thing["metadata"]["name"]: (
            template["spec"]["serviceAccountName"],
            template["spec"]["automountServiceAccountToken"],
        )
        for thing, template in pods(render(chart("airflow"), "small"))
        if thing["kind"] == "Deployment"
    }
    assert found == {
        "airflow-api-server": ("airflow-api-server", True),
        "airflow-scheduler": ("airflow-scheduler", True),
        # It looks, waits and checks for the deployer.
        "airflow-triggerer": ("airflow", True),
        "airflow-dag-processor": ("airflow-dag-processor", False),
    }


def test_no_account_of_a_release_reads_secrets() -> None:
    roles = [thing for path in CHARTS for thing in render(path, "small") if thing["kind"] == "Role"]
    assert {role["metadata"]["name"] for role in roles} == {
        "airflow-api-server", "airflow-scheduler", "postgresql", "spark-driver", "spark-operator",
    }  # fmt: skip
    assert not [role for role in roles for rule in role["rules"] if "secrets" in rule["resources"]]


def test_airflows_pages_read_with_what_they_are_given() -> None:
    spec = pod(render(chart("airflow"), "small"), "Deployment", "airflow-api-server")
    (mount,) = (m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "credentials")
    assert (mount["mountPath"], mount["readOnly"]) == (str(places.CREDENTIALS), True)
    (secret,) = (v["secret"]["secretName"] for v in spec["volumes"] if v["name"] == "credentials")
    (content,) = (c for c in target()._secrets(target()._item("airflow")).values() if c.stored == secret)
    assert (content.name, set(content.data)) == ("airflow-pages", {"airflow.json", "pages.json", "pipelines.json"})


def monitors(*apis: str, charts: list[Path] = CHARTS, changes: Object | None = None) -> dict[str, Object]:
    """What is scraped, by component; each leads to a port of one Service, or a pod would count twice."""
    found = {}
    for path in charts:
        objects = render(path, "small", apis=apis, changes=changes)
        for thing in objects:
            if thing["kind"] == "ServiceMonitor":
                (found[thing["metadata"]["name"]],) = thing["spec"]["endpoints"]
                wanted = thing["spec"]["selector"]["matchLabels"].items()
                (service,) = [
                    service
                    for service in objects
                    if service["kind"] == "Service" and wanted <= service["metadata"]["labels"].items()
                ]
                assert found[thing["metadata"]["name"]]["port"] in {port["name"] for port in service["spec"]["ports"]}
                # All pods of the process, not those of one role.
                assert service["spec"]["selector"].keys() == {
                    "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
                }  # fmt: skip
    return found


def test_monitors_are_made_where_prometheus_operator_is() -> None:
    assert monitors() == {}
    found = monitors(MONITORING)
    having = {name for name, item in target().stack.components.items() if "metrics" in item.component.facets}
    assert found.keys() == having >= {"minio", "nessie", "nifi", "postgresql", "trino"}
    assert found["nessie"] == {"port": "management", "path": "/q/metrics", "scheme": "http", "interval": "30s"}


def test_a_monitor_logs_in_by_a_secret_where_the_server_wants_a_name() -> None:
    found = monitors(MONITORING)["trino"]["basicAuth"]
    keys = {key: (said["name"], said["key"]) for key, said in found.items()}
    assert keys == {"username": ("trino-scraper", "username"), "password": ("trino-scraper", "password")}
    assert target()._secrets(target().stack.components["trino"])["trino-scraper"].data.keys() == keys.keys()


def test_a_site_changes_how_often_or_does_without() -> None:
    nessie = [chart("nessie")]
    seldom = monitors(MONITORING, charts=nessie, changes={"serviceMonitor.interval": "2m"})
    assert (seldom["nessie"]["interval"], seldom["nessie"]["path"]) == ("2m", "/q/metrics")
    assert monitors(MONITORING, charts=nessie, changes={"serviceMonitor": False}) == {}


def test_exec_probes_and_own_probes_are_taken() -> None:
    changes = {
        "processes.server.ready": {"command": ["is-it-there"], "within": 61},
        "workloads.server.probes": {"liveness": False, "startup": {"periodSeconds": 10}},
    }
    (container,) = pod(render(chart("trino"), "small", changes=changes), "StatefulSet", "trino-server")["containers"]
    assert container["startupProbe"] == {
        "exec": {"command": ["is-it-there"]}, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 7,
    }  # fmt: skip
    assert "livenessProbe" not in container


@pytest.mark.parametrize("kind", ["Ingress", "HTTPRoute"])
def test_a_way_in_for_people_leads_to_the_service(kind: str) -> None:
    way = {
        "kind": kind,
        "host": "trino.example.org",
        "endpoint": "http",
        "className": "nginx",
        "gateway": {"name": "g"},
    }
    found = one(render(chart("trino"), "small", changes={"expose": way}), kind, "trino")
    assert '"trino"' in yaml.safe_dump(found, default_style='"')
    assert not [thing for thing in render(chart("trino"), "small") if thing["kind"] == kind]


@pytest.mark.parametrize("scheme", [None, "HTTPS"])
def test_probes_of_a_server_of_tls_speak_it(scheme: str | None) -> None:
    changes = {"processes.server.ready.http.scheme": scheme} if scheme else {}
    (container,) = pod(render(chart("nessie"), "small", changes=changes), "Deployment", "nessie-server")["containers"]
    # The other probes of this chart bring a way of their own.
    assert container["startupProbe"]["httpGet"].get("scheme") == scheme
