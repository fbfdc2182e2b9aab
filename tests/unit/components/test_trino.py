"""Trino's files: which catalogs there are, and that nobody adds one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.render import rendered_files

VALUES = {"BRANCHES": "audit_fx_rates audit_lab_1"}
_REF = "iceberg.nessie-catalog.ref"


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return load_stack(root).components["trino"].folder


def properties(content: bytes) -> dict[str, str]:
    """Settings of a file: lines `key=value`, and comments."""
    lines = [line for line in content.decode().splitlines() if line and not line.startswith("#")]
    pairs = {key: value for key, _, value in (line.partition("=") for line in lines)}
    # Trino refuses a setting that is there twice.
    assert len(pairs) == len(lines)
    return pairs


def test_a_branchs_catalog_is_the_readers_catalog_at_another_branch(folder: Path) -> None:
    files = {name: properties(content) for name, content in rendered_files(folder / "etc", VALUES).items()
             if name.startswith("catalog/")}  # fmt: skip
    readers = files["catalog/lakehouse.properties"]
    assert readers[_REF] == "main"
    assert set(files) == {
        f"catalog/{name}.properties" for name in ("lakehouse", "postgresql", "tpch", "audit_fx_rates", "audit_lab_1")
    }
    for branch in VALUES["BRANCHES"].split():
        assert files[f"catalog/{branch}.properties"] == readers | {_REF: branch}


def test_no_catalog_holds_a_secret_or_lets_anybody_lift_the_guard(folder: Path) -> None:
    secret = set()
    for name, content in rendered_files(folder / "etc", VALUES).items():
        if not name.startswith("catalog/"):
            continue
        for key, value in properties(content).items():
            assert "extra-properties" not in key, name
            if "secret" in key or "password" in key:
                secret.add(name)
                assert value.startswith("${ENV:"), f"{name}: {key}"
    assert {"catalog/lakehouse.properties", "catalog/postgresql.properties"} <= secret


def test_no_server_makes_catalogs_while_it_runs(folder: Path) -> None:
    servers = {
        path.name: properties(path.read_bytes())
        for path in (*folder.glob("etc/*.properties"), *folder.glob("etc-kubernetes/*.properties"))
        if b"coordinator=" in path.read_bytes()
    }
    assert sorted(servers) == ["config.properties", "coordinator.properties", "worker.properties"]
    for name, settings in servers.items():
        assert settings["catalog.management"] == "static", name
        assert [key for key in settings if key.startswith("catalog.")] == ["catalog.management"], name


def test_every_server_reads_the_catalogs_that_a_deploy_wrote(root: Path) -> None:
    for target in ("local", KUBERNETES):
        processes = load_stack(root, target=target).components["trino"].definition.processes
        assert processes
        for name, process in processes.items():
            assert "-Dcatalog.config-dir={{ ETC }}/catalog" in process.command, f"{target}: {name}"


def groups(folder: Path, etc: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / etc / "resource-groups.json").read_text(encoding="utf-8"))
    return found


def test_pipelines_have_a_share_of_their_own_on_both_targets(folder: Path, root: Path) -> None:
    profiles = yaml.safe_load((root / "dbt_project/profiles.yml").read_text(encoding="utf-8"))
    users = ["data-platform", "analysis", profiles["data_platform"]["outputs"]["platform"]["user"]]
    for etc in ("etc", "etc-kubernetes"):
        said = groups(folder, etc)
        (whole,) = said["rootGroups"]
        pipelines, people = whole["subGroups"]
        platforms, others = said["selectors"]
        # However many people ask, and however long what they opened stays open.
        assert people["hardConcurrencyLimit"] + pipelines["hardConcurrencyLimit"] <= whole["hardConcurrencyLimit"], etc
        assert pipelines["schedulingWeight"] > people["schedulingWeight"], etc
        assert [user for user in users if not re.fullmatch(platforms["user"], user)] == [], etc
        assert (platforms["group"], others) == ("global.pipelines", {"group": "global.people.${USER}"}), etc


def test_what_trino_reads_in_its_working_folder_is_put_there_on_both_targets(root: Path) -> None:
    for target in ("local", KUBERNETES):
        for name, process in load_stack(root, target=target).components["trino"].definition.processes.items():
            linked = 'ln -sf "$ETC/resource-groups.properties" "$DATA/etc/"'
            assert linked in "\n".join(process.command), f"{target}: {name}"


def test_a_database_that_says_nothing_is_an_error_in_the_end(folder: Path) -> None:
    """The driver itself waits for ever."""
    (url,) = (
        value
        for key, value in properties((folder / "etc" / "catalog" / "postgresql.properties").read_bytes()).items()
        if key == "connection-url"
    )
    given = {key: value for key, _, value in (pair.partition("=") for pair in url.partition("?")[2].split("&"))}
    assert given["tcpKeepAlive"] == "true"
    assert 0 < int(given["connectTimeout"]) <= 10
    # Long enough for a slow query whose first row comes late.
    assert 120 <= int(given["socketTimeout"]) <= 600


def test_a_store_that_says_nothing_is_an_error_before_its_readers_give_up(folder: Path) -> None:
    found = properties(rendered_files(folder / "etc", VALUES)["catalog/lakehouse.properties"])
    seconds = [int(found[f"s3.socket-{what}-timeout"].removesuffix("s")) for what in ("connect", "read")]
    retries = int(found["s3.max-error-retries"])
    assert 0 < max(seconds) * (1 + retries) <= 90
    # Pauses of 0.1, 0.2, 0.4 … seconds: a store that is being restarted is back within ten.
    assert 0.1 * (2**retries - 1) >= 10
