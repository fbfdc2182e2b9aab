"""The lifecycle of a component as Airflow tasks: observe, plan, fetch, apply, wait, verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from data_platform.operators import lease, looks
from data_platform.operators.links import ComponentLink
from data_platform.operators.pods import DeployerOperator
from data_platform.operators.triggerer import BranchOperator, TriggererOperator
from data_platform.stack.plan import Step
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context


class ComponentOperator(DeployerOperator):
    """A task that changes one component, in the deployer's pod; links to the component's own page.

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
    """A task about one component that needs no pod.

    Args:
        component: its name.
        more: other arguments of its act.
        yields: skip while somebody holds the platform's lease.
    """

    operator_extra_links = (ComponentLink(),)

    def __init__(
        self, *, component: str, more: Mapping[str, Any] | None = None, yields: bool = False, **kwargs: Any
    ) -> None:
        arguments = {"component": component, **(more or {})}
        super().__init__(arguments=arguments, yields=yields, about=component, **kwargs)
        self.component = component


class PrepareTargetOperator(TriggererOperator):
    """Take the platform's lease, and make what all components stand on: on Kubernetes the namespaces with their guard
    rails.
    """

    act = staticmethod(looks.prepare)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(arguments={}, **kwargs)


class ReleaseLeaseOperator(TriggererOperator):
    """Give the platform's lease back when all is over, whatever became of it."""

    act = staticmethod(lease.release)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(arguments={}, **kwargs)


class CheckLeaseOperator(TriggererOperator):
    """Fail when somebody has held the platform's lease for too long."""

    act = staticmethod(lease.require_not_held_too_long)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(arguments={}, **kwargs)


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
        target = current()
        with lease.held(target, context, looks.PURPOSE):
            target.fetch(self.component, [step for step in self._steps(context) if step.kind == "artifact"])


class ApplyComponentOperator(ComponentOperator):
    """Carry out the plan."""

    def execute(self, context: Context) -> None:
        """Carry out the steps in their order."""
        target = current()
        steps = [step for step in self._steps(context) if step.kind != "artifact"]
        # Restarting Airflow, or its database, from inside one of its tasks would kill the task.
        hard = [step for step in steps if step.kind != "claim"]
        if target.stack.components[self.component].component.bootstrap and hard:
            raise AirflowFailException(
                f"{self.component} differs from its definition ({'; '.join(map(str, hard))}) and runs this very task"
                " → run: python3 -m bootstrap up"
            )
        for step in steps:
            self.log.info("%s", step)
        with lease.held(target, context, looks.PURPOSE):
            target.apply(self.component, steps)


class WaitComponentOperator(LookOperator):
    """Wait until the component takes requests."""

    act = staticmethod(looks.wait)


class CheckComponentOperator(LookOperator):
    """Run all checks of a component and keep the results.

    Args:
        component: its name.
        reason: deploy or health; kept with the results.
        only_deployed: skip a component that was never deployed, or while somebody changes the platform.
    """

    act = staticmethod(looks.verify)

    def __init__(self, *, reason: str, only_deployed: bool = False, **kwargs: Any) -> None:
        more = {"reason": reason, "only_deployed": only_deployed}
        super().__init__(more=more, yields=only_deployed, **kwargs)
