"""Adds the platform's pages to Airflow: components, the last day of checks, datasets and their reports."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from data_platform.hooks import lineage, preload
from data_platform.operators.links import ComponentLink
from data_platform.pages import PREFIX

preload.for_forked_tasks()


class _Pages:
    """Made when they are asked for: all of Airflow's processes load plugins, and the API server alone asks."""

    def __get__(self, plugin: object, owner: type) -> list[dict[str, Any]]:
        from data_platform.pages.app import make_app

        return [{"app": make_app(), "url_prefix": PREFIX, "name": "Data Platform"}]


class DataPlatformPlugin(AirflowPlugin):
    """Found by Airflow because this file lies in its plugins folder."""

    # Airflow reads these lists from the class.
    name = "data_platform"
    fastapi_apps = _Pages()
    external_views = [  # noqa: RUF012
        {
            "name": "Platform",
            "href": f"{PREFIX}/",
            "url_route": "platform",
            "destination": "nav",
            "nav_top_level": True,
        },
        {
            "name": "Health",
            "href": f"{PREFIX}/health",
            "url_route": "platform-health",
            "destination": "nav",
            "nav_top_level": True,
        },
        # Without a route it opens in a tab of its own: Airflow's frames let no link out, and a page of the bucket
        # `reports` in a frame would follow its own links without the login (see pages/reports.py).
        {"name": "Data", "href": f"{PREFIX}/data", "destination": "nav", "nav_top_level": True},
    ]
    operator_extra_links = [ComponentLink()]  # noqa: RUF012
    listeners = lineage.listeners()
