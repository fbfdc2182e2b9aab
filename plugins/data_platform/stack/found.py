"""Kinds of things that are modules of a package: found by their names, so that no list of them has to be kept."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated, Any, TypeVar, Union

from pydantic import Field

from data_platform.stack.terms import Strict

M = TypeVar("M", bound=Strict)


def models(package: str, base: type[M]) -> dict[str, type[M]]:
    """The one model over `base` that each module of a package has, by the module's name.

    Args:
        package: name of the package.
        base: what all of them are.
    """
    found = {}
    for entry in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{entry.name}")
        (model,) = (
            thing
            for thing in vars(module).values()
            if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == module.__name__
        )
        found[entry.name] = model
    return found


def any_of(kinds: dict[str, type[M]]) -> Any:
    """Type of an entry in a YAML file: its `kind` says which of the models it is."""
    # One alone is no union for pydantic; its own `kind` says as well what it must be.
    one_of = tuple(kinds.values())
    return one_of[0] if len(one_of) == 1 else Annotated[Union[one_of], Field(discriminator="kind")]  # noqa: UP007 - of a tuple
