"""The flat names that a component sees: its own facts and those of its direct dependencies.

The same names are environment variables of processes and variables of templates, on every target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from data_platform.stack.load import Stack

#: Prefix and names of the credentials of a component's database role.
DATABASE_USER, DATABASE_PASSWORD = "database_user", "database_password"


class Location(Protocol):
    """Address of an endpoint, as `targets` gives it."""

    @property
    def host(self) -> str:
        """Name or number of the machine."""

    @property
    def port(self) -> int:
        """TCP port."""

    @property
    def url(self) -> str:
        """Scheme, host and port."""


def prefix(name: str) -> str:
    """`spark-operator` becomes `SPARK_OPERATOR`."""
    return name.upper().replace("-", "_")


def bindings(
    stack: Stack,
    name: str,
    address: Callable[[str, str], Location],
    credentials: Callable[[str], Mapping[str, str]],
) -> dict[str, str]:
    """All bindings of a component that do not depend on the target.

    Args:
        stack: the platform.
        name: a component.
        address: gives the location of (component, endpoint).
        credentials: gives the fixed and generated credentials of a component.
    """
    found: dict[str, str] = {}
    component = stack.components[name].component
    own_aliases = [name, *(c for c in component.provides if stack.capabilities.get(c) == name)]
    for alias in (*own_aliases, *component.depends_on):
        target = stack.resolve(alias)
        for endpoint in stack.components[target].component.endpoints:
            place = address(target, endpoint)
            stem = f"{prefix(alias)}_{endpoint.upper()}"
            found |= {f"{stem}_HOST": place.host, f"{stem}_PORT": str(place.port), f"{stem}_URL": place.url}
        for key, value in credentials(target).items():
            # A dependency's database role is its own business.
            if target == name or key not in (DATABASE_USER, DATABASE_PASSWORD):
                found[f"{prefix(alias)}_{key.upper()}"] = value
    return found


def credential_names(stack: Stack, name: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Credentials of a component: the fixed ones with their values, and the names of those to generate."""
    component = stack.components[name].component
    fixed, generated = dict(component.credentials), list(component.secrets)
    if component.databases:
        fixed[DATABASE_USER] = name.replace("-", "_")
        generated.append(DATABASE_PASSWORD)
    return fixed, tuple(generated)
