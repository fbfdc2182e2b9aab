"""Great Expectations: a project in a scratch folder, which lives as long as one run of a suite."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.expectations import core

from analysis.lake import sqlalchemy_url
from analysis.suites import Suite

SITE = "reports"
#: The rows that break a rule are asked for by `verdict`, of broken rules only.
_FORMAT = {"result_format": "SUMMARY", "return_unexpected_index_query": True, "partial_unexpected_count": 20}
_VIEW = {"module_name": "analysis.view"}


class UnexpectedRowsExpectation(core.UnexpectedRowsExpectation):
    """A rule in SQL, asked once: Great Expectations' own also fetches the rows that a summary leaves out."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(self, metrics: dict[str, Any], **more: Any) -> Any:
        return super()._validate({**metrics, "unexpected_rows_query.table": []}, **more)


class Project:
    """Suites, results and pages as files below one folder, in Great Expectations' own arrangement."""

    def __init__(self, folder: Path) -> None:
        """Make the project in an empty folder."""
        self._context = gx.get_context(mode="file", project_root_dir=folder)
        self._context.variables.progress_bars = {"globally": False}
        for site in list(self._context.get_site_names()):
            self._context.delete_data_docs_site(site)
        root = Path(self._context.root_directory)
        self.suites, self.results, self.site = (
            root / "expectations",
            root / "uncommitted" / "validations",
            root / "site",
        )
        self._context.add_data_docs_site(SITE, _site(self.site))
        self._runs: set[str] = set()

    def run(self, suite: Suite, catalog: str) -> dict[str, list[dict[str, Any]]]:
        """Judge the tables of a suite, and keep the results.

        Args:
            suite: what must be true.
            catalog: where the tables are.

        Returns:
            For each table its results, as Great Expectations writes them as JSON.
        """
        source = self._context.data_sources.add_sql(catalog, connection_string=sqlalchemy_url(catalog))
        definitions = []
        for table, expectations in suite.tables.items():
            schema, name = table.split(".")
            asset = source.add_table_asset(table, table_name=name, schema_name=schema)
            named = gx.ExpectationSuite(name=f"{suite.name}.{name}", expectations=expectations)
            definitions.append(
                gx.ValidationDefinition(
                    name=table,
                    data=asset.add_batch_definition_whole_table("whole"),
                    suite=self._context.suites.add_or_update(named),
                )
            )
        found = {}
        now = datetime.now(UTC)
        run = RunIdentifier(run_name=f"{suite.name}-{now:%Y%m%dT%H%M%SZ}", run_time=now)
        self._runs.add(run.run_name)
        for definition in definitions:
            self._context.validation_definitions.add(definition)
            outcome = definition.run(result_format=_FORMAT, run_id=run)
            found[definition.name] = [result.to_json_dict() for result in outcome.results]
        return found

    def build(self) -> None:
        """Make the pages of what ran here, and the index of all results that are there.

        Raises:
            RuntimeError: a page was not made; Great Expectations says so in its log only.
        """
        suites = self._context.expectations_store.list_keys()
        results = [
            key for key in self._context.validation_results_store.list_keys() if key.run_id.run_name in self._runs
        ]
        self._context.build_data_docs(site_names=[SITE], resource_identifiers=[*suites, *results])
        places = [
            *(("expectations", *key.to_tuple()) for key in suites),
            *(("validations", *k.to_tuple()) for k in results),
        ]
        for page in ("index.html", *("/".join(place) + ".html" for place in places)):
            if not (self.site / page).is_file() or not (self.site / page).stat().st_size:
                raise RuntimeError(f"Great Expectations did not make the page {page}: see its log above")


def _site(folder: Path) -> dict[str, Any]:
    """A site that needs nothing from elsewhere: see `view`."""
    view = {"view": {**_VIEW, "class_name": "PageView"}}
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {
            "class_name": "DefaultSiteIndexBuilder",
            "view": {**_VIEW, "class_name": "IndexView"},
        },
        "site_section_builders": {
            "expectations": view,
            "validations": {**view, "renderer": {**_VIEW, "class_name": "ResultsRenderer"}},
            "profiling": "None",
        },
    }
