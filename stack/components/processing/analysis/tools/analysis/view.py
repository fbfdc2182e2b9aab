"""How Great Expectations' pages look here: its own renderers and views, with templates that need no other host.

The pages that it makes by itself fetch styles, scripts and pictures from eight hosts, and are bare without them. Named
by the site's configuration in `gx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from great_expectations.render import RenderedStringTemplateContent
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

_TEMPLATES = Path(__file__).parent / "templates"
_WORDS = {
    "passed": ('<i class="fas text-success"></i>', "Every expectation is met"),
    "warning": ('<i class="fas text-warning"></i>', "Warnings only: they keep nothing from being published"),
    "failed": ('<i class="fas text-danger"></i>', "Failed: what was judged is not published"),
}


def status_of(results: list[dict[str, Any]]) -> str:
    """One word for the results of a table, as Great Expectations writes them as JSON: passed, warning, failed."""
    broken = {r["expectation_config"]["severity"] for r in results if not r["success"]}
    return "passed" if not broken else "warning" if broken == {"warning"} else "failed"


class ResultsRenderer(ValidationResultsPageRenderer):  # type: ignore[misc]
    """Shows severity, rows and next step beside a broken rule, and tells a warning from a failure."""

    #: Entries of the verdict by (table, rule).
    broken: ClassVar[dict[tuple[str, str], dict[str, Any]]] = {}

    def render(self, validation_results: Any, suite_parameters: Any = None) -> Any:
        """One result as a document of Great Expectations."""
        document = super().render(validation_results, suite_parameters)
        mine = {rule: entry for (table, rule), entry in self.broken.items() if table == validation_results.asset_name}
        for section in document.sections:
            for block in section.content_blocks:
                if getattr(block, "header_row", None):
                    _explain(block, mine)
        return document

    @classmethod
    def _render_validation_header(cls, validation_results: Any) -> Any:
        header = super()._render_validation_header(validation_results)
        status = status_of([result.to_json_dict() for result in validation_results.results])
        icon, words = _WORDS[status]
        header.subheader.string_template["params"] |= {"html_success_icon": icon, "success": words}
        return header


def _explain(block: Any, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to a table of rules what is known of the broken ones; a warning gets the sign of one."""
    found = [entries.get(_rule(row[1]), {}) for row in block.table]
    if not any(found):
        return
    block.header_row = [*block.header_row, "Rows and next step"]
    for row, entry in zip(block.table, found, strict=True):
        if entry.get("severity") == "warning":
            icon = row[0].string_template["styling"]["params"]["icon"]
            icon["classes"] = ["text-warning" if name == "text-danger" else name for name in icon["classes"]]
        row.append([_text(line) for line in _lines(entry)] if entry else "")


def _rule(cell: Any) -> str:
    first = cell[0] if isinstance(cell, list) else cell
    return str(first.string_template["template"])


def _lines(entry: Mapping[str, Any]) -> list[str]:
    rows = [", ".join(f"{name} {value}" for name, value in row.items()) for row in entry["sample"]]
    return [*(f"File: {name}" for name in entry["files"]), *rows, f"Next: {entry['next_step']}"]


def _text(line: str) -> RenderedStringTemplateContent:
    """A paragraph of text that is data: Great Expectations escapes parameters."""
    template = {"template": "$text", "params": {"text": line}, "tag": "p"}
    return RenderedStringTemplateContent(content_block_type="string_template", string_template=template)


class _Own:
    """Our templates before those of the same name in Great Expectations."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)  # type: ignore[call-arg]
        self.env.loader = ChoiceLoader([FileSystemLoader(_TEMPLATES), self.env.loader])  # type: ignore[has-type]


class PageView(_Own, DefaultJinjaPageView):  # type: ignore[misc]
    """A suite or a result."""


class IndexView(_Own, DefaultJinjaIndexPageView):  # type: ignore[misc]
    """All suites and the last results."""

    #: Status of each result by the address of its page; the index knows success and failure only.
    statuses: ClassVar[dict[str, str]] = {}

    def render(self, document: Any, template: Any = None, **values: Any) -> Any:
        """The index as HTML."""
        return super().render(document, template, statuses=self.statuses, **values)
