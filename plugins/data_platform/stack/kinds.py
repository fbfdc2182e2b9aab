"""Every kind of claim there is: the modules of `data_platform.claims`, found by their names."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from data_platform.stack.claim import Claim

_PACKAGE = "data_platform.claims"


def _found() -> dict[str, type[Claim]]:
    package = importlib.import_module(_PACKAGE)
    found = {}
    for entry in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{_PACKAGE}.{entry.name}")
        (model,) = (
            thing
            for thing in vars(module).values()
            if isinstance(thing, type) and issubclass(thing, Claim) and thing.__module__ == module.__name__
        )
        found[entry.name] = model
    return found


# Not beside `Claim`: a kind that is imported first would be looked for while it is only begun.
KINDS: dict[str, type[Claim]] = _found()

if TYPE_CHECKING:
    ClaimEntry = Claim
else:
    #: A claim in a YAML file: its kind says which model it is.
    ClaimEntry = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007 - of a tuple
