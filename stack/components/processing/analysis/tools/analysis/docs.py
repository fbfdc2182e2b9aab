"""The Data Docs of a dataset in the bucket `reports`: the last runs of each suite, and an index of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.gx import Project
from analysis.retention import superseded
from analysis.store import Reports
from analysis.view import IndexView, ResultsRenderer, status_of


def index_key(dataset: str) -> str:
    """Key of the first page."""
    return f"{dataset}/expectations/index.html"


class History:
    """Earlier results, fetched so that the index lists them, and what is new, put beside them.

    A result is `results/<suite>/<table>/<run>/<time>/<batch>.json`, its page `validations/…` of the same path and
    `.html`: the arrangement of Great Expectations. The run's name is `<suite>-<time>`.
    """

    def __init__(self, dataset: str, project: Project, reports: Reports | None = None) -> None:
        """Nothing is read yet."""
        self._prefix = f"{dataset}/expectations/"
        self._project = project
        self._reports = reports or Reports()
        self._kept: set[str] = set()

    def fetch(self) -> None:
        """Bring earlier results and suites here; of their pages only the names, for they are not made again."""
        for kind, folder in self._folders().items():
            start = f"{self._prefix}{kind}/"
            for key in self._reports.keys(start):
                _write(folder / key.removeprefix(start), self._reports.read(key))
                self._kept.add(key)
        for result in self._results():
            _write(self._project.site / "validations" / _page(result), b"")

    def publish(self, verdict: Mapping[str, Any]) -> None:
        """Make the pages, put what is new into the bucket and take out what is too old. The index comes last."""
        for result in superseded(self._results()):
            (self._project.results / result).unlink()
            (self._project.site / "validations" / _page(result)).unlink(missing_ok=True)
        results = self._results()
        judged = {"/".join(result.split("/")[:2]) for result in results}
        for suite in self._project.suites.rglob("*.json"):
            if str(suite.relative_to(self._project.suites).with_suffix("")) not in judged:
                suite.unlink()
        IndexView.statuses = {
            f"validations/{_page(name)}": status_of(json.loads((self._project.results / name).read_bytes())["results"])
            for name in results
        }
        ResultsRenderer.broken = {
            (entry["table"], entry["rule"]): entry for entry in (*verdict["failed"], *verdict["warnings"])
        }
        self._project.build()
        site = self._project.site
        files = {f"{self._prefix}{page.relative_to(site)}": page for page in site.rglob("*.html")}
        for kind, folder in self._folders().items():
            files |= {f"{self._prefix}{kind}/{path.relative_to(folder)}": path for path in folder.rglob("*.json")}
        # A page of an earlier result is empty here.
        new = {key: path for key, path in files.items() if path.stat().st_size and key not in self._kept}
        for key in sorted(new, key=lambda key: key == f"{self._prefix}index.html"):
            self._reports.write(key, new[key].read_bytes())
        self._reports.remove(key for key in self._reports.keys(self._prefix) if key not in files)

    def _folders(self) -> dict[str, Path]:
        return {"results": self._project.results, "suites": self._project.suites}

    def _results(self) -> list[str]:
        return sorted(str(p.relative_to(self._project.results)) for p in self._project.results.rglob("*.json"))


def _page(result: str) -> str:
    return result.removesuffix(".json") + ".html"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
