"""Spark's settings: two catalogs that differ in their branch alone, and where secrets are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_platform.stack.load import load_stack
from data_platform.stack.model import Tool
from data_platform.targets.render import rendered_files

VALUES = {
    "S3_HTTP_URL": "http://127.0.0.1:9000",
    "S3_ACCESS_KEY": "the-key",
    "S3_SECRET_KEY": "the-secret",
    "NESSIE_HTTP_URL": "http://127.0.0.1:8420",
    "DATAHUB_HTTP_URL": "http://127.0.0.1:8980",
    "DATAHUB_TOKEN": "the-token",
    "DATA": "/data",
}


@pytest.fixture(scope="module")
def settings(root: Path) -> dict[str, str]:
    """What spark-defaults.conf says."""
    files = rendered_files(load_stack(root).components["spark"].folder / "etc", VALUES)
    (text,) = (content.decode() for path, content in files.items() if str(path).endswith("spark-defaults.conf"))
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert len({key for key, _ in lines}) == len(lines), "a setting is there twice"
    return {key: value.strip() for key, value in lines}


@pytest.fixture(scope="module")
def tool(root: Path) -> Tool:
    """The tool that runs a job."""
    return load_stack(root).components["spark"].definition.tools["submit"]


def test_both_catalogs_are_the_same_until_a_run_moves_one_to_a_branch(settings: dict[str, str]) -> None:
    prefix = "spark.sql.catalog."
    catalogs: dict[str, dict[str, str]] = {"lakehouse": {}, "published": {}}
    for key, value in settings.items():
        if key.startswith(prefix):
            name, _, setting = key.removeprefix(prefix).partition(".")
            catalogs[name][setting] = value
    assert catalogs["lakehouse"]["ref"] == "main"
    assert catalogs["lakehouse"] == catalogs["published"]


def test_keys_of_the_object_store_are_in_the_environment_only(settings: dict[str, str], tool: Tool) -> None:
    assert {"the-key", "the-secret"}.isdisjoint(" ".join(settings.values()).split())
    assert tool.environment["AWS_ACCESS_KEY_ID"] == "{{ S3_ACCESS_KEY }}"
    assert settings["spark.hadoop.fs.s3a.aws.credentials.provider"].endswith(".EnvironmentVariableCredentialsProvider")


def test_the_catalogs_token_is_in_a_private_file_only_and_never_printed(settings: dict[str, str], tool: Tool) -> None:
    (key,) = (key for key, value in settings.items() if value == "the-token")
    assert re.search(settings["spark.redaction.regex"], key)
    words = [*tool.command, *tool.environment.values()]
    assert words
    assert not [word for word in words if "TOKEN" in word]
    assert not [word for word in tool.command if "KEY" in word]


def test_no_listener_reports_what_no_job_asked_to_be_reported(settings: dict[str, str]) -> None:
    assert settings["spark.openlineage.transport.type"] == "http"
    assert "spark.extraListeners" not in settings
