"""Airflow connections, derived from the components' endpoints and the generated credentials; nobody types them."""

from __future__ import annotations

import json
from typing import Any

from airflow.secrets import BaseSecretsBackend

from data_platform.stack.holders import PIPELINES
from data_platform.stack.stack import Stack
from data_platform.targets.base import Target
from data_platform.targets.current import current


def connection_ids(stack: Stack) -> dict[str, str]:
    """Connection ids and the component behind each: its own name and the capabilities that it stands for."""
    found: dict[str, str] = {}
    for name, item in stack.components.items():
        if item.component.connection is not None:
            aliases = [c for c, provider in stack.capabilities.items() if provider == name]
            found |= {alias.replace("-", "_"): name for alias in (name, *aliases)}
    return found


def describe(target: Target, component: str) -> dict[str, Any]:
    """The connection of a component in Airflow's JSON form, with what pipelines hold. It may hold secrets."""
    connection = target.stack.components[component].component.connection
    if connection is None:
        raise KeyError(component)
    address, own = target.address(component, connection.endpoint), target.credentials(PIPELINES)
    found: dict[str, Any] = {"conn_type": connection.type, "host": address.host, "port": address.port}
    if connection.login:
        found["login"] = own[connection.login]
    if connection.password:
        found["password"] = own[connection.password]
    if connection.db_schema:
        found["schema"] = connection.db_schema
    extra = dict(connection.extra)
    if target.stack.components[component].component.endpoints[connection.endpoint].scheme == "https":
        found |= {"schema": "https"} if connection.type == "http" else {}
        extra |= connection.tls
        extra |= {connection.trust: str(target.authorities)} if target.authorities else {}
    if connection.type == "aws":
        extra["endpoint_url"] = address.url
        del found["host"], found["port"]
    if connection.url_host:
        found["host"] = address.url
        del found["port"]
    if extra:
        found["extra"] = extra
    return found


class PlatformConnections(BaseSecretsBackend):
    """Secrets backend: gives the connections of the platform's components, and no variables."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Connection as JSON, or None where no component has that name (Airflow then looks elsewhere)."""
        del team_name
        target = current()
        component = connection_ids(target.stack).get(conn_id)
        return json.dumps(describe(target, component)) if component else None

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """None: the platform keeps no Airflow variables."""
        del key, team_name
        return None
