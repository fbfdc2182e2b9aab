"""Writes `slim_manifest.json`, from which the DAGs are drawn: which models and tests there are, and their order.

    DATA_PLATFORM_STATE=.platform PYTHONPATH=.:plugins python dbt_project/slim_manifest.py

It is committed, so that Airflow parses a DAG without dbt and without starting a process. dbt only reads the project for
it; no server is asked. A test fails when it is older than the models.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from data_platform.stack.errors import PlatformError

PROJECT = Path(__file__).resolve().parent
SLIM = PROJECT / "slim_manifest.json"
_SECONDS = 120.0
#: What Cosmos draws: unit tests are run where code is tested, and sources, seeds and exposures are no tasks.
_DRAWN = ("model", "test")


def digest(project: Path) -> str:
    """SHA-256 over all that decides which models and tests there are."""
    files = [project / "dbt_project.yml"]
    rooms = [p for room in ("models", "tests") for p in (project / room).rglob("*")]
    files += sorted(p for p in rooms if p.suffix in (".sql", ".yml"))
    found = hashlib.sha256()
    for path in files:
        found.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def slim(manifest: dict[str, Any], sources: str) -> dict[str, Any]:
    """The part of dbt's manifest that a DAG is drawn from.

    Args:
        manifest: dbt's manifest.json.
        sources: digest of the files that it was made from.
    """
    nodes = {
        key: {
            "resource_type": node["resource_type"],
            "package_name": node["package_name"],
            "original_file_path": node["original_file_path"],
            "fqn": node["fqn"],
            "tags": node["tags"],
            "config": {"materialized": node["config"]["materialized"]},
            "depends_on": {"nodes": _needs(node)},
        }
        for key, node in sorted(manifest["nodes"].items())
        if node["resource_type"] in _DRAWN
    }
    return {"metadata": {"project_name": manifest["metadata"]["project_name"], "sources": sources}, "nodes": nodes}


def _needs(node: dict[str, Any]) -> list[str]:
    """What a node comes after. A test of two models belongs to the one whose yml it is in: it comes after that one."""
    attached = node.get("attached_node")
    return [attached] if attached else sorted(node["depends_on"]["nodes"])


def main() -> int:
    """Let dbt read the project and write the file."""
    from data_platform.targets.current import current

    with tempfile.TemporaryDirectory() as folder:
        words = ["--target-path", folder, "--no-partial-parse"]
        done = current().run_tool("dbt", "dbt", ["parse", *words], _SECONDS, writes=[Path(folder)])
        if done.returncode != 0:
            raise PlatformError(f"dbt does not understand the project:\n{done.output}", "mend it and run this again")
        manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    SLIM.write_text(json.dumps(slim(manifest, digest(PROJECT)), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{SLIM.name} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
