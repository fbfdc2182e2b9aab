"""The package knows components by capability (data_platform.stack.capabilities), none by its name.

What speaks one server's protocol (`clients/`) and kinds of checks, claims and facets may name theirs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
NAMES = frozenset(path.parent.name for path in ROOT.glob("stack/components/*/*/component.yaml"))
#: Rooms whose modules may name components, and what of them may not.
ROOMS = ("checks", "claims", "clients", "facets")
EXCEPT = ("checks/base.py", "checks/run.py", "checks/scratch.py", "clients/connect.py")
#: Words of contracts (docs/architecture.md) that are a component's name too, by module.
CONTRACTS = {"summary.py": {"airflow"}}
#: What people are told to run.
COMMAND = re.compile(r"bootstrap (?:check|forward|logs|restart|rotate|up --only)((?:[ ,][a-z][a-z0-9.-]*)+)")


def may_name(file: str) -> bool:
    """Whether a module, by its path below the package, may name components."""
    return file not in EXCEPT and file.split("/", maxsplit=1)[0] in ROOMS


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def named(source: str) -> list[tuple[int, str]]:
    """Components that a module names: as a text of its own, at the begin of a path, or in a command for people."""
    found = []
    for line, text in texts(source):
        words = {text, text.split("/")[0], text.split("/")[0].removeprefix("--only=")}
        for command in COMMAND.findall(text):
            words |= set(takewhile(NAMES.__contains__, re.split(r"[ ,]", command.strip(" ,"))))
        found += [(line, name) for name in sorted(words & NAMES)]
    return found


def modules() -> dict[str, str]:
    """Source of each module, by its path below the package; the plugin itself has no folder."""
    package = PLUGINS / "data_platform"
    return {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")} | {
        path.name: path.read_text(encoding="utf-8") for path in PLUGINS.glob("*.py")
    }


def test_no_module_names_a_component() -> None:
    sources = modules()
    assert len(sources) > 100
    assert {"airflow", "minio", "trino"} <= NAMES
    found = [
        f"{file}:{line}: {name}"
        for file, source in sorted(sources.items())
        if not may_name(file)
        for line, name in named(source)
        if name not in CONTRACTS.get(file, ())
    ]
    assert found == [], "ask for a capability (data_platform.stack.capabilities), or give the component a trait"


def test_what_may_name_components_is_there_and_does() -> None:
    sources = modules()
    assert set(EXCEPT) <= sources.keys()
    assert {file: {name for _, name in named(sources[file])} for file in CONTRACTS} == CONTRACTS
    assert any(named(source) for file, source in sources.items() if may_name(file))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('run_tool("spark", "submit")', ["spark"]),
        ("name: str = 'minio'", ["minio"]),
        ('party = "airflow/triggerer"', ["airflow"]),
        ('say(f"nifi/{process}")', ["nifi"]),
        ('raise Error(f"{x}", "read: python3 -m bootstrap logs postgresql; run it again")', ["postgresql"]),
        ('say("python3 -m bootstrap check nessie trino says more")', ["nessie", "trino"]),
        ('say("python3 -m bootstrap up --only airflow,minio")', ["airflow", "minio"]),
        ('"""A docstring: trino"""', []),
        ('def f():\n    """trino"""', []),
        ("JOBS", []),
        ('say("spark_jobs/fx_rates")', []),
        ('say("python3 -m bootstrap check says what trino lacks")', []),
        ('say(f"{places.ETC}/{component}")', []),
    ],
)
def test_what_counts_as_a_name(source: str, found: list[str]) -> None:
    assert [name for _, name in named(source)] == found


@pytest.mark.parametrize("file", ["checks/spark_job.py", "claims/branch.py", "clients/nifi.py", "facets/backup.py"])
def test_a_module_about_one_server_may_name_it(file: str) -> None:
    assert may_name(file)


@pytest.mark.parametrize("file", [*EXCEPT, "lifecycle.py", "targets/local/target.py", "data_platform_plugin.py"])
def test_no_other_may(file: str) -> None:
    assert not may_name(file)
