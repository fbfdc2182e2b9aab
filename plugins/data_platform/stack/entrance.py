"""What people's entrance lets through: an ingress, a gateway, a proxy. Pure; an entrance is rendered from it."""

from __future__ import annotations

from typing import NamedTuple

from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack


class Route(NamedTuple):
    """What people reach of a component.

    Attributes:
        host: DNS name by which they do.
        component: which is also the name of its Service.
        endpoint: of the component.
        scheme: how the entrance speaks to it, http or https; people always speak https to the entrance.
        port: as the component prefers it.
        page: where the entrance leads who asks for nothing.
        opens: paths that it lets through; one that ends with `/*` stands for all below it.
        closes: paths among these that it does not.
    """

    host: str
    component: str
    endpoint: str
    scheme: str
    port: int
    page: str
    opens: tuple[str, ...]
    closes: tuple[str, ...]


def host(component: str, domain: str) -> str:
    """DNS name of a component's page."""
    return f"{component}.{domain}"


def page_endpoint(stack: Stack, component: str) -> str:
    """The endpoint of a component that people open, of which there is one at most; empty where there is none."""
    endpoints = stack.components[stack.resolve(component)].component.endpoints
    return next((name for name, spec in endpoints.items() if "people" in spec.audience), "")


def routes(stack: Stack, domain: str) -> list[Route]:
    """All that an entrance lets through, by component.

    Args:
        stack: the platform.
        domain: DNS domain below which people reach the components.
    """
    found = []
    for name, item in stack.components.items():
        if endpoint := page_endpoint(stack, name):
            spec = item.component.endpoints[endpoint]
            to = (name, endpoint, spec.scheme, spec.port)
            found.append(Route(host(name, domain), *to, spec.path, spec.opened, spec.closes))
    return sorted(found)


def refuse_strangers(stack: Stack, component: str, endpoint: str) -> None:
    """An endpoint that is not for people has no address for them.

    Raises:
        PlatformError: there is no such endpoint, or it is for others.
    """
    name = stack.resolve(component)
    if endpoint != page_endpoint(stack, name):
        raise PlatformError(
            f"{name}.{endpoint} is no page that people open",
            "name the endpoint with `people` in its audience, or say so in its component.yaml",
        )
