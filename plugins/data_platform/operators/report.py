"""What a run leaves for people: pages, documentation, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from data_platform.checks.base import Deadline
from data_platform.operators.dataset import DatasetOperator, failed, result_of
from data_platform.stack.model import CheckSpec
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

#: Where data_platform.pages serves what lies in the bucket `reports`.
_REPORTS = "/data-platform/reports"


class ReportLink(BaseOperatorLink):
    """The page that the task published."""

    name = "Page"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Address below Airflow's own."""
        del ti_key
        return f"{_REPORTS}/{getattr(operator, 'dataset', '')}/{getattr(operator, 'page', 'index.html')}"


class DrawPageOperator(DatasetOperator):
    """Draw the analysts' page from the published marts."""

    operator_extra_links = (ReportLink(),)
    page = "index.html"
    tools_of = "analysis"

    def execute(self, context: Context) -> str:
        """The page's key in the bucket `reports`."""
        del context
        arguments = ["--dataset", self.dataset, "--catalog", "lakehouse"]
        result = result_of(current().run_tool("analysis", "draw", arguments, self.seconds), "drawing the page")
        return str(result["page"])


class BuildDocsOperator(DatasetOperator):
    """Publish the documentation of the dbt models."""

    operator_extra_links = (ReportLink(),)
    page = "dbt/index.html"
    tools_of = "dbt"

    def execute(self, context: Context) -> str:
        """The documentation's key in the bucket `reports`."""
        del context
        from data_platform.datasets.dbt_docs import build_docs

        return build_docs(current(), self.dataset, self.seconds)


class EmitLineageOperator(DatasetOperator):
    """Send the catalog what NiFi and dbt know; Airflow and Spark send theirs while they work."""

    def execute(self, context: Context) -> list[str]:
        """One line an emitter."""
        del context
        from data_platform.datasets.lineage import emit_dbt_lineage, emit_nifi_lineage

        target, deadline = current(), Deadline(self.seconds)
        lines = [emit(target, self.dataset, deadline) for emit in (emit_nifi_lineage, emit_dbt_lineage)]
        for line in lines:
            self.log.info("%s", line)
        return lines


class CheckDatasetOperator(DatasetOperator):
    """Run one check about the dataset and keep its result.

    Args:
        name: a sentence that is true when it passes.
        kind: module in data_platform/checks.
        params: arguments of the kind.
    """

    def __init__(self, *, name: str, kind: str, params_of_kind: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = CheckSpec.model_validate(
            {"name": name, "kind": kind, "within": self.seconds, "with": dict(params_of_kind)}
        )

    def execute(self, context: Context) -> str:
        """The evidence; fails with it."""
        del context
        from data_platform.checks import history
        from data_platform.checks.run import run_check
        from data_platform.datasets.files import code_digest

        target = current()
        result = run_check(self.dataset, self.spec, target)
        history.keep(target, [result], code_digest(target.stack.root, self.dataset), "pipeline")
        if result.status != "passed":
            raise failed(
                f"{self.spec.name}: {result.status}: {result.evidence}",
                f"mend what the evidence names, then clear this task of pipelines_{self.dataset}",
            )
        self.log.info("%s", result.evidence)
        return result.evidence
