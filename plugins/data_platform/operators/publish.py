"""Write, audit, publish: readers see a load when it has passed, all tables at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_platform.checks.base import Deadline
from data_platform.operators.dataset import DatasetOperator, result_of
from data_platform.stack.capabilities import JOBS
from data_platform.stack.lake import CATALOG, RAW
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context


class OpenAuditOperator(DatasetOperator):
    """Move the branch that the run works on to what readers see now."""

    def execute(self, context: Context) -> str:
        """The branch's first commit."""
        from data_platform.datasets.opened import begin

        return begin(current(), self.dataset, context["run_id"], Deadline(self.seconds)).commit


class LoadFilesOperator(DatasetOperator):
    """Load the run's files, but for those set aside, into the raw tables of the branch, by the dataset's Spark job."""

    tools_of = JOBS

    def execute(self, context: Context) -> dict[str, Any]:
        """What the job did."""
        from data_platform.datasets.audit import branch_of
        from data_platform.datasets.files import manifest_key, read_manifest, summary, without_set_aside
        from data_platform.datasets.opened import resume

        target, run = current(), context["run_id"]
        manifest = without_set_aside(target, read_manifest(target, self.dataset, run, self.seconds), self.seconds)
        self.log.info("%s", manifest)
        resume(target, self.dataset, run, Deadline(self.seconds))
        arguments = [
            "--conf",
            f"spark.sql.catalog.{CATALOG}.ref={branch_of(self.dataset)}",
            f"spark_jobs/{self.dataset}/load.py",
            "--manifest",
            f"s3a://{RAW}/{manifest_key(self.dataset, run)}",
        ]
        done = target.run_tool(JOBS, "submit", arguments, self.seconds)
        result = result_of(done, f"the Spark job of {self.dataset}")
        for reason in result["reasons"]:
            self.log.warning("quarantined: %s", reason)
        self.log.info("%s", summary(result))
        return result


class PublishOperator(DatasetOperator):
    """Give the audited tables to readers.

    Args:
        audit: id of the last task that validates; what changed after it is not published.
    """

    def __init__(self, *, audit: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.audit = audit

    def execute(self, context: Context) -> str:
        """What was published, in one line."""
        from data_platform.datasets.audit import publish
        from data_platform.datasets.files import remember_published
        from data_platform.datasets.opened import look

        target, run = current(), context["run_id"]
        audited = context["ti"].xcom_pull(task_ids=self.audit)
        done = publish(target, self.dataset, Deadline(self.seconds), audited["commit"])
        self.log.info("%s", done)
        opened = look(target, self.dataset, Deadline(self.seconds))
        if opened and opened.run == run:
            # As it was audited: `discover` may have been cleared since, and have met other code.
            remember_published(target, self.dataset, run, audited["code"], self.seconds)
        else:
            self.log.info("other runs came after this one: which code made the tables is theirs to say")
        return done
