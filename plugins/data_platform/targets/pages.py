"""Pages that a person opens."""

from __future__ import annotations

from data_platform.targets.base import Target


def page_of(target: Target, component: str) -> str:
    """Address of a component's own page; empty where it has none."""
    for name, endpoint in target.stack.components[component].component.endpoints.items():
        if endpoint.path:
            return f"{target.public_url(component, name)}{endpoint.path}"
    return ""
