"""Write each chart's `values.schema.json` from `platform/schema.yaml` and the chart's own processes.

    python stack/charts/schemas.py

Needs the platform's environment. A test in `tests/render/` fails when a file is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).resolve().parent
COMPONENTS = CHARTS.parent / "components"


def charts() -> list[Path]:
    """Folders of the components' charts."""
    return sorted(path.parent for path in COMPONENTS.glob("*/*/chart/Chart.yaml"))


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def schema(chart: Path) -> str:
    """The schema of one chart's values, as text of one line.

    Args:
        chart: folder of the chart; the keys of `workloads` in its values.yaml are the processes that it knows.
    """
    found = _read(CHARTS / "platform" / "schema.yaml")
    names = sorted(_read(chart / "values.yaml")["workloads"])
    for key in ("processes", "workloads"):
        # A name that is not there is refused with those that are.
        each = found["properties"][key].pop("additionalProperties")
        found["properties"][key] |= {"additionalProperties": False, "properties": dict.fromkeys(names, each)}
    # What must be the same in pods that no chart makes.
    defaults = _read(CHARTS / "platform" / "values.yaml")["exports"]["defaults"]
    found["properties"] |= {key: {"const": defaults[key]} for key in ("security", "cpuLimit")}
    if names:
        found["required"].append("image")
    if (own := chart / "schema.yaml").exists():
        found["properties"] |= _read(own)
    return json.dumps(found, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for folder in charts():
        (folder / "values.schema.json").write_text(schema(folder), encoding="utf-8")
        print(folder.relative_to(COMPONENTS) / "values.schema.json")
