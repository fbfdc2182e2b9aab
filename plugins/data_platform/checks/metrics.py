"""A server tells its metrics, and those that matter are among them."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect


class Params(KindParams):
    """Arguments of the kind. The facet `metrics` of a component gives them; no component.yaml needs to."""

    component: str = Field(description="Component with the endpoint; by default the check's own.")
    endpoint: str = Field(description="One of its endpoints.")
    path: str = Field("/metrics", pattern="^/", description="Path and query.")
    user: str = Field("", description="User name to log in with, and no password; nobody when empty.")
    names: tuple[str, ...] = Field(min_length=1, description="Samples that must be there.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Scrape it as Prometheus does."""
    from data_platform.clients.metrics import MetricsError, scrape

    url = platform.address(params.component, params.endpoint).url.rstrip("/") + params.path
    try:
        with connect.http(platform, deadline.remaining, params.component, params.endpoint) as client:
            found = scrape(client, params.path, params.user)
    except MetricsError as error:
        raise CheckFailed(f"{url}: {error}") from None
    if missing := [name for name in params.names if name not in found]:
        raise CheckFailed(f"{url} serves {len(found)} names, without {', '.join(missing)}")
    return f"{url} serves {found.total()} samples of {len(found)} names, {', '.join(params.names)} among them"
