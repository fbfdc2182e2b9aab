"""What a run leaves for people: pages, documentation, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from data_platform.checks.base import Deadline
from data_platform.clients import dbt
from data_platform.operators.dataset import DatasetOperator, failed, result_of
from data_platform.operators.triggerer import TriggererOperator
from data_platform.stack.capabilities import MODELS, REPORTS
from data_platform.stack.check import CheckSpec
from data_platform.stack.lake import CATALOG
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from data_platform.targets.base import Target

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
    tools_of = REPORTS

    def execute(self, context: Context) -> str:
        """The page's key in the bucket `reports`."""
        del context
        arguments = ["--dataset", self.dataset, "--catalog", CATALOG]
        result = result_of(current().run_tool(REPORTS, "draw", arguments, self.seconds), "drawing the page")
        return str(result["page"])


class BuildDocsOperator(DatasetOperator):
    """Publish the documentation of the dbt models."""

    operator_extra_links = (ReportLink(),)
    page = dbt.PAGE
    tools_of = MODELS

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


def check(target: Target, context: Context, dataset: str, spec: Mapping[str, Any]) -> str:
    """Run a check about a dataset and keep its result among Airflow's own; returns the evidence.

    Raises:
        AirflowFailException: it did not pass.
    """
    del context
    from data_platform.checks.run import run_check
    from data_platform.datasets.files import code_digest
    from data_platform.records import writes

    wanted = CheckSpec.model_validate(dict(spec))
    result = run_check(dataset, wanted, target)
    writes.keep_results(target, [result], code_digest(target.stack.root, dataset), "pipeline")
    if result.status != "passed":
        raise failed(
            f"{wanted.name}: {result.status}: {result.evidence}",
            f"mend what the evidence names, then clear this task of pipelines_{dataset}",
        )
    return result.evidence


class CheckDatasetOperator(TriggererOperator):
    """Run one check about the dataset and keep its result.

    Args:
        dataset: its name.
        name: a sentence that is true when it passes.
        kind: module in data_platform/checks.
        params_of_kind: arguments of the kind.
        seconds: deadline.
    """

    act = staticmethod(check)

    def __init__(
        self,
        *,
        dataset: str,
        name: str,
        kind: str,
        params_of_kind: Mapping[str, Any],
        seconds: float = 300,
        **kwargs: Any,
    ) -> None:
        said = {"name": name, "kind": kind, "within": seconds, "with": dict(params_of_kind)}
        CheckSpec.model_validate(said)
        super().__init__(arguments={"dataset": dataset, "spec": said}, **kwargs)
        self.dataset = dataset
