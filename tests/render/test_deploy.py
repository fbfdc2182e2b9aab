"""The other ways in: the definition in a folder, the Terraform module, the overlay. No cluster is asked here."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from data_platform.claims.database import PASSWORD, USER, Database
from data_platform.claims.s3_user import S3User
from data_platform.stack.holders import NOT_YET, holders
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes.settings import Settings
from tests.render.conftest import ALL_DEPLOYED, CHARTS, ROOT, kubectl, render

DEPLOY = ROOT / "deploy"
_STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
! grep -qs "$(basename "$0") $1" "$FAILING"
"""


@pytest.fixture(scope="module")
def definition() -> ModuleType:
    """deploy/definition.py."""
    spec = importlib.util.spec_from_file_location("definition", DEPLOY / "definition.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(definition: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with the definition, and the commands that install it."""
    folder = tmp_path_factory.mktemp("definition") / "a folder"
    return folder, definition.write(*platform(), folder)


def platform() -> tuple[Any, Settings]:
    """The platform, with images that are nowhere."""
    stack = load_stack(ROOT, target=KUBERNETES, cluster_services=ALL_DEPLOYED)
    images = {name: f"registry.example.org/{name}:1" for name in stack.components}
    return stack, Settings(images=images, api_server="10.0.0.1:6443")


def test_every_release_is_installed_after_its_secrets_and_what_it_needs(written: tuple[Path, list[str]]) -> None:
    _, commands = written
    installs = [words.split()[3] for words in commands if words.startswith("helm")]
    assert set(installs) == {chart.parent.name for chart in CHARTS}
    assert installs.index("postgresql") < installs.index("nessie") < installs.index("trino") < installs.index("dbt")
    assert "guard-rails.yaml" in commands[0]
    place = {
        name: n for n, words in enumerate(commands) for name in installs if words.startswith("helm") and name in words
    }
    for name in ("airflow", "nessie", "trino"):
        before = " ".join(commands[place["postgresql"] : place[name]])
        assert f"databases/{name}.sql" in before
        assert f"secrets/{name}.yaml" in before


def test_what_an_administrator_has_is_not_written(definition: Any, tmp_path: Path) -> None:
    stack = load_stack(ROOT, target=KUBERNETES, cluster_services={"spark-operator": "administrator"})
    theirs = {name for name, item in stack.components.items() if not item.is_deployed}
    assert theirs == {"openebs", "spark-operator"}
    commands = definition.write(stack, platform()[1], tmp_path)
    installs = {words.split()[3] for words in commands if words.startswith("helm")}
    assert installs == set(stack.components) - theirs
    assert not [path for path in tmp_path.rglob("*") if path.stem in theirs]


def test_what_was_written_names_the_secrets_that_the_charts_use(written: tuple[Path, list[str]]) -> None:
    folder, _ = written
    named: set[str] = set()
    for chart in CHARTS:
        name = chart.parent.name
        file = folder / "secrets" / f"{name}.yaml"
        there = {s["metadata"]["name"] for s in yaml.safe_load_all(file.read_text())} if file.exists() else set()
        values = yaml.safe_load((folder / "values" / f"{name}.yaml").read_text())
        used = {spec["environmentSecret"] for part in ("processes", "jobs") for spec in values[part].values()}
        used |= {values["etc"]["secret"]} if values["etc"] else set()
        used |= set(values["secrets"].values())
        assert used <= there
        named |= {re.sub("-[0-9a-f]{10}$", "", each) for each in used}
    assert {"airflow-etc", "airflow-task-spark", "nessie-server", "spark-executor", "trino-server"} <= named


def test_a_definition_that_is_written_again_holds_no_secret_of_an_earlier_one(
    definition: Any, written: tuple[Path, list[str]]
) -> None:
    folder, _ = written
    file = folder / "secrets" / "nessie.yaml"
    before = file.read_text()
    own = next(iter(yaml.safe_load_all(before)))
    own["metadata"]["name"] = "nessie-server-0123456789"
    file.write_text(f"{before}---\n{yaml.safe_dump(own)}")
    definition.write(*platform(), folder)
    names = {secret["metadata"]["name"] for secret in yaml.safe_load_all(file.read_text())}
    assert "nessie-credentials" in names
    assert "nessie-server-0123456789" not in names


def test_passwords_are_the_owners_alone_and_stay(definition: Any, written: tuple[Path, list[str]]) -> None:
    folder, commands = written
    private = [*folder.glob("secrets/*"), *folder.glob("databases/*")]
    assert len(private) >= 8
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secrets = {
        thing["metadata"]["name"]: thing for thing in yaml.safe_load_all((folder / "secrets/trino.yaml").read_text())
    }
    password = base64.b64decode(secrets["trino-credentials"]["data"]["database_password"]).decode()
    assert not [words for words in commands if password in words]
    assert password not in (folder / "databases/trino.sql").read_text()
    before = {file: without_verifiers(file) for file in private}
    definition.write(*platform(), folder)
    assert {file: without_verifiers(file) for file in private} == before


def without_verifiers(file: Path) -> str:
    """Of one password there are many: each has a salt of its own."""
    return re.sub(r"SCRAM-SHA-256\$[^']+", "a verifier", file.read_text())


def test_a_definition_holds_the_secrets_of_every_holder_and_none_that_was_not_generated(
    written: tuple[Path, list[str]],
) -> None:
    folder, _ = written
    files = {file.stem: file.read_text() for file in folder.glob("secrets/*")}
    stack, _ = platform()
    there = {
        (component, secret["metadata"]["name"])
        for component in files
        for secret in yaml.safe_load_all(files[component])
    }
    wanted = {(each.component, f"{name}-credentials") for name, each in holders(stack).items() if each.generated}
    assert ("airflow", "pipelines-credentials") in wanted
    assert wanted <= there
    texts = [*files.values(), *(file.read_text() for file in folder.glob("databases/*"))]
    not_yet = base64.b64encode(NOT_YET.encode()).decode()
    assert [text for text in texts if NOT_YET in text or not_yet in text] == []


def test_a_database_is_made_with_what_it_is_to_hold(definition: Any) -> None:
    plain = Database(kind="database", name="plain")
    user = S3User(kind="s3_user", buckets={"raw": "read"})
    rich = Database(kind="database", name="rich", schemas=("sales",), extensions=("uuid-ossp",))
    item = SimpleNamespace(component=SimpleNamespace(claims=(plain, user, rich)))
    target = SimpleNamespace(
        stack=SimpleNamespace(components={"shop": item}),
        credentials=lambda _: {USER: "shop", PASSWORD: "word"},
    )
    statements = list(definition.statements(target, "shop"))
    assert len([words for words in statements if words.startswith("\\connect")]) == 1
    # A server that logs statements logs no password.
    assert [words for words in statements if "word'" in words] == []
    told = [words for words in statements if words.startswith("alter role shop login password 'SCRAM-SHA-256$4096:")]
    assert len(told) == 2
    assert statements[-3:] == [
        "\\connect rich",
        "create schema if not exists sales authorization shop;",
        'create extension if not exists "uuid-ossp";',
    ]


@pytest.fixture
def terraform(tmp_path: Path) -> Any:
    """Runs Terraform on the module, with programs that only write down how they were called."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    for name in ("helm", "kubectl"):
        stub = tmp_path / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(_STUB)
        stub.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "TF_DATA_DIR": str(tmp_path / "data"),
        "TF_CLI_CONFIG_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        "CALLS": str(tmp_path / "calls"),
        "FAILING": str(tmp_path / "failing"),
    }

    def run(*words: str, fails: bool = False) -> str:
        command = [program, f"-chdir={DEPLOY / 'terraform'}", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def arguments(folder: Path, tmp_path: Path) -> list[str]:
    """Of apply and destroy."""
    state = f"-state={tmp_path / 'terraform.tfstate'}"
    return ["-auto-approve", "-no-color", state, "-var", f"definition={folder}", "-var", "context=here"]


@pytest.mark.timeout(300)
def test_terraform_installs_the_two_releases_of_the_bootstrap(
    terraform: Any, written: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, _ = written
    shutil.copytree(folder, tmp_path / "definition")
    given = arguments(tmp_path / "definition", tmp_path)
    terraform("fmt", "-check", "-recursive")
    terraform("init", "-backend=false", "-input=false")
    assert "The configuration is valid" in terraform("validate", "-no-color")

    calls = tmp_path / "calls"
    # PostgreSQL does not come up: Airflow is not tried, and the next time goes on there.
    (tmp_path / "failing").write_text("helm upgrade\n")
    terraform("apply", *given, fails=True)
    assert "airflow" not in calls.read_text()
    (tmp_path / "failing").unlink()
    calls.unlink()
    terraform("apply", *given)
    made = calls.read_text().splitlines()
    assert [line.split()[0:4] for line in made if line.startswith("helm")] == [
        ["helm", "upgrade", "--install", "postgresql"],
        ["helm", "upgrade", "--install", "airflow"],
    ]
    assert all("--kube-context here" in line or "--context here" in line for line in made)
    assert [n for n, line in enumerate(made) if "exec --stdin" in line] == [2]

    calls.unlink()
    assert "0 added, 0 changed, 0 destroyed" in terraform("apply", *given)
    assert not calls.exists()
    changed = tmp_path / "definition" / "values" / "airflow.yaml"
    changed.write_text(f"{changed.read_text()}# changed\n")
    terraform("apply", *given)
    assert [line.split()[3] for line in calls.read_text().splitlines() if line.startswith("helm")] == ["airflow"]

    calls.unlink()
    terraform("destroy", *given)
    assert [line.split()[:3] for line in calls.read_text().splitlines()] == [
        ["helm", "uninstall", "airflow"],
        ["helm", "uninstall", "postgresql"],
    ]


def test_the_overlay_changes_what_the_chart_renders(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "kustomize" / "trino", tmp_path / "trino")
    (chart,) = [path for path in CHARTS if path.parent.name == "trino"]
    objects = render(chart, "small")
    (tmp_path / "trino" / "base.yaml").write_text(yaml.safe_dump_all(objects))
    command = [kubectl(), "kustomize", str(tmp_path / "trino")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    made = {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(done.stdout)}
    assert made.keys() == {(o["kind"], o["metadata"]["name"]) for o in objects}
    worker = made["Deployment", "trino-worker"]["spec"]
    assert worker["replicas"] == 4
    for pods in (worker["template"], made["StatefulSet", "trino-server"]["spec"]["template"]):
        assert pods["spec"]["nodeSelector"] == {"example.org/pool": "queries"}
        assert pods["metadata"]["labels"]["example.org/cost-centre"] == "analytics"
    assert "example.org/cost-centre" not in worker["selector"]["matchLabels"]
