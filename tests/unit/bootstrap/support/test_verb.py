"""An archive of a made-up platform: whole where it can be, silent about every secret, and never missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap import on_cluster
from bootstrap.arguments import parse_arguments
from bootstrap.commands import run_command
from bootstrap.place import make_target, remember
from bootstrap.support import clusters, definitions, logs, looks
from data_platform.checks.base import PATIENCE_VARIABLE
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.clients.supervisor import key_of
from data_platform.stack.load import KUBERNETES
from data_platform.stack.stack import Stack
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State, write_private
from tests.secret_values import secrets_of
from tests.unit.bootstrap.test_on_cluster import FakeCluster, on, put, stack
from tests.written_secrets import content_of, planted, shown

__all__ = ["stack"]
pytestmark = pytest.mark.timeout(600)

#: Parts of every archive of a platform on this machine.
PARTS = [
    *("secrets", "versions", "definitions", "status", "checks", "leases", "drift", "airflow", "disks", "logs"),
    "doctor",
]
#: What of a stopped platform cannot be asked.
SILENT = {"checks", "leases", "airflow"}


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A platform that was brought up once and does not run: its secrets, and logs in which somebody wrote them all."""
    found = State(tmp_path / "a state")
    claim(found)
    remember(target := make_target(found.folder, {}), {})
    found.ensure_credentials(target.stack)
    found.logs.mkdir()
    return found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of definitions, which take seconds, have tests of their own; no part is given up on a busy machine."""
    monkeypatch.setenv(PATIENCE_VARIABLE, "10")
    monkeypatch.setattr(definitions.promotion, "digests", lambda stack: dict.fromkeys(stack.components, "0a1b"))


def support(state: State, *words: str) -> dict[str, str]:
    """Files of an archive that `support` writes, by their names."""
    path = state.folder.parent / "help.tar.gz"
    assert run_command(parse_arguments(["support", "--state", str(state.folder), "--output", str(path), *words])) == 0
    return content_of(path)


def manifest(files: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["manifest.json"])
    return found


def lacking(files: dict[str, str]) -> dict[str, str]:
    return {part["part"]: part["lacks"] for part in manifest(files)["parts"] if "lacks" in part}


def test_no_secret_of_a_platform_is_in_its_archive_whatever_its_logs_hold(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = secrets_of(make_target(state.folder, {}))
    key_of(state.socket).write_text(supervisor := "0123456789abcdef" * 3, encoding="ascii")
    secrets |= {"supervisor.key": supervisor, "staged": state.stage("nessie", "database_password")}
    assert len(secrets) >= 20
    lines = "".join(planted(value) for value in secrets.values())
    # Over the edge of what is read of it, too.
    (state.logs / "nessie.server.log").write_text("x" * (logs.SERVERS - len(lines) // 2) + "\n" + lines)
    (state.logs / "trino.server.log").write_text(lines)
    (task := state.logs / "airflow" / "dag_id=x" / "attempt=1.log").parent.mkdir(parents=True)
    task.write_text(lines[-60_000:])
    assert shown(secrets, {"a log": lines}) == {"a log": set(secrets)}, "the search finds them all"
    files = support(state)
    assert {"logs/nessie.server.log", "logs/trino.server.log", "logs/airflow/dag_id=x/attempt=1.log"} <= files.keys()
    assert shown(secrets, files) == {}
    redacted = {label for label in manifest(files)["redacted"] if label.startswith("«secret: ")}
    assert len(redacted) == len(secrets)
    assert "Look through it before you send it" in capsys.readouterr().out


@pytest.mark.enable_socket
def test_of_a_platform_that_is_down_the_archive_holds_what_can_be_seen_and_names_the_rest(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    (state.logs / "trino.server.log").write_text("it ended\n")
    files = support(state)
    assert [part["part"] for part in manifest(files)["parts"]] == PARTS
    assert lacking(files).keys() >= SILENT
    assert not lacking(files).keys() & {"secrets", "versions", "definitions", "status", "disks", "logs", "doctor"}
    said = capsys.readouterr().out
    assert "It lacks, in whole or in part: " in said
    assert all(name in said for name in SILENT)
    assert files["logs/trino.server.log"] == "it ended\n"
    assert {each["state"] for each in json.loads(files["status.json"])["components"]} <= {
        "absent",
        "stopped",
        "installed",
    }
    components = json.loads(files["versions/components.json"])
    assert components["trino"]["artifacts"]["server"]["digest"]
    assert json.loads(files["versions/machine.json"])["kernel"]
    assert "definitions/stack/stack.yaml" in files
    assert json.loads(files["definitions/settings.json"])["target"] == "local"
    assert files["doctor.txt"]
    assert json.loads(files["disks/used.json"])
    told = {each["name"]: each for each in manifest(files)["files"]}
    assert told.keys() == files.keys() - {"manifest.json", "README.md"}
    for name, each in told.items():
        assert each["bytes"] == len(files[name].encode())
        assert each["what"]


@pytest.mark.enable_socket
def test_where_no_platform_is_the_machine_and_the_checkout_are_told(tmp_path: Path) -> None:
    files = support(State(tmp_path / "none"))
    assert "there is no platform in" in lacking(files)["status"]
    assert {"versions/components.json", "doctor.txt", "definitions/stack/stack.yaml"} <= files.keys()
    assert not (tmp_path / "none").exists()


def test_where_secrets_cannot_be_known_nothing_that_may_hold_them_is_taken(state: State) -> None:
    (state.logs / "trino.server.log").write_text("perhaps a secret\n")
    write_private(state.credentials_file, '{"minio": {"secret')
    files = support(state)
    assert not any(name.startswith(("logs/", "airflow/", "drift/", "checks/")) for name in files)
    assert "it is not known what would have to be redacted" in lacking(files)["logs"]
    assert "is damaged" in lacking(files)["logs"]
    assert "versions/machine.json" in files


def test_a_part_that_breaks_hides_no_other(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(looks, "doctor", broken)
    monkeypatch.setattr(looks.summary, "describe", broken)
    files = support(state)
    assert lacking(files)["doctor"] == lacking(files)["status"] == "ZeroDivisionError"
    assert "versions/machine.json" in files


def test_another_target_than_that_of_the_state_folder_is_refused(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["support", "--state", str(state.folder), "--target", "kubernetes"]
    assert run_command(parse_arguments(words)) == 2
    assert "is of the target local, not kubernetes" in capsys.readouterr().err


class Pods(FakeCluster):
    """A cluster with logs."""

    def __init__(self) -> None:
        super().__init__()
        self.said = "nothing\n"
        self.closed = ""

    def version(self) -> tuple[int, int]:
        return 1, 34

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if kind == "Secret" and self.closed in (namespace, "all"):
            raise ClusterError(f"listing Secrets in {namespace}: forbidden", "give it")
        return super().list_objects(api_version, kind, namespace, labels)

    def logs(self, pod: str, namespace: str, *, container: str, lines: int, previous: bool) -> str:
        assert (pod, namespace, lines, previous) == ("trino-0", "data-platform-processing", clusters._LINES, False)
        return f"{container}: {self.said}"


@pytest.fixture
def cluster(state: State, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Pods:
    """A platform on Kubernetes, with one pod."""
    found = Pods()
    on(found, stack).prepare()
    on(found, stack).ensure_credentials()
    spec = {"containers": [{"name": "server", "env": [{"name": "GIT_TOKEN", "value": "by-hand"}]}]}
    put(found, "Pod", "data-platform-processing", "trino-0", spec=spec)
    state.credentials_file.unlink()
    state.settings_file.write_text(
        json.dumps({"target": KUBERNETES, "profile": "default", "context": "x", "size": "small"})
    )
    monkeypatch.setattr(on_cluster, "open_target", lambda *_: on(found, stack))
    return found


def test_no_secret_of_a_platform_on_kubernetes_is_in_its_archive(state: State, stack: Stack, cluster: Pods) -> None:
    secrets = secrets_of(on(cluster, stack))
    assert len(secrets) >= 20
    cluster.said = "".join(planted(value) for value in secrets.values())
    files = support(state)
    name = "logs/data-platform-processing/trino-0/server.log"
    assert files[name].startswith("server: ")
    assert shown(secrets, files) == {}
    assert json.loads(files["cluster/versions.json"])["helm"] == "v4.0.0"
    assert "«secret: nessie/database_password»" in manifest(files)["redacted"]
    assert "by-hand" not in files["cluster/data-platform-processing/Pod.json"]
    assert json.loads(files["cluster/data-platform-processing/Pod.json"])[0]["metadata"]["name"] == "trino-0"
    assert "doctor" not in [part["part"] for part in manifest(files)["parts"]]


def test_of_a_namespace_whose_secrets_may_not_be_read_nothing_is_taken(state: State, cluster: Pods) -> None:
    cluster.closed = "data-platform-processing"
    files = support(state)
    assert not any("data-platform-processing" in name for name in files)
    assert "data-platform-processing is left out, for its Secrets could not be read" in lacking(files)["containers"]
    assert "cluster/data-platform-core/events.txt" in files
    assert "it is not known what would have to be redacted" in lacking(files)["airflow"]


def test_of_a_cluster_that_does_not_answer_the_archive_tells_what_it_can(state: State, cluster: Pods) -> None:
    cluster.closed = "all"
    (state.logs / "x.log").write_text("perhaps a secret\n")
    files = support(state)
    assert not any(name.startswith(("logs/", "cluster/data-platform")) for name in files)
    assert "it is not known what would have to be redacted" in lacking(files)["logs"]
    assert "versions/components.json" in files
