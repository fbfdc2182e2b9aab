"""A small checkout with tests that need a platform."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootstrap.proof.inputs import Graph, tracked
from tests.conftest import Tiny

_FILES = {
    "bootstrap/up.py": "from data_platform.clients import store\n",
    "plugins/data_platform/__init__.py": "",
    "plugins/data_platform/clients/__init__.py": "",
    "plugins/data_platform/clients/store.py": "",
    "plugins/data_platform/targets/base.py": "",
    "plugins/data_platform/targets/local/target.py": "",
    "plugins/data_platform/targets/kubernetes/target.py": "",
    "nifi_flows/rates/flow.json": "{}",
    "nifi_flows/names/flow.json": "{}",
    "datasets/rates/contract.odcs.yaml": "{}",
    "datasets/names/contract.odcs.yaml": "{}",
    "plugins/data_platform/datasets/way.py": 'BY = "reader"\n',
    "dags/pipelines/rates.py": "",
    "dags/pipelines/names.py": "",
    "stack/charts/Chart.yaml": "",
    "pyproject.toml": "",
    "README.md": "words",
    "benchmarks/up.py": "",
    "tests/__init__.py": "",
    "tests/helping.py": 'STORE = "minio"\n',
    "tests/helping/data.yaml": "{}",
    "tests/unit/test_words.py": "",
    "tests/e2e/test_reader.py": 'import json\n\nURL = ("reader", "http")\n',
    "tests/e2e/test_all.py": "def test(stack):\n    assert stack.components\n",
    "tests/drills/test_store.py": "from tests.helping import STORE\n",
    "tests/drills/test_rates.py": 'DAG = "pipelines_rates"\n',
    "tests/cluster/test_database.py": 'NAME = "postgresql.server"\n',
}

_AIRFLOW = """
name: airflow
namespace: core
version: "1"
summary: "What deploys the others."
after: [postgresql]
calls: [postgresql]
endpoints: {http: {port: 21050, path: /, audience: [people]}}
resources: {cpu: 1, memory_mib: 100}
checks: [{name: answers-on-its-page, kind: http, with: {component: airflow, path: /}}]
backup: {kind: none, reason: it is a test}
"""


def git(root: Path, *words: str) -> str:
    """Run git there, as nobody in particular."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root: Path) -> str:
    """Commit everything, and return the commit."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tiny: Tiny) -> Path:
    """A checkout of the small stack with some code and tests, committed."""
    # What brings every platform up.
    folder = tiny.root / "stack/components/core/airflow"
    folder.mkdir(parents=True)
    (folder / "component.yaml").write_text(_AIRFLOW, encoding="utf-8")
    for file in tiny.root.glob("stack/components/*/*/component.yaml"):
        file.with_name("kubernetes.yaml").write_text("{}\n", encoding="utf-8")
    (folder / "local.yaml").write_text("{}\n", encoding="utf-8")
    for name, content in _FILES.items():
        path = tiny.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    git(tiny.root, "init", "--quiet")
    commit(tiny.root)
    return tiny.root


@pytest.fixture
def graph(checkout: Path) -> Graph:
    """Its graph."""
    return Graph(checkout, tracked(checkout))
