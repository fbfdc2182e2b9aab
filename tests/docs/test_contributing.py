"""What a repository needs so that others can pick it up is there, and says what the code does."""

from __future__ import annotations

import hashlib
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap import testing
from bootstrap.arguments import parse_arguments

ROOT = Path(__file__).resolve().parents[2]
#: Of https://www.apache.org/licenses/LICENSE-2.0.txt.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
FILES = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE", "SECURITY.md"]
PROGRAM = ["python3", "-m", "bootstrap"]


@pytest.mark.parametrize("file", FILES)
def test_the_file_is_there_and_the_front_page_leads_to_it(file: str) -> None:
    assert (ROOT / file).is_file()
    assert f"]({file})" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_index_of_the_documents_leads_to_the_page(file: str) -> None:
    assert f"](../{file})" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_the_licence_is_apaches_own_text_and_the_project_says_so() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE", "NOTICE"]


# --- hooks ------------------------------------------------------------------------------------------------------------


def faults(config: dict[str, Any]) -> Iterator[str]:
    """What of pre-commit's configuration may run something else than the room `lint`."""
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    if others := [repository["repo"] for repository in config["repos"] if repository["repo"] != "local"]:
        yield f"from elsewhere: {', '.join(others)}"
    entries = [shlex.split(hook["entry"]) for hook in hooks]
    if entries != [[*PROGRAM, "test", "lint"]]:
        yield f"runs: {entries}"
    for hook in hooks:
        if hook["language"] != "system" or hook.get("additional_dependencies"):
            yield f"{hook['id']}: has an environment of its own"
        if hook.get("pass_filenames", True) or not hook.get("always_run"):
            yield f"{hook['id']}: sees some files alone"


def configuration() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    return found


def test_a_commit_is_held_against_the_room_lint_and_nothing_else() -> None:
    assert list(faults(configuration())) == []


def test_the_hook_is_a_command_that_runs_every_linter() -> None:
    ((hook,),) = [repository["hooks"] for repository in configuration()["repos"]]
    found = parse_arguments(shlex.split(hook["entry"])[len(PROGRAM) :])
    assert (found.verb, found.rooms) == ("test", ["lint"])
    ((room, lines),) = testing.commands(found.rooms)
    assert room == "lint"
    assert {line[0] for line in lines} >= {"ruff", "mypy", "lint-imports", "yamllint", "sqlfluff"}


def test_a_hook_that_runs_something_else_is_found() -> None:
    config = {
        "repos": [
            {"repo": "https://example.org/x", "hooks": [{"id": "x", "language": "python", "entry": "x"}]},
            {"repo": "local", "hooks": [{"id": "y", "language": "system", "entry": "y", "pass_filenames": False}]},
        ]
    }
    assert list(faults(config)) == [
        "from elsewhere: https://example.org/x",
        "runs: [['x'], ['y']]",
        "x: has an environment of its own",
        "x: sees some files alone",
        "y: sees some files alone",
    ]
