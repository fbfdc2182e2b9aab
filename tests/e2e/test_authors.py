"""Who writes a model, names a job's settings or starts a run in Airflow is told no secret by what works for him.

What a client of NiFi, of Trino and of Nessie can say is tried in test_nifi_offers.py, test_query_engine.py and
test_table_catalog.py; what a program of a component can open, in test_confinement.py and test_secret_holders.py.
"""

from __future__ import annotations

import json
import uuid

import pytest

from data_platform.clients.airflow import Airflow
from data_platform.stack.holders import holders
from data_platform.targets.local import confine
from tests.running import Running
from tests.secret_values import binding, leaks, secrets_of
from tests.visits import visit

pytestmark = pytest.mark.timeout(900)

#: Under which programs of the field look for a secret.
_OF_THE_FIELD = ("AWS_SECRET_ACCESS_KEY", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
_SECONDS = 300.0
_TEMPLATE = "{{ conn.s3.password }} {{ var.value.get('none', conn.get('datahub').password) }}"
#: A job that is there; it never comes to work here.
_JOB = "spark_jobs/upkeep/expire.py"


@pytest.fixture(scope="module")
def secrets(platform: Running) -> dict[str, str]:
    """Every generated secret, by holder and key."""
    found = secrets_of(platform.target)
    assert len(found) >= 20
    return found


def test_a_model_is_told_no_secret_by_its_environment(platform: Running, secrets: dict[str, str]) -> None:
    every = holders(platform.target.stack).values()
    names = sorted({binding(each, key) for each in every for key in each.generated} | set(_OF_THE_FIELD))
    asked = "".join(f"[{{{{ env_var('{name}', 'nothing') }}}}]" for name in names)
    words = ["compile", "--quiet", "--inline", f"select '{asked}' as a, '{{{{ env_var('DBT_PROJECT_DIR') }}}}' as b"]
    done = platform.target.run_tool("dbt", "dbt", words, _SECONDS)
    assert done.returncode == 0, done.output
    assert done.output.count("[nothing]") == len(names) >= 20
    assert "/dbt_project' as b" in done.output, "variables that are there are told"
    assert leaks(secrets, done.output) == []


@pytest.mark.parametrize(
    "setting",
    [("--conf", "spark.files={file}"), ("--jars", "{file}"), ("--properties-file", "{file}")],
    ids="{0[0]}".format,
)
@pytest.mark.parametrize("file", ["credentials.json", "etc/airflow/secrets/fernet-key"])
def test_a_jobs_settings_open_no_file_of_others(
    platform: Running, secrets: dict[str, str], setting: tuple[str, str], file: str
) -> None:
    if confine.shortfalls():
        pytest.skip("this kernel has no Landlock: a tool can read what its user can (docs/status.md)")
    path = platform.folder / file
    assert leaks(secrets, path.read_text(encoding="utf-8"))
    words = [setting[0], setting[1].format(file=path), _JOB, "--table", "scratch.nothing=2020-01-01T00:00:00+00:00"]
    done = platform.target.run_tool("spark", "submit", words, _SECONDS)
    assert done.returncode != 0
    # Java says it in two ways.
    assert "Permission denied" in done.output or "AccessDeniedException" in done.output, done.output
    assert leaks(secrets, done.output) == []


def test_what_a_run_is_told_in_airflow_is_not_filled_in(
    platform: Running, secrets: dict[str, str], airflow: Airflow
) -> None:
    conf = json.dumps({"components": [_TEMPLATE, "${S3_SECRET_KEY}"]})
    done = platform.bootstrap("run", "stack_deploy", "--conf", conf, check=False)
    assert done.returncode == 1
    run = airflow.runs("stack_deploy")[0]["dag_run_id"]
    tasks = airflow.tasks("stack_deploy", run)
    failed = [task for task in tasks if task["state"] == "failed"]
    logs = ["\n".join(airflow.log("stack_deploy", run, t["task_id"], t["try_number"])) for t in failed]
    assert failed
    # It is named as it was written.
    assert [log for log in logs if _TEMPLATE not in log] == []
    said = "".join([done.stdout, *logs, json.dumps(tasks), json.dumps(airflow.xcoms("stack_deploy", run))])
    assert leaks(secrets, said) == []


def test_airflow_keeps_what_a_client_writes_as_it_is(platform: Running) -> None:
    name = f"written_{uuid.uuid4().hex[:8]}"
    with visit(platform) as seen, seen.airflow() as client:
        client.post("/api/v2/variables", json={"key": name, "value": _TEMPLATE}).raise_for_status()
        try:
            assert client.get(f"/api/v2/variables/{name}").json()["value"] == _TEMPLATE
        finally:
            client.delete(f"/api/v2/variables/{name}").raise_for_status()


@pytest.mark.parametrize("connection", ["s3", "datahub", "trino"])
def test_airflow_tells_nobody_a_connection_of_the_platform(platform: Running, connection: str) -> None:
    with visit(platform) as seen, seen.airflow() as client:
        assert client.get(f"/api/v2/connections/{connection}").status_code == 404
        # To try one out would send its password where the client says.
        tried = client.post(
            "/api/v2/connections/test", json={"connection_id": connection, "conn_type": "http", "host": "127.0.0.1"}
        )
    assert tried.status_code == 403, tried.text
