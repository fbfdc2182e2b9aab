"""Links from a task to the component that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from data_platform.targets.base import Target


class ComponentLink(BaseOperatorLink):
    """The component's own page; the Airflow UI for a component without one."""

    name = "Component"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Address of the page. Called where the task runs, so the target is known."""
        del ti_key
        from data_platform.targets.current import current

        return page(current(), str(getattr(operator, "component", "")))


def page(target: Target, component: str) -> str:
    """Address of a component's own page, or of Airflow's where it has none."""
    from data_platform.targets.pages import page_of

    return page_of(target, component) or "/"


def left_for(target: Target, component: str) -> dict[str, str]:
    """What a task that ends in the triggerer leaves for its link: Airflow (3.3.2) asks links in workers alone."""
    return {ComponentLink().xcom_key: page(target, component)}
