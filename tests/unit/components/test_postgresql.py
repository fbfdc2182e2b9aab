"""PostgreSQL on Kubernetes: what Patroni, pgbouncer and the start of a member are told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from data_platform.clients import postgres
from data_platform.stack.definition import Kubernetes
from data_platform.stack.load import parse
from data_platform.stack.model import Component
from data_platform.targets.render import render, rendered_files

FOLDER = Path(__file__).parents[3] / "stack/components/storage/postgresql"
VALUES = {
    "BIND": "0.0.0.0",
    "NAMESPACE": "tiny-storage",
    "ETC": "/etc/it",
    "DATA": "/var/it",
    "ARTIFACT_SERVER": "/opt/server",
    "POSTGRESQL_SQL_HOST": "postgresql.tiny-storage.svc.cluster.local",
    "POSTGRESQL_SQL_PORT": "5432",
    "POSTGRESQL_PATRONI_PORT": "8008",
    "POSTGRESQL_PASSWORD": "of-the-superuser",
    "POSTGRESQL_REPLICATION_PASSWORD": "of-replication",
    "POSTGRESQL_REWIND_PASSWORD": "of-rewind",
    "POSTGRESQL_POOLER_PASSWORD": "of-the-pooler",
    "POSTGRESQL_PATRONI_PASSWORD": "of-patroni",
}


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Configuration files on Kubernetes."""
    found = {**rendered_files(FOLDER / "etc", VALUES), **rendered_files(FOLDER / "etc-kubernetes", VALUES)}
    return {name: content.decode() for name, content in found.items()}


@pytest.fixture(scope="module")
def patroni(files: dict[str, str]) -> dict[str, Any]:
    """Settings of the members."""
    settings: dict[str, Any] = yaml.safe_load(files["patroni.yaml"])
    return settings


def setting(text: str, name: str) -> str:
    """A value of a file of `name = value` lines."""
    (value,) = re.findall(rf"^{name} = (.*)$", text, re.MULTILINE)
    return str(value)


def test_only_a_member_that_has_every_acknowledged_row_takes_over(patroni: dict[str, Any]) -> None:
    dcs = patroni["bootstrap"]["dcs"]
    assert dcs["synchronous_mode"] is True
    assert dcs["synchronous_node_count"] >= 1
    assert dcs["postgresql"]["use_slots"] is True
    assert dcs["postgresql"]["use_pg_rewind"] is True


def test_a_lost_primary_is_replaced_within_half_a_minute(patroni: dict[str, Any]) -> None:
    dcs = patroni["bootstrap"]["dcs"]
    # Patroni's own rule; otherwise a slow API server alone costs a primary its lock.
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]
    assert dcs["ttl"] + 2 * dcs["loop_wait"] <= 30
    assert dcs["loop_wait"] + dcs["primary_start_timeout"] + dcs["loop_wait"] <= 30


def test_patroni_finds_its_members_by_the_labels_of_the_chart(patroni: dict[str, Any]) -> None:
    kubernetes = patroni["kubernetes"]
    assert kubernetes["scope_label"] == "app.kubernetes.io/instance"
    assert kubernetes["labels"] == {
        "app.kubernetes.io/name": patroni["scope"],
        "app.kubernetes.io/component": "server",
        "app.kubernetes.io/part-of": "data-platform",
    }
    assert kubernetes["namespace"] == "tiny-storage"
    assert (kubernetes["role_label"], kubernetes["leader_label_value"]) == ("role", "primary")


def test_a_number_that_stands_twice_is_the_same(patroni: dict[str, Any], files: dict[str, str]) -> None:
    most = patroni["bootstrap"]["dcs"]["postgresql"]["parameters"]["max_connections"]
    assert most == int(setting(files["postgresql.conf"], "max_connections"))
    assert int(setting(files["pgbouncer.ini"], "max_db_connections")) < most
    pooled = parse(Kubernetes, FOLDER / "kubernetes.yaml").processes or {}
    assert setting(files["pgbouncer.ini"], "listen_port") in (pooled["pgbouncer"].ready.command or ())


def test_every_login_on_kubernetes_needs_a_password_and_none_on_local_is_from_outside(files: dict[str, str]) -> None:
    lines = [line.split() for line in files["pg_hba.conf"].splitlines() if line and not line.startswith("#")]
    assert [(kind, database, method) for kind, database, *_, method in lines] == [
        ("host", "all", "scram-sha-256"),
        ("host", "replication", "scram-sha-256"),
    ]
    local = rendered_files(FOLDER / "etc", VALUES | {"BIND": "127.0.0.1"})
    assert sorted(local) == ["pg_hba.conf", "postgresql.conf"]
    assert b" 127.0.0.1/32 " in local["pg_hba.conf"]
    assert setting(local["postgresql.conf"].decode(), "listen_addresses") == "'127.0.0.1'"


def test_each_generated_secret_is_used_and_each_used_one_is_generated(files: dict[str, str]) -> None:
    generated = {f"POSTGRESQL_{name.upper()}" for name in parse(Component, FOLDER / "component.yaml").secrets}
    assert generated == {name for name in VALUES if name.endswith("PASSWORD")}
    everything = "\n".join(files.values())
    assert [name for name in sorted(generated) if VALUES[name] not in everything] == []


def test_pgbouncer_asks_for_passwords_as_a_role_of_its_own(files: dict[str, str]) -> None:
    assert setting(files["pgbouncer.ini"], "auth_user") == "pgbouncer"
    assert files["pgbouncer-users.txt"] == '"pgbouncer" "of-the-pooler"\n'
    sql = files["pooler.sql"]
    assert re.findall(r"^\\connect (\w+)$", sql, re.MULTILINE) == ["template1", "postgres"]
    assert sql.count("revoke all on function pgbouncer.login(text) from public;") == 2
    assert sql.count("not rolsuper") == 2


class Statements:
    """A connection on which some roles exist; keeps what is executed."""

    def __init__(self, *names: str) -> None:
        self.names, self.executed = names, list[str]()

    def execute(self, query: Any, parameters: tuple[str, ...] = ()) -> Statements:
        self.asked = parameters
        self.executed.append(query if isinstance(query, str) else query.as_string(None))
        return self

    def fetchone(self) -> tuple[int] | None:
        return (1,) if self.asked[0] in self.names else None


@pytest.mark.parametrize(("names", "granted"), [((), []), (("pgbouncer",), ['"pgbouncer"'])])
def test_pgbouncer_may_enter_a_new_database_where_there_is_one(names: tuple[str, ...], granted: list[str]) -> None:
    admin = Statements(*names)
    postgres.ensure_database(admin, "sales", "sales", "secret", "for a test")  # type: ignore[arg-type]
    grants = [s for s in admin.executed if s.startswith("grant connect on database")]
    assert [s.removeprefix('grant connect on database "sales" to ') for s in grants] == granted


@pytest.mark.parametrize(("names", "verb"), [((), "create"), (("sales",), "alter")])
def test_the_server_is_sent_a_verifier_and_never_the_password(names: tuple[str, ...], verb: str) -> None:
    admin = Statements(*names)
    postgres.ensure_database(admin, "sales", "sales", "secret", "for a test")  # type: ignore[arg-type]
    (told,) = (s for s in admin.executed if " role " in s)
    assert re.fullmatch(rf"{verb} role \"sales\" login password '(SCRAM-SHA-256\$4096:[^']+)'", told)
    assert "secret" not in " ".join(admin.executed)


def test_a_verifier_is_of_the_password_and_another_one_each_time() -> None:
    made = postgres.verifier("sales", "secret")
    method, iterations, salt, keys = re.split(r"[$:]", made, maxsplit=3)
    assert (method, iterations) == ("SCRAM-SHA-256", "4096")
    salted = hashlib.pbkdf2_hmac("sha256", b"secret", base64.b64decode(salt), int(iterations))
    # RFC 5802, 3: StoredKey is the hash of ClientKey.
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert base64.b64decode(keys.partition(":")[0]) == stored
    assert postgres.verifier("sales", "secret") != made


def test_the_pools_role_is_made_when_nothing_is_logged(files: dict[str, str]) -> None:
    before = files["pooler.sql"].partition("create role")[0].splitlines()
    assert {line for line in before if line.startswith("set ")} == {
        "set log_statement = none;",
        "set log_min_duration_statement = -1;",
        "set log_min_error_statement = panic;",
    }


def test_a_password_is_changed_only_where_there_is_such_a_role() -> None:
    known, strange = Statements("sales"), Statements()
    for admin in (known, strange):
        postgres.change_password(admin, "sales", "secret")  # type: ignore[arg-type]
    assert [words for words in known.executed if "alter role" in words]
    assert [words for words in strange.executed if " role " in words] == []


class Member(NamedTuple):
    """A member's folders, and what its programs were told."""

    folder: Path
    environment: dict[str, str]

    def start(self, script: str = "member.sh") -> subprocess.CompletedProcess[str]:
        script = str(self.folder / "etc" / script)
        return subprocess.run(
            ["sh", script], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """A member whose Patroni says how it was started, and whose patronictl fails where a file `away` is."""
    values = VALUES | {"ETC": str(tmp_path / "etc"), "DATA": str(tmp_path / "data")}
    for name in ("etc", "data", "env/bin", "server/bin", "pool/bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("member.sh", "patroni.yaml.j2", "pool.sh", "pgbouncer.ini.j2"):
        text = (FOLDER / "etc-kubernetes" / name).read_text(encoding="utf-8")
        target = tmp_path / "etc" / name.removesuffix(".j2")
        target.write_text(render(text, values, name) if name.endswith(".j2") else text, encoding="utf-8")
    programs = {
        "env/bin/python": f'exec {shutil.which("python3")} "$@"',
        "env/bin/patronictl": f'cat > {tmp_path}/settings; echo "$@"; test ! -e {tmp_path}/away',
        "env/bin/patroni": 'echo "patroni $@"; env',
        "server/bin/pg_config": f"cat {tmp_path}/built",
        "pool/bin/pgbouncer": 'echo "$LD_LIBRARY_PATH"; cat "$@"',
    }
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "built").write_text("'--without-icu' '--with-ssl=openssl'", encoding="utf-8")
    pod = {
        "POD_NAME": "postgresql-server-1",
        "NODE_ADDRESS": "192.0.2.7",
        "ARTIFACT_PATRONI": str(tmp_path / "env"),
        "ARTIFACT_SERVER": str(tmp_path / "server"),
        "ARTIFACT_PGBOUNCER": str(tmp_path / "pool"),
    }
    return Member(tmp_path, {**values, **pod, "PATH": os.environ["PATH"]})


def test_a_member_tells_patroni_its_own_name_and_address(member: Member) -> None:
    done = member.start()
    assert done.returncode == 0, done.stderr
    assert f"patroni {member.folder}/etc/patroni.yaml" in done.stdout
    assert "PATRONI_NAME=postgresql-server-1\n" in done.stdout
    assert "PATRONI_KUBERNETES_POD_IP=192.0.2.7\n" in done.stdout
    assert "PATRONI_POSTGRESQL_CONNECT_ADDRESS=192.0.2.7:5432\n" in done.stdout
    assert "PATRONI_RESTAPI_CONNECT_ADDRESS=192.0.2.7:8008\n" in done.stdout


def test_a_member_merges_the_settings_of_the_cluster_and_starts_without_them_too(member: Member) -> None:
    done = member.start()
    assert "edit-config --force --apply -" in done.stdout
    wanted = yaml.safe_load((member.folder / "etc/patroni.yaml").read_text(encoding="utf-8"))["bootstrap"]["dcs"]
    assert yaml.safe_load((member.folder / "settings").read_text(encoding="utf-8")) == wanted
    (member.folder / "away").touch()
    done = member.start()
    assert "the settings of the cluster stay as they are" in done.stdout
    assert "PATRONI_NAME=" in done.stdout


@pytest.fixture
def certificate(member: Member) -> str:
    """Folder of a certificate that Kubernetes has mounted."""
    folder = member.folder / "etc-tls"
    folder.mkdir()
    (folder / "tls.crt").touch()
    return str(folder)


def test_a_member_without_a_certificate_speaks_no_tls(member: Member) -> None:
    assert member.start().returncode == 0
    conf = (member.folder / "data" / "server.conf").read_text(encoding="utf-8")
    assert conf == f"include '{member.folder}/etc/postgresql.conf'\n"


def test_a_member_uses_a_certificate_that_is_there(member: Member, certificate: str) -> None:
    assert member.start().returncode == 0
    conf = (member.folder / "data" / "server.conf").read_text(encoding="utf-8")
    assert "ssl = on\n" in conf
    assert f"ssl_key_file = '{certificate}/tls.key'\n" in conf


@pytest.mark.usefixtures("certificate")
def test_a_server_that_cannot_use_its_certificate_does_not_start_without_it(member: Member) -> None:
    (member.folder / "built").write_text("'--without-readline' '--without-icu'", encoding="utf-8")
    done = member.start()
    assert done.returncode == 1
    assert "is built without TLS: remove the Secret" in done.stderr
    assert "PATRONI_NAME=" not in done.stdout


def test_the_pool_speaks_tls_where_it_has_a_certificate(member: Member, request: pytest.FixtureRequest) -> None:
    plain = member.start("pool.sh")
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.splitlines()[0] == f"{member.folder}/pool/lib"
    assert "auth_type = scram-sha-256" in plain.stdout
    assert "client_tls" not in plain.stdout
    folder = request.getfixturevalue("certificate")
    assert f"client_tls_key_file = {folder}/tls.key\n" in member.start("pool.sh").stdout


def test_a_data_folder_that_kubernetes_opened_to_the_group_is_closed_again(member: Member) -> None:
    data = member.folder / "data" / "db"
    data.mkdir()
    data.chmod(0o2770)
    assert member.start().returncode == 0
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def debian(tmp_path: Path) -> dict[str, str]:
    """An environment in which apt-get serves one package without content; `gone` makes it serve none."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "out").mkdir()
    program = tmp_path / "bin" / "apt-get"
    lines = f'test ! -e {tmp_path}/gone || exit 100\nfor last; do :; done; touch "${{last%%=*}}_1_amd64.deb"'
    program.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "OUT": str(tmp_path / "out")}


def build(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "image/pgbouncer.sh"],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_package_of_another_digest_is_refused(debian: dict[str, str], tmp_path: Path) -> None:
    done = build(debian)
    assert done.returncode != 0
    assert "pgbouncer_1_amd64.deb: FAILED" in done.stdout + done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_version_that_debian_no_longer_has_is_said_with_the_remedy(debian: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gone").touch()
    done = build(debian)
    assert done.returncode == 1
    assert "cannot be had: run apt-get update; if Debian has replaced it, write the new version" in done.stderr
