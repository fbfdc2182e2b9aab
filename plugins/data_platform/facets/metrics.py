"""What a component tells of itself in the format of Prometheus or OpenMetrics.

On every target a check proves that the names are served, and a component that `scrapes` may call the endpoint and is
told the address (SCRAPES). On Kubernetes its chart has a ServiceMonitor, where the cluster has the kinds of the
Prometheus Operator.

A server that asks for a password or a token is not described here yet: such a credential belongs to who scrapes, so it
would be a claim on the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from data_platform.stack.check import CheckSpec
from data_platform.stack.facet import Facet
from data_platform.stack.terms import Key, Name, Seconds

if TYPE_CHECKING:
    from data_platform.stack.claim import Location
    from data_platform.stack.facet import Described

#: Ends the name of the Secret with what a scraper logs in with.
_LOGIN = "scraper"
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]


class Metrics(Facet):
    """What it tells of itself in the format of Prometheus or OpenMetrics."""

    endpoint: Key = Field(description="Which of the endpoints serves it. Who scrapes reaches all of that port.")
    path: str = Field("/metrics", pattern="^/", description="Path, and query.")
    user: str = Field(
        "",
        pattern="^[^:]*$",
        description="User name that the server wants, with an empty password (Basic authentication).",
    )
    names: tuple[MetricName, ...] = Field(
        min_length=1,
        description="Samples that must be served, named as a query names them; such as are there from the start on.",
    )
    process: Name | None = Field(
        None,
        description="On Kubernetes: whose pods serve it, where the component's Service stands for another process.",
    )
    within: Seconds = Field(30.0, description="Deadline of the check.")

    trait: ClassVar = "scrapes"
    trait_says: ClassVar = (
        "It scrapes metrics: it may call the endpoint of each component's `metrics`, and its files know"
        " all of them (SCRAPES)."
    )
    told_as: ClassVar = "SCRAPES"
    optional_objects: ClassVar = (("monitoring.coreos.com/v1", "ServiceMonitor"),)

    def misfit(self, item: Described) -> str:
        """See `Facet`."""
        spec = item.endpoints.get(self.endpoint)
        if spec is None:
            there = ", ".join(item.endpoints) or "none"
            return f"endpoint: there is no endpoint {self.endpoint!r}; there is: {there}"
        if spec.scheme not in ("http", "https"):
            return f"endpoint: {self.endpoint!r} does not speak HTTP"
        if self.process is not None and self.process not in item.processes:
            return f"process: there is no process {self.process!r}; there is: {', '.join(item.processes)}"
        return ""

    def checks(self) -> tuple[CheckSpec, ...]:
        """See `Facet`."""
        asked = {"endpoint": self.endpoint, "path": self.path, "user": self.user, "names": self.names}
        said = {"name": "serves-its-metrics", "kind": "metrics", "within": self.within, "with": asked}
        return (CheckSpec.model_validate(said),)

    @property
    def called(self) -> str:
        """See `Facet`."""
        return self.endpoint

    def told(self, component: str, place: Location) -> dict[str, Any]:
        """See `Facet`."""
        return {
            "component": component,
            "url": f"{place.url}{self.path}",
            "scheme": place.url.partition(":")[0],
            "host": place.host,
            "port": place.port,
            "path": self.path,
            "user": self.user,
        }

    def secrets(self) -> dict[str, dict[str, str]]:
        """See `Facet`: the Prometheus Operator takes user and password from a Secret alone, and wants both."""
        return {_LOGIN: {"username": self.user, "password": ""}} if self.user else {}

    def chart(self, item: Described, secrets: Mapping[str, str]) -> dict[str, Any]:
        """See `Facet`."""
        found = {
            "endpoint": self.endpoint,
            "scheme": item.endpoints[self.endpoint].scheme,
            "path": self.path,
            "process": self.process,
            "login": secrets.get(_LOGIN),
        }
        return {"serviceMonitor": {key: value for key, value in found.items() if value is not None}}
