"""The lifecycle of a component as Airflow tasks: observe, plan, fetch, apply, wait, verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from data_platform import lifecycle
from data_platform.checks.base import CheckResult
from data_platform.operators import looks
from data_platform.operators.links import ComponentLink
from data_platform.operators.pods import DeployerOperator
from data_platform.operators.triggerer import BranchOperator, TriggererOperator, skip_during_deploy
from data_platform.stack.errors import PlatformError
from data_platform.stack.plan import Step
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context


class ComponentOperator(DeployerOperator):
    """A task that changes or checks one component; links to the component's own page.

    Args:
        component: its name.
    """

    operator_extra_links = (ComponentLink(),)
    template_fields: Sequence[str] = ("component",)

    def __init__(self, *, component: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.component = component

    def _steps(self, context: Context) -> list[Step]:
        return looks.planned(context, f"{self.component}.plan")


class LookOperator(TriggererOperator):
    """A task that changes nothing.

    Args:
        component: its name.
        more: other arguments of its act.
        yields: skip while a deploy goes on.
    """

    operator_extra_links = (ComponentLink(),)

    def __init__(
        self, *, component: str, more: Mapping[str, Any] | None = None, yields: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(arguments={"component": component, **(more or {})}, yields=yields, **kwargs)
        self.component = component


class PrepareTargetOperator(DeployerOperator):
    """Make what all components stand on: on Kubernetes the namespaces with their guard rails."""

    def execute(self, context: Context) -> list[str]:
        """What was changed."""
        del context
        changed = current().prepare()
        for change in changed:
            self.log.info("%s", change)
        return changed


class ObserveComponentOperator(LookOperator):
    """Look at what is wanted and what is there; returns the observation, for `plan`."""

    act = staticmethod(looks.observe)


class PlanComponentOperator(LookOperator, BranchOperator):
    """Decide what must change, and with it which of the following tasks run.

    Args:
        component: its name.
        report_only: for the drift report: decide and record; what follows runs whatever was decided.
    """

    act = staticmethod(looks.decide)

    def __init__(self, *, report_only: bool = False, **kwargs: Any) -> None:
        super().__init__(more={"report_only": report_only}, **kwargs)


class FetchArtifactsOperator(ComponentOperator):
    """Download and build what the component runs; needs no other component."""

    def execute(self, context: Context) -> None:
        """Carry out the plan's artifact steps."""
        current().fetch(self.component, [step for step in self._steps(context) if step.kind == "artifact"])


class ApplyComponentOperator(ComponentOperator):
    """Carry out the plan."""

    def execute(self, context: Context) -> None:
        """Carry out the steps in their order."""
        target = current()
        steps = [step for step in self._steps(context) if step.kind != "artifact"]
        if target.stack.components[self.component].component.bootstrap and steps:
            # Restarting Airflow from inside one of its tasks would kill the task.
            raise AirflowFailException(
                f"{self.component} differs from its definition ({'; '.join(map(str, steps))}) and runs this very task"
                " → run: python3 -m bootstrap up"
            )
        for step in steps:
            self.log.info("%s", step)
        target.apply(self.component, steps)


class WaitComponentOperator(LookOperator):
    """Wait until the component takes requests."""

    act = staticmethod(looks.wait)


class CheckComponentOperator(ComponentOperator):
    """Run all checks of a component and keep the results.

    Args:
        component: its name.
        reason: deploy or health; kept with the results.
        only_deployed: skip a component that was never deployed, or while a deploy goes on.
    """

    def __init__(self, *, reason: str, only_deployed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = reason
        self.only_deployed = only_deployed

    def execute(self, context: Context) -> list[str]:
        """One line a check; fails when a check failed."""
        if self.only_deployed:
            skip_during_deploy(context)
        target = current()
        # A stopped server is deployed and broken; an absent one was never deployed.
        if self.only_deployed and target.condition(self.component) == "absent":
            raise AirflowSkipException(f"{self.component} is not deployed yet")
        results = lifecycle.verify(target, self.component, self.reason)
        lines = [_line(result) for result in results]
        for line in lines:
            self.log.info("%s", line)
        try:
            lifecycle.require_passed(results)
        except PlatformError as error:
            if self.only_deployed:  # a deploy may have begun in the middle of the checks
                skip_during_deploy(context)
            raise AirflowFailException(str(error)) from None
        return lines


def _line(result: CheckResult) -> str:
    return f"{result.status}: {result.name} ({result.seconds:.2f} s): {result.evidence}"
