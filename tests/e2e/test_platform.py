"""The platform as its users meet it: one command, and then everything works."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest

from data_platform.clients.airflow import Airflow
from tests.running import Running

pytestmark = pytest.mark.timeout(3600)


def test_every_component_is_there_and_every_check_passed(platform: Running) -> None:
    found = platform.status()
    stack = platform.target.stack
    assert [c["name"] for c in found["components"]] == list(stack.components)
    assert len(found["components"]) >= 8
    for component in found["components"]:
        assert component["state"] in ("running", "installed"), component
        declared = {check.name for check in stack.components[component["name"]].component.all_checks}
        assert {check["name"] for check in component["checks"]} == declared
        assert {check["status"] for check in component["checks"]} == {"passed"}, component


def test_the_status_keeps_its_contract(platform: Running) -> None:
    found = platform.status()
    assert found["target"] == "local"
    assert httpx.get(found["airflow"]["url"] + "/api/v2/version", trust_env=False).status_code == 200
    credentials = Path(found["credentials_file"])
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert {"namespace", "endpoints", "state", "checks"} <= found["components"][0].keys()


def test_a_second_up_changes_nothing(platform: Running) -> None:
    platform.bootstrap("up")
    before = platform.programs()
    done = platform.bootstrap("up")
    assert platform.programs() == before
    assert len(before) >= 8
    assert "apply" not in done.stdout


def test_the_checks_pass_again_by_hand(platform: Running) -> None:
    done = platform.bootstrap("check")
    checks = sum(len(item.component.all_checks) for item in platform.target.stack.components.values())
    assert done.stdout.count("passed  ") == checks


def test_the_health_dag_keeps_its_results(platform: Running) -> None:
    from data_platform.records import results

    platform.bootstrap("run", "stack_health")
    newest = [r for r in results.latest(platform.target) if r.reason == "health"]
    assert {r.component for r in newest} == set(platform.target.stack.components)


def test_the_pages_in_airflow_need_a_login_and_show_every_component(platform: Running) -> None:
    login, url = platform.target.credentials("airflow"), platform.target.address("airflow", "api").url
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as browser:
        for path in ("/data-platform/", "/data-platform/health"):
            assert browser.get(path).status_code == 401
        token = browser.post("/auth/token", json={"username": login["username"], "password": login["password"]}).json()[
            "access_token"
        ]
        for path in ("/data-platform/", "/data-platform/health"):
            page = browser.get(path, headers={"Authorization": f"Bearer {token}"})
            assert page.status_code == 200
            missing = [name for name in platform.target.stack.components if f"<strong>{name}</strong>" not in page.text]
            assert missing == []


def test_a_task_links_to_its_component(platform: Running, airflow: Airflow) -> None:
    platform.bootstrap("run", "stack_health")
    # The hourly run may have just begun.
    ended = [r for r in airflow.runs("stack_health") if r["state"] == "success"]
    run = max(ended, key=lambda r: str(r["run_after"]))
    links = airflow.links("stack_health", run["dag_run_id"], "trino")
    assert links["Component"] == platform.target.address("trino", "http").url + "/ui/"


def test_a_hand_made_change_is_reported_and_put_right(platform: Running, airflow: Airflow) -> None:
    platform.bootstrap("run", "stack_drift")
    edited = platform.folder / "etc" / "trino" / "config.properties"
    edited.write_text(edited.read_text(encoding="utf-8") + "\n# edited by hand\n", encoding="utf-8")
    report = platform.bootstrap("run", "stack_drift", check=False)
    assert report.returncode == 1
    assert "trino: write file config.properties: its content is not what the definition says" in report.stdout
    newest = max(airflow.runs("stack_drift"), key=lambda run: str(run["run_after"]))
    log = "\n".join(airflow.log("stack_drift", newest["dag_run_id"], "report", 1))
    assert "ALERT {" in log
    assert "Failed to run task callback" not in log
    platform.bootstrap("run", "stack_deploy")
    assert "edited by hand" not in edited.read_text(encoding="utf-8")
    platform.bootstrap("run", "stack_drift")


@pytest.mark.deep
def test_data_survives_down_and_up(platform: Running) -> None:
    import io

    from data_platform.clients import s3

    def store() -> object:
        keys = platform.target.credentials("s3")
        return s3.client(platform.target.address("s3", "http").url, keys["access_key"], keys["secret_key"])

    store().put_object("raw", "kept/object", io.BytesIO(b"still here"), 10)  # type: ignore[attr-defined]
    platform.bootstrap("down")
    platform.bootstrap("up")
    with store().get_object("raw", "kept/object") as answer:  # type: ignore[attr-defined]
        assert answer.read() == b"still here"


def test_only_loopback_addresses_are_listened_on(platform: Running) -> None:
    import psutil

    found = platform.of_processes(lambda process: (process.name(), process.net_connections("inet")))
    listening = [(name, at.laddr) for name, ats in found for at in ats if at.status == psutil.CONN_LISTEN]
    assert len(listening) >= 8
    elsewhere = [
        (name, at) for name, at in listening if not (at.ip.startswith("127.") or at.ip in ("::1", "::ffff:127.0.0.1"))
    ]
    assert elsewhere == []


def test_an_unknown_dataset_is_named(platform: Running) -> None:
    done = platform.bootstrap("ingest", "no_such_dataset", "README.md", check=False)
    assert done.returncode == 2
    assert "there is no dataset 'no_such_dataset'" in done.stderr


def test_another_state_folder_gets_other_ports(platform: Running, tmp_path: Path) -> None:
    from data_platform.targets.local import ports
    from data_platform.targets.local.cache import cache_folder
    from data_platform.targets.local.state import State

    other = ports.choose(platform.target.stack, State(tmp_path / "other"), cache_folder())
    mine = ports.choose(platform.target.stack, State(platform.folder), cache_folder())
    assert set(other.values()).isdisjoint(mine.values())
