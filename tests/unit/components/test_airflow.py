"""Airflow's secrets are files that its servers read by commands; what its tasks inherit holds none."""

from __future__ import annotations

import configparser
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import psycopg.conninfo
import pytest

from data_platform.stack.bindings import Places, bindings
from data_platform.stack.definition import Kubernetes
from data_platform.stack.holders import holder
from data_platform.stack.load import load_stack, parse
from data_platform.targets.local.state import write_private
from data_platform.targets.render import rendered_files

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "stack" / "components" / "core" / "airflow"
#: Options of airflow.cfg, and the file that each comes from.
FILES = {
    ("core", "fernet_key"): "fernet-key",
    ("database", "sql_alchemy_conn"): "database-url",
    ("api", "secret_key"): "api-secret-key",
    ("api_auth", "jwt_secret"): "jwt-secret",
}
#: Reads each option as Airflow's servers do.
_SCRIPT = """
import json, sys
from airflow.configuration import conf
print(json.dumps([conf.get(section, option) for section, option in json.loads(sys.argv[1])]))
"""


class _Place:
    host, port, url = "db.example", 5432, "tcp://db.example:5432"


@pytest.fixture
def secrets() -> dict[str, str]:
    """Values of Airflow's own secrets that look like what is generated."""
    of = holder(load_stack(ROOT), "airflow")
    return {key: f"{number:x}" * 64 for number, key in enumerate(of.generated, start=10)}


@pytest.fixture
def etc(secrets: dict[str, str], tmp_path: Path) -> Path:
    """Its configuration as it is deployed, in a folder with a space."""
    stack = load_stack(ROOT)
    known = {**holder(stack, "airflow").fixed, **secrets}
    places = Places(lambda *_: _Place(), lambda *_: "https://airflow.example")
    values = bindings(stack, "airflow", places, lambda _: known).with_open({"ETC": "any", "DATA": "any"})
    folder = tmp_path / "a folder" / "etc"
    for name, content in rendered_files(FOLDER / "etc", values.all).items():
        write_private(folder / name, content.decode())
    return folder


@pytest.fixture
def expected(secrets: dict[str, str]) -> dict[tuple[str, str], str]:
    """What Airflow must read."""
    login = f"airflow:{secrets['database_password']}@db.example:5432"
    return {
        ("core", "fernet_key"): f"{secrets['fernet_seed'][:43]}=",
        ("database", "sql_alchemy_conn"): f"postgresql+psycopg2://{login}/airflow",
        ("api", "secret_key"): secrets["api_secret_key"],
        ("api_auth", "jwt_secret"): secrets["jwt_secret"],
    }


def commands(etc: Path) -> dict[tuple[str, str], str]:
    """Every option of airflow.cfg that is the output of a command."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(etc / "airflow.cfg", encoding="utf-8")
    return {
        (section, option.removesuffix("_cmd")): config[section][option]
        for section in config.sections()
        for option in config[section]
        if option.endswith("_cmd")
    }


def test_each_secret_is_a_file_of_its_own_that_its_owner_alone_can_read(
    etc: Path, expected: dict[tuple[str, str], str]
) -> None:
    assert {path.name for path in (etc / "secrets").iterdir()} == set(FILES.values())
    for option, name in FILES.items():
        path = etc / "secrets" / name
        # A newline would be a part of the key.
        assert path.read_text(encoding="utf-8") == expected[option]
        assert path.stat().st_mode & 0o077 == 0


def test_nothing_else_of_the_configuration_holds_or_names_a_secret(etc: Path, secrets: dict[str, str]) -> None:
    text = (etc / "airflow.cfg").read_text(encoding="utf-8")
    assert [key for key, value in secrets.items() if value[:16] in text] == []
    names = [f"AIRFLOW_{key.upper()}" for key in secrets]
    assert len(names) >= 5
    assert [name for name in names if name in text] == []


def test_the_commands_give_the_content_of_the_files(etc: Path, expected: dict[tuple[str, str], str]) -> None:
    found = commands(etc)
    assert found.keys() == FILES.keys()
    environment = {"PATH": os.environ["PATH"], "ETC": str(etc)}
    for option, command in found.items():
        done = subprocess.run(
            ["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert (done.stdout, done.stderr) == (expected[option], "")


def test_airflow_reads_them_without_any_secret_in_its_environment(
    etc: Path, expected: dict[tuple[str, str], str], secrets: dict[str, str], tmp_path: Path
) -> None:
    names = ("ROOT", "BIND", "AIRFLOW_API_URL", "AIRFLOW_API_PUBLIC_URL", "AIRFLOW_API_PORT")
    environment = {name: f"{tmp_path}/{name}" for name in names} | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "plugins"),
        "ETC": str(etc),
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW_CONFIG": str(etc / "airflow.cfg"),
    }
    assert not set(secrets.values()) & set(environment.values())
    # Links are what people open; tasks speak to the server itself.
    addresses = {
        ("api", "base_url"): environment["AIRFLOW_API_PUBLIC_URL"],
        ("core", "execution_api_server_url"): f"{environment['AIRFLOW_API_URL']}/execution/",
    }
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps([*expected, *addresses])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [*expected.values(), *addresses.values()]


def test_pods_of_tasks_have_every_name_that_the_configuration_fills_in() -> None:
    text = (FOLDER / "etc/airflow.cfg").read_text(encoding="utf-8")
    named = set(re.findall(r"^\w.*\$\{([A-Z_]+)\}", text, re.MULTILINE))
    assert {"AIRFLOW_API_PUBLIC_URL", "AIRFLOW_API_URL", "DATA"} <= named
    here = parse(Kubernetes, FOLDER / "kubernetes.yaml")
    assert sorted(named - here.task_environment.keys()) == []


def test_a_database_server_that_vanishes_is_noticed_within_a_minute(etc: Path) -> None:
    """As Airflow reads it, with arguments that its drivers take."""
    script = """
import json
from airflow import settings
print(json.dumps([dict(settings._get_connect_args(mode)) for mode in ("sync", "async")]))
"""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(etc),
        "AIRFLOW_CONFIG": str(etc / "airflow.cfg"),
        "ETC": str(etc),
        "PYTHONPATH": str(ROOT / "plugins"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(etc),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=100
    )
    synchronous, asynchronous = json.loads(done.stdout.splitlines()[-1])
    given = " ".join(f"{key}={value}" for key, value in synchronous.items())
    # libpq refuses what it does not know.
    psycopg.conninfo.conninfo_to_dict(given)
    idle = [synchronous[f"keepalives_{what}"] for what in ("idle", "interval", "count")]
    # Within a failover, which takes up to half a minute.
    assert 0 < idle[0] + idle[1] * idle[2] <= 30
    assert 0 < synchronous["tcp_user_timeout"] <= 30_000
    assert 0 < synchronous["connect_timeout"] <= 10
    assert {found["target_session_attrs"] for found in (synchronous, asynchronous)} == {"read-write"}
    wanted = {"timeout", "command_timeout", "target_session_attrs"}
    assert asynchronous.keys() == wanted <= inspect.signature(asyncpg.connect).parameters.keys()
