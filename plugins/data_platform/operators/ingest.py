"""From the landing folder to the raw zone, and what of it a run works on."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.utils.skipmixin import SkipMixin
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from data_platform.checks.base import Deadline
from data_platform.operators.dataset import failed
from data_platform.operators.triggerer import TriggererOperator
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context

    from data_platform.targets.base import Target

#: Run parameters: the days to load again from all files; both ends belong to it.
FROM, TO = "from", "to"


def deploy(target: Target, context: Context, dataset: str, seconds: float) -> str:
    """Bring a flow to its definition; returns what was done, in one line."""
    del context
    from data_platform.datasets.flow import deploy_flow

    return deploy_flow(target, dataset, deadline=Deadline(seconds))


def deliver(target: Target, context: Context, dataset: str, seconds: float, *, file: str, package: str) -> str:
    """Put a copy into the landing folder; returns where it lies.

    Raises:
        AirflowSkipException: there is data already.
    """
    del context
    from data_platform.datasets.files import has_received
    from data_platform.datasets.landing import landing_of

    if has_received(target, dataset, seconds):
        raise AirflowSkipException(f"{dataset} has received files before")
    place = resources.files(package) if package else target.stack.root
    with resources.as_file(place / file) as path:
        return landing_of(target).place(dataset, Path(path))


def await_landing(target: Target, context: Context, dataset: str, seconds: float) -> str | None:
    """Return when the flow has taken all that it takes and has nothing left to do; what it does not take, in lines."""
    del context
    from data_platform.datasets.flow import await_landed

    return await_landed(target, dataset, Deadline(seconds)) or None


class LandingOperator(TriggererOperator):
    """A task about a dataset's flow or landing folder, which on Kubernetes are reached through NiFi's pods.

    Args:
        dataset: its name.
        seconds: deadline of what it does.
        more: other arguments of its act.
    """

    def __init__(self, *, dataset: str, seconds: float = 300, more: Mapping[str, str] | None = None, **kwargs: Any):
        super().__init__(arguments={"dataset": dataset, "seconds": seconds, **(more or {})}, **kwargs)
        self.dataset = dataset
        self.seconds = seconds


class DeployFlowOperator(LandingOperator):
    """Bring the dataset's NiFi flow to its definition in `nifi_flows/`; what is queued stays."""

    act = staticmethod(deploy)


class DeliverReferenceOperator(LandingOperator):
    """Put the copy that comes with the platform into the landing folder, when nothing was ever received.

    Args:
        file: path in the checkout, or in a Python package.
        package: the Python package that ships it; empty for the checkout.
    """

    act = staticmethod(deliver)

    def __init__(self, *, file: str, package: str = "", **kwargs: Any) -> None:
        super().__init__(more={"file": file, "package": package}, **kwargs)
        self.file = file
        self.package = package


class AwaitLandingOperator(LandingOperator):
    """Wait until the flow has stored or refused every file of the landing folder that it takes; name the others."""

    act = staticmethod(await_landing)


class DiscoverFilesOperator(BaseOperator, SkipMixin):
    """Find what the run works on; with nothing to do, all that follows is skipped, at once.

    Args:
        dataset: its name.
        seconds: deadline of each request.
    """

    def __init__(self, *, dataset: str, seconds: float = 60, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.seconds = seconds

    def execute(self, context: Context) -> None:
        """Find it. The scheduler, which skips one task after the other, would take seconds."""
        from data_platform.datasets.arrivals import leave
        from data_platform.datasets.files import discover

        found = discover(current(), self.dataset, context["run_id"], days_of(context), self.seconds)
        if found.idle:
            self.log.info("%s: nothing new; readers have what was published before", self.dataset)
            # What gives the turn back runs all the same.
            rest = [task for task in self.get_flat_relatives(upstream=False) if not task.is_teardown]
            self.skip(context["ti"], rest)
            return
        self.log.info("%s", found)
        if found.later:
            # The others are taken by the run after this one.
            leave(current(), self.dataset, found.new[0], self.seconds)
        for file in found.files:
            self.log.info(
                "%s (%d bytes, ingested %s) is %s", file.source_file, file.bytes, file.ingested_at, file.object
            )
        for refusal in found.refused:
            self.log.warning("%s was refused: %s", refusal["source_file"], refusal["reason"])


def days_of(context: Context) -> Any:
    """Days that the run loads again: those of its parameters; of a backfill run, those of its data interval."""
    from pydantic import ValidationError

    from data_platform.datasets.files import Days

    params, run = context["params"], context["dag_run"]
    first, last = params.get(FROM), params.get(TO)
    if run.run_type == "backfill" and not (first or last):
        interval = (run.data_interval_start, run.data_interval_end)
        first, last = (moment.date().isoformat() if moment else None for moment in interval)
    try:
        return Days.model_validate({"from": first, "to": last})
    except ValidationError as error:
        raise failed(
            f"the run's parameters '{FROM}' and '{TO}': {error.errors()[0]['msg']}",
            f"""write for example --conf '{{"{FROM}": "2024-01-01", "{TO}": "2024-01-31"}}'""",
        ) from None
