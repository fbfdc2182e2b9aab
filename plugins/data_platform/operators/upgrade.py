"""Roll one component to its definition, and back when its checks do not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from data_platform import lifecycle
from data_platform.operators.lease import held
from data_platform.operators.pods import DeployerOperator
from data_platform.stack.errors import PlatformError
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Run parameter: which component.
COMPONENT = "component"


class UpgradeOperator(DeployerOperator):
    """A task about the component that the run's parameter names."""

    def component(self, context: Context) -> str:
        """Its name.

        Raises:
            AirflowFailException: there is none of that name, or the bootstrap owns it.
        """
        try:
            target = current()
            name = target.stack.resolve(str(context["params"][COMPONENT]))
        except PlatformError as error:
            raise AirflowFailException(str(error)) from None
        if target.stack.components[name].component.bootstrap:
            raise AirflowFailException(f"{name} runs this very task → run: python3 -m bootstrap up")
        return name


class CheckBeforeOperator(UpgradeOperator):
    """Only what works is upgraded: otherwise nobody could say what broke it."""

    def execute(self, context: Context) -> dict[str, Any]:
        """The component and the revision to which a failed upgrade goes back."""
        name, target = self.component(context), current()
        with held(target, context, f"upgrade {name}"):
            try:
                lifecycle.require_passed(lifecycle.verify(target, name, "upgrade"))
            except PlatformError as error:
                raise AirflowFailException(f"{error}\n→ stack_deploy mends it; upgrade it then") from None
            return {"component": name, "revision": target.revision(name)}


class RollOutOperator(UpgradeOperator):
    """Bring the component to its definition and wait until it takes requests."""

    def execute(self, context: Context) -> list[str]:
        """The steps that were carried out; none when it was there already."""
        name, target = self.component(context), current()
        steps = lifecycle.observe(target, name).steps
        for step in steps:
            self.log.info("%s", step)
        with held(target, context, f"upgrade {name}"):
            target.fetch(name, [step for step in steps if step.kind == "artifact"])
            target.apply(name, [step for step in steps if step.kind != "artifact"])
            target.wait(name)
        return [str(step) for step in steps]


class CheckAfterOperator(UpgradeOperator):
    """Run the component's checks on what was rolled out."""

    def execute(self, context: Context) -> list[str]:
        """One line a check."""
        name, target = self.component(context), current()
        with held(target, context, f"upgrade {name}"):
            results = lifecycle.verify(target, name, "upgrade")
        lifecycle.require_passed(results)
        return [f"{result.status}: {result.name}: {result.evidence}" for result in results]


class RollBackOperator(UpgradeOperator):
    """Bring the earlier revision back and check it; the run stays red, because the upgrade failed.

    Args:
        before: id of the task that remembered the revision.
    """

    def __init__(self, *, before: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before = before

    def execute(self, context: Context) -> None:
        """Fails always; its message says whether the component works again."""
        known = context["ti"].xcom_pull(task_ids=self.before)
        if not known:
            raise AirflowFailException("nothing was upgraded, so nothing is rolled back")
        name, revision, target = known["component"], known["revision"], current()
        try:
            with held(target, context, f"roll {name} back"):
                target.restore(name, revision)
                target.wait(name)
                lifecycle.require_passed(lifecycle.verify(target, name, "upgrade"))
        except PlatformError as error:
            raise AirflowFailException(f"the upgrade of {name} failed, and so did the way back: {error}") from None
        raise AirflowFailException(
            f"the upgrade of {name} failed; revision {revision} is back and its checks pass → read the log of"
            " roll_out and check_after, correct the definition, then trigger stack_upgrade again"
        )
