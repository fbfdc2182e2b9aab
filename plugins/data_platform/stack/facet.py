"""One side of a component's operation (metrics, backup), said in its folder and the same on every target: the base.

A facet is a module of `data_platform.facets`, named as its key in `component.yaml`, with one model that says what the
key may hold, what it becomes on each target, and which checks prove it. `kubernetes.yaml` may say another one for that
target. All facets: `data_platform.stack.facets`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from data_platform.stack.terms import Strict, unsaid

if TYPE_CHECKING:
    from data_platform.stack.check import CheckSpec
    from data_platform.stack.claim import Location
    from data_platform.stack.endpoint import Endpoint


class Described(Protocol):
    """What a facet may know of the component that has it, as it is on its target."""

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Addresses that it listens on, by name."""

    @property
    def processes(self) -> Collection[str]:
        """Names of its processes."""


class Facet(Strict):
    """Base of all facets. What a facet has nothing of it leaves as it is here."""

    #: Every component must say it.
    required: ClassVar[bool] = False
    #: Package whose modules are its kinds, each a model over this one; empty where it has one form.
    kinds: ClassVar[str] = ""
    #: Key of component.yaml by which a component says that it works with this side of all components; what that means.
    trait: ClassVar[str] = ""
    trait_says: ClassVar[str] = ""
    #: Binding by which the configuration files of a component with the trait know all of them.
    told_as: ClassVar[str] = ""
    #: On Kubernetes: kinds of objects (API version, kind) that it has where the cluster knows them. A release that was
    #: made before the cluster did is made anew.
    optional_objects: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a facet that lets others call it and tells them nothing.

        Raises:
            TypeError: it says `called` and not `told`.
        """
        super().__pydantic_init_subclass__(**kwargs)
        if unsaid(cls, Facet, ["called", "told"]) == ["told"]:
            raise TypeError(f"{cls.__name__} says `called` and does not say `told`")

    def misfit(self, item: Described) -> str:
        """Why a component cannot have it, with the key; empty when it can."""
        del item
        return ""

    def checks(self) -> tuple[CheckSpec, ...]:
        """What proves it; run with the component's own checks."""
        return ()

    @property
    def called(self) -> str:
        """Endpoint that whoever has the trait may call, whomever else it is for; empty for none."""
        return ""

    def told(self, component: str, place: Location) -> dict[str, Any]:
        """What whoever has the trait is told (`told_as`).

        Args:
            component: whose side it is.
            place: address of the endpoint `called`.
        """
        raise NotImplementedError(f"nobody is told of {type(self).__name__} of {component} at {place.url}")

    def secrets(self) -> dict[str, dict[str, str]]:
        """On Kubernetes: Secrets that its objects refer to, by the end of the name, each with its content."""
        return {}

    def chart(self, item: Described, secrets: Mapping[str, str]) -> dict[str, Any]:
        """On Kubernetes: values of the component's chart.

        Args:
            item: the component.
            secrets: names of the Secrets that it asked for, by the end of the name.
        """
        del item, secrets
        return {}
