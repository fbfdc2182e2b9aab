"""Links from a task to the component that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class ComponentLink(BaseOperatorLink):
    """The component's own page; the Airflow UI for a component without one."""

    name = "Component"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Address of the page. Called where the task runs, so the target is known."""
        del ti_key
        from data_platform.targets.current import current
        from data_platform.targets.pages import page_of

        return page_of(current(), str(getattr(operator, "component", ""))) or "/"
