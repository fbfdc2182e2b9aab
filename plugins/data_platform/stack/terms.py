"""What models of YAML files are made of: names, durations, and their strictness."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")]
CheckName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{5,79}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Strict(BaseModel):
    """Base of all models: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def unsaid(model: type, base: type, names: Iterable[str]) -> list[str]:
    """Which methods a model has from its base alone, in the order of the names."""
    own = model.__mro__[: model.__mro__.index(base)]
    return [name for name in names if not any(name in vars(each) for each in own)]


def _duration(value: object) -> object:
    """Turn `90s`, `2m` or `1h` into seconds; other values are left to the field's own validation."""
    if isinstance(value, str):
        if not (match := _DURATION.match(value)):
            raise ValueError(f"{value!r} is not a duration; write for example 90s, 2m or 1h")
        return float(match[1]) * _UNITS[match[2]]
    return value


#: Seconds; in YAML a number, or a duration such as 90s.
Seconds = Annotated[
    PositiveFloat,
    BeforeValidator(_duration, json_schema_input_type=PositiveFloat | Annotated[str, Field(pattern=_DURATION.pattern)]),
]
