"""Pages that a person opens."""

from __future__ import annotations

from data_platform.stack.entrance import page_endpoint
from data_platform.targets.base import Target


def page_of(target: Target, component: str) -> str:
    """Address of a component's own page; empty where it has none that people open."""
    endpoint = page_endpoint(target.stack, component)
    if not endpoint:
        return ""
    path = target.stack.components[component].component.endpoints[endpoint].path
    return f"{target.public_url(component, endpoint)}{path}"
