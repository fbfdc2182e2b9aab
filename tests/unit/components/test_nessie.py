"""Nessie hears of a database or a store that says nothing, and its callers hear of it from Nessie."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.load import load_stack
from data_platform.targets.render import rendered_files

_DRIVER = "quarkus.datasource.postgresql.jdbc.additional-jdbc-properties."
_STORE = "nessie.catalog.service.s3.http."
#: Seconds that engines wait for an answer of Nessie, by default of its client.
_CALLERS = 25


@pytest.fixture(scope="module")
def settings(root: Path) -> dict[str, str]:
    """What application.properties says."""
    content = rendered_files(load_stack(root).components["nessie"].folder / "etc", {})["application.properties"]
    lines = [line for line in content.decode().splitlines() if line and not line.startswith("#")]
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def test_a_database_that_says_nothing_is_an_error_before_callers_give_up(settings: dict[str, str]) -> None:
    """The driver itself waits for ever, and one connection that nobody answers keeps all others from being made."""
    waits = [int(settings[f"{_DRIVER}{what}Timeout"]) for what in ("connect", "socket")]
    assert min(waits) > 0
    assert max(waits) < _CALLERS
    assert settings[f"{_DRIVER}tcpKeepAlive"] == "true"


def test_a_store_that_says_nothing_is_an_error_before_callers_give_up(settings: dict[str, str]) -> None:
    waits = [settings[f"{_STORE}{what}-timeout"] for what in ("connect", "read")]
    seconds = [int(wait.removeprefix("PT").removesuffix("S")) for wait in waits]
    assert min(seconds) > 0
    assert max(seconds) < _CALLERS
