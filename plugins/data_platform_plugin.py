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

    # Airflow reads these lists from the class. Without a route (`url_route`) a page opens in a tab of its own: Airflow
    # shows the others in a frame that lets no link out (sandbox without allow-popups, 3.3.2), and a page of the bucket
    # `reports` in a frame would follow its own links without the login (see pages/reports.py).
    name = "data_platform"
    fastapi_apps = _Pages()
    external_views = [  # noqa: RUF012
        {"name": name, "href": f"{PREFIX}{path}", "destination": "nav", "nav_top_level": True}
        for name, path in (("Platform", "/"), ("Health", "/health"), ("Data", "/data"))
    ]
    operator_extra_links = [ComponentLink()]  # noqa: RUF012
    listeners = lineage.listeners()
