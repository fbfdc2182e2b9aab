"""The house rules of DAGs: which there are, their arrows, what each must have. Twins prove that a guard can fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from data_platform.dagkit.alerts import alert
from data_platform.stack.datasets import registry
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack, datasets

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = {f"pipelines_{name}" for name in datasets(ROOT)}
IDS = {
    "operations_airflow",
    "operations_tables",
    "stack_deploy",
    "stack_drift",
    "stack_health",
    "stack_upgrade",
} | PIPELINES
#: Who owns the DAGs of a room.
OWNERS = {"operations": "platform-team", "pipelines": "data-engineers", "stack": "platform-team"}
#: What all components stand on is made first.
PREPARE = "prepare"
#: What takes the lease first gives it back last.
RELEASE = "release"
VERBS = {"observe", "plan", "apply", "wait", "verify"}
EVERY_DAG = pytest.mark.parametrize("dag_id", sorted(IDS))
Parse = Callable[[Path], "DagBag"]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load_stack(ROOT)


def test_all_dag_files_can_be_imported(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert bag.dags


def test_exactly_these_dags_exist(bag: DagBag) -> None:
    assert set(bag.dags) == IDS


def test_a_dag_file_with_a_wrong_import_is_reported(parse_folder: Parse, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from airflow.sdk import DAG\nfrom data_platform import nothing_of_the_kind\n")
    found = parse_folder(tmp_path)
    assert found.dags == {}
    ((_, trace),) = found.import_errors.items()
    assert "nothing_of_the_kind" in trace


def test_a_dag_file_that_opens_a_socket_is_reported(parse_folder: Parse, tmp_path: Path) -> None:
    (tmp_path / "calls_out.py").write_text(
        "import socket\nfrom airflow.sdk import DAG\nsocket.socket()\nDAG('calls_out')\n"
    )
    found = parse_folder(tmp_path)
    assert found.dags == {}
    assert "socket" in next(iter(found.import_errors.values()))


@EVERY_DAG
def test_the_id_of_a_dag_is_its_path(bag: DagBag, dag_id: str) -> None:
    path = Path(bag.dags[dag_id].fileloc).relative_to(ROOT / "dags")
    assert "_".join(path.with_suffix("").parts) == dag_id


@EVERY_DAG
def test_every_dag_has_owner_tags_and_documentation(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    room = dag_id.partition("_")[0]
    assert dag.owner == OWNERS[room]
    assert dag.tags == {room}
    assert dag.doc_md is not None
    assert dag.doc_md.startswith("### ")
    assert "**Owner:**" in dag.doc_md
    assert "**When it fails:**" in dag.doc_md
    assert dag.catchup is False
    assert dag.max_active_runs == 1


def test_a_deploy_has_cluster_services_on_kubernetes_alone(bag: DagBag) -> None:
    from airflow.sdk import DAG

    from data_platform.dagkit.components import deploy_groups

    there = load_stack(ROOT, target=KUBERNETES)
    services = {name for name, item in there.components.items() if item.service}
    assert services == {"openebs", "spark-operator"}
    with DAG("deploy_there", schedule=None) as deploy:
        deploy_groups(there)
    tasks = {f"{name}.{verb}" for name in services for verb in VERBS}
    assert tasks <= set(deploy.task_ids)
    assert not tasks & set(bag.dags["stack_deploy"].task_ids)
    assert "spark-operator.verify" in deploy.get_task("spark.apply").upstream_task_ids


def tasks_without_care(dag: Any) -> list[str]:
    """Tasks without an owner, a timeout, a number of retries that somebody chose, or an alert."""
    return [
        task.task_id
        for task in dag.tasks
        if task.owner not in OWNERS.values()
        or not task.execution_timeout
        or task.retries is None
        or not isinstance(task.retry_delay, timedelta)
        or alert not in callbacks(task)
    ]


def callbacks(task: Any) -> list[object]:
    found = task.on_failure_callback
    return list(found) if isinstance(found, list | tuple) else [found]


@EVERY_DAG
def test_every_task_has_timeout_retries_and_an_alert(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.tasks
    assert tasks_without_care(dag) == []


def test_what_changes_things_is_tried_again_and_a_report_is_not(bag: DagBag) -> None:
    retries = {dag_id: {task.retries for task in dag.tasks} for dag_id, dag in bag.dags.items()}
    # The one dbt run of a pipeline is tried again by the tasks of its models.
    assert retries == {
        "operations_airflow": {1},
        "operations_tables": {1},
        **{dag_id: {1, 2} for dag_id in PIPELINES},
        "stack_deploy": {1},
        "stack_drift": {0},
        "stack_health": {0},
        # What fails there is rolled back.
        "stack_upgrade": {0},
    }


def test_a_task_without_care_is_found() -> None:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    with DAG("careless", schedule=None) as dag:
        EmptyOperator(task_id="no_care_at_all")
        EmptyOperator(task_id="no_alert", owner="platform-team", execution_timeout=timedelta(minutes=1), retries=1)
    assert tasks_without_care(dag) == ["no_care_at_all", "no_alert"]


def test_deploy_has_one_group_of_the_same_verbs_for_each_component(bag: DagBag, stack: Stack) -> None:
    tasks = {task.task_id for task in bag.dags["stack_deploy"].tasks}
    wanted = {f"{name}.{verb}" for name in stack.components for verb in VERBS}
    wanted |= {f"artifacts.{name}" for name in stack.components} | {PREPARE, RELEASE}
    assert tasks == wanted


def edges_between_components(dag: Any) -> dict[str, set[str]]:
    """Which components each component waits for, by the arrows of the DAG."""
    found: dict[str, set[str]] = {}
    for task in dag.tasks:
        if task.task_id in (PREPARE, RELEASE):
            continue
        group = component_of(task.task_id)
        found.setdefault(group, set())
        found[group] |= {component_of(upstream) for upstream in task.upstream_task_ids - {PREPARE}} - {group}
    return found


def component_of(task_id: str) -> str:
    group, _, name = task_id.partition(".")
    return name if group == "artifacts" else group


def test_the_arrows_of_deploy_are_the_dependencies_of_the_stack(bag: DagBag, stack: Stack) -> None:
    wanted = {name: set(needed) for name, needed in stack.edges().items()}
    assert sum(map(len, wanted.values())) >= 5
    assert edges_between_components(bag.dags["stack_deploy"]) == wanted


def test_an_arrow_too_many_or_too_few_is_found(stack: Stack) -> None:
    from airflow.sdk import DAG

    from data_platform.dagkit.components import deploy_groups

    with DAG("other", schedule=None) as dag:
        deploy_groups(stack)
    wanted = {name: set(needed) for name, needed in stack.edges().items()}
    assert edges_between_components(dag) == wanted
    dag.get_task("postgresql.verify") >> dag.get_task("minio.apply")
    assert edges_between_components(dag) != wanted
    fewer = {name: needed - {"postgresql"} for name, needed in wanted.items()}
    assert edges_between_components(dag) != fewer


def test_nothing_is_looked_at_before_the_place_is_prepared(bag: DagBag, stack: Stack) -> None:
    dag = bag.dags["stack_deploy"]
    assert dag.get_task(PREPARE).upstream_task_ids == set()
    assert dag.get_task(PREPARE).downstream_task_ids == {f"{name}.observe" for name in stack.components}


def test_the_verbs_of_a_component_follow_each_other(bag: DagBag, stack: Stack) -> None:
    dag = bag.dags["stack_deploy"]
    for name in stack.components:
        inside = {
            verb: {u for u in dag.get_task(f"{name}.{verb}").upstream_task_ids if component_of(u) == name}
            for verb in VERBS
        }
        assert inside == {
            "observe": set(),
            "plan": {f"{name}.observe"},
            "apply": {f"{name}.plan", f"artifacts.{name}"},
            "wait": {f"{name}.apply"},
            "verify": {f"{name}.wait", f"{name}.plan"},
        }
        assert dag.get_task(f"artifacts.{name}").upstream_task_ids == {f"{name}.plan"}


def test_downloads_and_builds_wait_for_no_other_component(bag: DagBag, stack: Stack) -> None:
    dag = bag.dags["stack_deploy"]
    for name in stack.components:
        before = {task.task_id for task in dag.get_task(f"artifacts.{name}").get_flat_relatives(upstream=True)}
        before.remove(PREPARE)
        assert {component_of(task_id) for task_id in before} == {name}


def test_nothing_is_applied_before_its_dependencies_are_verified(bag: DagBag, stack: Stack) -> None:
    dag = bag.dags["stack_deploy"]
    assert sum(len(stack.dependencies(name)) for name in stack.components) >= len(stack.components)
    for name in stack.components:
        for needed in stack.dependencies(name):
            assert f"{needed}.verify" in dag.get_task(f"{name}.apply").upstream_task_ids
            assert f"{needed}.verify" in dag.get_task(f"{name}.verify").upstream_task_ids


def test_health_has_a_task_for_each_component_one_for_the_lease_and_one_for_pipelines_and_no_arrows(
    bag: DagBag, stack: Stack
) -> None:
    tasks = {task.task_id: task for task in bag.dags["stack_health"].tasks}
    assert set(tasks) == {*stack.components, "lease", "pipelines"}
    assert all(not task.upstream_task_ids for task in tasks.values())
    # It tells of a lease that is held too long; the others are skipped meanwhile.
    assert not tasks.pop("lease").yields  # type: ignore[union-attr]
    assert all(task.yields for task in tasks.values())  # type: ignore[union-attr]
    del tasks["pipelines"]
    for task in tasks.values():
        declared = [check.name for check in stack.components[task.task_id].component.all_checks]
        assert [line.removeprefix("- ") for line in str(task.doc_md).splitlines()] == declared


def test_drift_plans_every_component_and_reports_all_of_them(bag: DagBag, stack: Stack) -> None:
    dag = bag.dags["stack_drift"]
    plans = {f"{name}.plan" for name in stack.components}
    assert {task.task_id for task in dag.tasks} == plans | {f"{name}.observe" for name in stack.components} | {"report"}
    assert dag.get_task("report").upstream_task_ids == plans
    assert set(dag.get_task("report").plans) == plans  # type: ignore[union-attr]
    # A skipped look skips the report: an unfinished deploy is no drift.
    assert all(dag.get_task(f"{name}.observe").yields for name in stack.components)  # type: ignore[union-attr]
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}
    deploy = bag.dags["stack_deploy"]
    assert not any(deploy.get_task(f"{name}.observe").yields for name in stack.components)  # type: ignore[union-attr]


def test_deploy_runs_when_asked_and_the_others_by_the_clock(bag: DagBag) -> None:
    schedules = {dag_id: dag.schedule for dag_id, dag in bag.dags.items()}
    assert schedules.pop("stack_deploy") is None
    assert schedules.pop("stack_upgrade") is None
    assert len([schedules.pop(dag_id) for dag_id in PIPELINES]) >= 2
    assert {dag_id: schedule.expression for dag_id, schedule in schedules.items()} == {  # type: ignore[union-attr]
        "stack_health": "0 * * * *",
        "stack_drift": "30 5 * * *",
        "operations_airflow": "0 4 * * 0",
        "operations_tables": "0 3 * * 0",
    }


def test_a_pipeline_runs_when_files_come_and_by_the_clock(bag: DagBag) -> None:
    schedule: Any = bag.dags["pipelines_fx_rates"].schedule
    assert schedule.timetable.expression == "30 17 * * 1-5"
    assert schedule.asset_condition.uri == "s3://raw/fx_rates"
    assert [watcher.trigger.dataset for watcher in schedule.asset_condition.watchers] == ["fx_rates"]
    # A pipeline that writes what wakes it would never rest.
    outlets = {asset.uri for task in bag.dags["pipelines_fx_rates"].tasks for asset in task.outlets}
    assert "iceberg:lakehouse.marts.fx_rates_daily" in outlets
    assert "s3://raw/fx_rates" not in outlets


@EVERY_DAG
def test_no_dag_runs_by_itself_before_the_platform_is_there(bag: DagBag, dag_id: str) -> None:
    """With a start date, a DAG's first run is that of the time that has just passed, whatever its timetable says."""
    assert bag.dags[dag_id].start_date is None
    assert {task.start_date for task in bag.dags[dag_id].tasks} == {None}


@pytest.mark.parametrize("name", datasets(ROOT))
def test_pipelines_differ_in_what_their_datasets_say_alone(bag: DagBag, name: str) -> None:
    one, dag = registry(ROOT)[name], bag.dags[f"pipelines_{name}"]
    schedule: Any = dag.schedule
    assert (schedule.timetable.expression, str(schedule.timetable.timezone)) == (
        one.pipeline.runs.cron,
        one.pipeline.runs.zone,
    )
    tasks = {task.task_id for task in dag.tasks if not task.task_id.startswith("dbt.")}
    steps = "flow land discover audit load validate_raw validate_marts publish docs emit_lineage check_lineage"
    more = {"turn", "release", "load_rest", "validate_rest", "set_aside"}
    own = {"deliver": one.pipeline.reference is not None, "page": (ROOT / "reports" / name / "page.py").exists()}
    assert tasks == {*steps.split(), *more, *(task for task, there in own.items() if there)}
    assert set(dag.params) == ({"from", "to"} if one.pipeline.days else set())
    assert [asset.name for asset in dag.get_task("publish").outlets] == [
        f"lakehouse.{table.name}" for table in one.contract.on("marts")
    ]


def test_upkeep_goes_over_every_dataset(bag: DagBag) -> None:
    dag = bag.dags["operations_tables"]
    names = set(datasets(ROOT))
    assert names
    assert set(dag.task_ids) == {f"{before}{name}" for name in names for before in ("turn_", "", "release_")}
    for name in names:
        assert dag.get_task(name).upstream_task_ids == {f"turn_{name}"}
        assert dag.get_task(f"release_{name}").is_teardown


def cleared(dag: Any, task: str) -> set[str]:
    """What Airflow clears with a task and what comes after it."""
    from airflow.serialization.serialized_objects import DagSerialization

    kept: Any = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    return set(kept.partial_subset([task], include_downstream=True, include_upstream=False).task_dict)


@pytest.mark.parametrize("dag_id", sorted(PIPELINES))
def test_whatever_works_on_the_branch_takes_the_turn_when_it_is_cleared(bag: DagBag, dag_id: str) -> None:
    from data_platform.dagkit.datasets import IN_TURN

    dag = bag.dags[dag_id]
    release = dag.get_task("release")
    between = release.upstream_task_ids - {"turn"}
    assert {"discover", "audit", "load", "validate_raw", "validate_marts", "publish"} <= between
    assert {task for task in dag.task_ids if task.startswith("dbt.")} <= between
    for task_id in between:
        assert {"turn", "release"} <= cleared(dag, task_id), task_id
    # Cleared alone, it is refused; these are no work on the branch.
    refuse = {t for t in between if dag.get_task(t)._pre_execute_hook is IN_TURN["pre_execute"]}
    harmless = {"flow", "land", "deliver", "dbt.dbt_producer_watcher_done"}
    assert between - refuse == harmless & set(dag.task_ids)
    for shown in ("docs", "emit_lineage", "check_lineage", "set_aside"):
        assert not {"turn", "release"} & cleared(dag, shown)


def test_airflows_own_upkeep_is_two_tasks_that_nothing_waits_for(bag: DagBag) -> None:
    tasks = {task.task_id: task for task in bag.dags["operations_airflow"].tasks}
    assert set(tasks) == {"runs", "logs"}
    assert all(not task.upstream_task_ids and not task.downstream_task_ids for task in tasks.values())
    # The database's password is asked for of the API server; the logs are mounted in every task's pod.
    assert Path(tasks["runs"].executor_config["pod_template_file"]).stem == "deployer"
    assert not tasks["logs"].executor_config


def test_readers_get_nothing_before_the_last_audit(bag: DagBag) -> None:
    dag = bag.dags["pipelines_fx_rates"]
    before = {task.task_id for task in dag.get_task("publish").get_flat_relatives(upstream=True)}
    assert {"audit", "load", "validate_raw", "validate_marts"} <= before
    assert any(task_id.startswith("dbt.") for task_id in before)
    for shown in ("page", "docs", "emit_lineage"):
        assert "publish" in {task.task_id for task in dag.get_task(shown).get_flat_relatives(upstream=True)}


def test_dags_survive_serialization(bag: DagBag) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    assert bag.dags.keys() == IDS
    for dag_id, dag in bag.dags.items():
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert again.dag_id == dag_id
        assert set(again.task_dict) == set(dag.task_dict)


def strangers(opened: set[Path]) -> set[Path]:
    """Files of this machine that are neither the stack, nor code, nor Airflow's own home."""
    import os

    def is_code(path: Path) -> bool:
        roots = [Path(sys.prefix), Path(sys.base_prefix), ROOT / "plugins"]
        return path.suffix in (".py", ".pyc", ".so") and any(path.is_relative_to(root) for root in roots)

    # Airflow itself looks through its folder of DAG files for archives.
    folders = [ROOT / name for name in ("stack", "dags", "datasets", "dbt_project")]
    allowed = [*folders, Path(os.environ["AIRFLOW_HOME"])]
    return {p for p in opened if not is_code(p) and not any(p.is_relative_to(root) for root in allowed)}


def test_parsing_reads_the_stack_the_datasets_and_the_models_and_nothing_else(
    bag: DagBag, parse_folder: Parse, opened_by: Callable[[Callable[[], object]], set[Path]]
) -> None:
    assert bag.dags  # everything that is imported once has been imported
    opened = opened_by(lambda: parse_folder(ROOT / "dags"))
    assert ROOT / "stack" / "stack.yaml" in opened
    assert strangers(opened) == set()


def test_a_dag_file_that_reads_something_else_is_found(
    bag: DagBag, parse_folder: Parse, opened_by: Callable[[Callable[[], object]], set[Path]], tmp_path: Path
) -> None:
    assert bag.dags
    secret = tmp_path / "credentials.json"
    secret.write_text("{}")
    (tmp_path / "curious.py").write_text(
        f"from pathlib import Path\nfrom airflow.sdk import DAG\nPath({str(secret)!r}).read_text()\nDAG('curious')\n"
    )
    assert secret in strangers(opened_by(lambda: parse_folder(tmp_path)))


def test_dag_files_are_thin() -> None:
    files = sorted((ROOT / "dags").rglob("*.py"))
    assert len(files) >= len(IDS)
    for path in files:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 100, path


def test_an_upgrade_checks_before_and_after_and_goes_back_when_one_of_its_steps_fails(bag: DagBag) -> None:
    dag = bag.dags["stack_upgrade"]
    arrows = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert arrows == {
        "check_before": set(),
        "roll_out": {"check_before"},
        "check_after": {"roll_out"},
        "roll_back": {"roll_out", "check_after"},
        RELEASE: {"check_after", "roll_back"},
    }
    assert dag.get_task("roll_back").trigger_rule == "one_failed"
    rest = {task.trigger_rule for task in dag.tasks if task.task_id not in ("roll_back", RELEASE)}
    assert rest == {"all_success"}


@pytest.mark.parametrize("dag_id", ["stack_deploy", "stack_upgrade"])
def test_the_lease_is_given_back_after_all_else_and_makes_no_failed_run_green(bag: DagBag, dag_id: str) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization

    dag = bag.dags[dag_id]
    last = dag.get_task(RELEASE)
    before = {task.task_id for task in last.get_flat_relatives(upstream=True)}
    assert before == set(dag.task_ids) - {RELEASE}
    # It waits for what is directly before it alone. A build goes on when what was to come after it is given up.
    builds = {name for name in before if name.startswith("artifacts.")}
    assert bool(builds) is (dag_id == "stack_deploy")
    assert builds <= last.upstream_task_ids
    behind = {name: {*dag.get_task(name).downstream_task_ids} - {RELEASE} for name in before}
    assert {name for name in behind if not behind[name]} <= last.upstream_task_ids
    assert last.is_teardown
    assert (last.trigger_rule, last.on_failure_fail_dagrun) == ("all_done_setup_success", False)
    # Airflow's own rule says which tasks decide of a run.
    kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    tis = [TaskInstance(kept.get_task(name), dag_version_id=uuid4()) for name in dag.task_ids]
    decide = {ti.task_id for ti in DagRun()._tis_for_dagrun_state(dag=kept, tis=tis)}
    assert decide
    assert decide == {name for name in behind if not behind[name]}


def test_tasks_with_tools_name_the_pod_that_has_them(bag: DagBag, stack: Stack) -> None:
    dag = bag.dags["pipelines_fx_rates"]
    pods = {
        task.task_id: Path(task.executor_config["pod_template_file"]).stem for task in dag.tasks if task.executor_config
    }
    assert {pods[name] for name in pods if name.startswith("dbt.")} == {"dbt"}
    rest = {name: pod for name, pod in pods.items() if not name.startswith("dbt.")}
    assert rest == {
        "load": "spark",
        "load_rest": "spark",
        "validate_raw": "analysis",
        "validate_rest": "analysis",
        "validate_marts": "analysis",
        "page": "analysis",
        "docs": "dbt",
    }
    assert set(pods.values()) <= {name for name, item in stack.components.items() if item.definition.tools}
