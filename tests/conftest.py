"""Fixtures of all rooms: a small valid stack to break, and an Airflow home that is nobody's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

# Before anything imports Airflow: without a home it would make one in the user's, and read the user's settings.
_HOME = tempfile.TemporaryDirectory(prefix="data-platform-airflow-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(Path(__file__).resolve().parents[1] / "plugins"),
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
}

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes says how busy the machine is.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have helm before the first test that renders charts: its compiler takes longer than any test may."""
    if not session.config.option.collectonly and any(item.get_closest_marker("helm") for item in session.items):
        from bootstrap.helm import helm_program

        helm_program()


_STACK = """
name: tiny
namespaces: {core: the heart, storage: what is kept, processing: what is computed}
capabilities: {s3: minio}
profiles:
  default: {summary: everything}
  weeds: {summary: another store, capabilities: {s3: weeds}}
  bare: {summary: nothing but the database, without: [reader, portal]}
identities:
  pipelines:
    summary: Tasks that bring files to the store.
    component: portal
    claims:
      - {kind: bucket, name: raw, expire_noncurrent_days: 7}
      - {kind: s3_user, buckets: {raw: add}}
      - {kind: token, of: reader}
  checks:
    summary: What checks store and read back.
    component: postgresql
    claims:
      - {kind: database, name: checks}
      - {kind: s3_user, buckets: {raw: write, results: read}}
"""
_TOOLCHAINS = """
shell:
  build: [sh, -ec, "mkdir -p $OUT/bin && echo tool > $OUT/bin/tool"]
  home: bin
"""
_STORE = """
namespace: storage
version: "1"
summary: "A store of objects."
provides: [s3]
connection: {type: aws, endpoint: http, login: s3_access_key, password: s3_secret_key}
credentials: {access_key: platform}
secrets: [secret_key]
resources: {cpu: 1, memory_mib: 100}
checks: [{name: has-the-claimed-buckets, kind: s3_buckets}]
backup: {kind: none, reason: it is a test}
"""
_COMPONENTS = {
    "storage/postgresql": """
name: postgresql
namespace: storage
version: "1"
summary: "A database for the others."
bootstrap: true
endpoints: {sql: {port: 21000, scheme: tcp}}
credentials: {username: postgres}
secrets: [password]
serves: {database: sql}
resources: {cpu: 1, memory_mib: 100}
checks: [{name: writes-and-reads-a-row, kind: postgres_roundtrip, within: 30s}]
backup: {kind: none, reason: it is a test}
""",
    "storage/minio": "name: minio\nendpoints: {http: {port: 21010}}\nserves: {bucket: s3, s3_user: minio_admin}"
    + _STORE,
    "storage/weeds": "name: weeds\nendpoints: {http: {port: 21020}}\nserves: {bucket: s3, s3_user: configuration}"
    + _STORE,
    "processing/reader": """
name: reader
namespace: processing
version: "1"
summary: "A server that reads from both."
endpoints: {http: {port: 21030, path: /ui/, audience: [people, components]}}
connection: {type: http, endpoint: http, password: reader_token, url_host: true, extra: {timeout: 5}}
secrets: [token]
claims:
  - {kind: database, name: reader}
  - {kind: bucket, name: results, expire_noncurrent_days: 7}
  - {kind: s3_user, buckets: {raw: read, results: write}}
serves: {token: configuration}
resources: {cpu: 1, memory_mib: 100}
checks: [{name: answers-on-its-page, kind: http, with: {component: reader, path: /}}]
backup: {kind: none, reason: it is a test}
""",
    "core/portal": """
name: portal
namespace: core
version: "1"
summary: "A page that shows the others."
claims:
  - {kind: token, of: reader}
endpoints: {http: {port: 21040, path: /, audience: [people]}}
resources: {cpu: 1, memory_mib: 100}
checks: [{name: answers-on-its-page, kind: http, with: {component: portal, path: /}}]
backup: {kind: none, reason: it is a test}
""",
}
_LOCAL = """
toolchains: [shell]
artifacts:
  program:
    build: [sh, -ec, "cat source.txt {{ ARTIFACT_SHELL }}/tool > $OUT/program"]
    source: source.txt
    needs: [shell]
jobs:
  prepare: {command: [touch, "{{ DATA }}/prepared"], creates: "{{ DATA }}/prepared"}
  announce:
    command: [sh, -c, 'echo "announced $WORD, ${S3_SECRET_KEY:-and no more}" > "$DATA/announced"']
    environment: {WORD: "{{ READER_TOKEN }}"}
processes:
  server:
    command: [cat, "{{ ETC }}/reader.conf", "{{ ARTIFACT_PROGRAM }}/program"]
    environment: {TOKEN: "{{ READER_TOKEN }}"}
    ready: {command: ["true"], within: 5s}
    watch: [watched/*.py]
tools:
  say: {command: [echo, "{{ READER_HTTP_PORT }}"], environment: {WORD: "{{ READER_TOKEN }}"}}
"""


#: A store that takes part beside the one that stands for the capability.
_VAULT = "name: vault\nendpoints: {http: {port: 21050}}\nserves: {bucket: s3, s3_user: minio_admin}" + _STORE.replace(
    "provides: [s3]\n", ""
)


class Tiny:
    """A small valid stack in a folder of its own. Break it in one place a test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stack_file = root / "stack" / "stack.yaml"
        self.toolchains_file = root / "stack" / "toolchains.yaml"
        for path, text in ((self.stack_file, _STACK), (self.toolchains_file, _TOOLCHAINS)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for place, text in _COMPONENTS.items():
            folder = root / "stack" / "components" / place
            folder.mkdir(parents=True)
            (folder / "component.yaml").write_text(text, encoding="utf-8")
            (folder / "local.yaml").write_text("{}\n", encoding="utf-8")
        reader = self.folder("reader")
        (reader / "local.yaml").write_text(_LOCAL, encoding="utf-8")
        (reader / "source.txt").write_text("source\n", encoding="utf-8")
        (reader / "etc" / "more").mkdir(parents=True)
        (reader / "etc" / "reader.conf.j2").write_text("token={{ READER_TOKEN }}\n", encoding="utf-8")
        (reader / "etc" / "more" / "plain.txt").write_text("{{ left as it is }}\n", encoding="utf-8")
        (reader / "etc" / "tokens.json.j2").write_text("{{ TOKENS | tojson }}\n", encoding="utf-8")
        (self.folder("weeds") / "etc").mkdir()
        (self.folder("weeds") / "etc" / "users.json.j2").write_text("{{ S3_USERS | tojson }}\n", encoding="utf-8")
        (root / "watched").mkdir()
        (root / "watched" / "code.py").write_text("one = 1\n", encoding="utf-8")

    def folder(self, name: str) -> Path:
        """Folder of a component."""
        (found,) = self.root.glob(f"stack/components/*/{name}")
        return found

    def component(self, name: str) -> Path:
        """Its component.yaml."""
        return self.folder(name) / "component.yaml"

    def local(self, name: str) -> Path:
        """Its local.yaml."""
        return self.folder(name) / "local.yaml"

    def second_store(self) -> None:
        """Add a store beside the one that stands for the capability, and what the reader claims of it."""
        folder = self.root / "stack" / "components" / "storage" / "vault"
        folder.mkdir(parents=True)
        (folder / "component.yaml").write_text(_VAULT, encoding="utf-8")
        (folder / "local.yaml").write_text("{}\n", encoding="utf-8")
        bucket = {"kind": "bucket", "of": "vault", "name": "saved"}
        user = {"kind": "s3_user", "of": "vault", "buckets": {"saved": "write"}}
        self.edit(self.component("reader"), lambda c: c["claims"].extend((bucket, user)))

    def dataset(self, name: str) -> None:
        """Add a dataset: a folder with a flow."""
        folder = self.root / "datasets" / name
        folder.mkdir(parents=True)
        (folder / "contract.odcs.yaml").touch()

    @staticmethod
    def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the content of one YAML file."""
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A small valid stack: postgresql, two object stores, reader (needs both), portal (needs reader)."""
    return Tiny(tmp_path / "checkout")


@pytest.fixture(scope="session")
def root() -> Path:
    """This checkout."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    """Remove Airflow's home at the end."""
    yield
    _HOME.cleanup()
