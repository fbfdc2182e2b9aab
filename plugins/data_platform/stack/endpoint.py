"""Addresses that a component listens on: how clients speak to them, and for whom they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from data_platform.stack.terms import Strict

#: For whom an endpoint is.
Audience = Literal["people", "components", "operators"]
#: Ends a path that stands for all below it.
ALL_BELOW = "/*"
#: A path (`/entity`), or all below one (`/ui/*`).
PagePath = Annotated[str, StringConstraints(pattern=r"^/([^*?#\s]*|([^*?#\s]*/)?\*)$")]


class Endpoint(Strict):
    """One address that a component listens on."""

    port: int = Field(ge=1024, le=65535, description="Preferred port; `local` takes the next free one if it is taken.")
    scheme: Literal["http", "https", "tcp"] = Field(
        "http", description="How clients speak to it. The server of https has a certificate that they can verify."
    )
    audience: frozenset[Audience] = Field(
        frozenset({"components"}),
        min_length=1,
        description="Who may call it: people, by the entrance and only what it `opens`; components that say so"
        " (`calls`); operators alone. What deploys and checks calls all.",
    )
    path: str = Field("", description="Path of the page that a person opens; empty for an API only.")
    opens: tuple[PagePath, ...] = Field(
        (),
        description="Paths to which the entrance lets people through; one that ends with `/*` stands for all below it."
        " All below `path` where none is given.",
    )
    closes: tuple[PagePath, ...] = Field((), description="Of these, the paths to which it does not: an API beside it.")

    @property
    def opened(self) -> tuple[str, ...]:
        """Paths to which the entrance lets people through, but for `closes`; none where it is not for people."""
        if "people" not in self.audience:
            return ()
        below = self.path.rstrip("/") + ALL_BELOW
        return self.opens or ((below,) if self.path.endswith("/") else (self.path, below))

    @model_validator(mode="after")
    def _people_open_a_page(self) -> Self:
        if "people" in self.audience and not (self.path.startswith("/") and self.scheme in ("http", "https")):
            raise ValueError("what people open is a page: give its path, and the scheme http or https")
        if self.path and not self.audience & {"people", "operators"}:
            raise ValueError("a page is for people or operators: say so in audience, or take the path out")
        if "people" not in self.audience:
            if self.opens or self.closes:
                raise ValueError("opens and closes are about people: say so in audience, or take them out")
            return self
        if not is_among(self.path, self.opened, self.closes):
            raise ValueError(f"people cannot open the page {self.path}: add it to opens, or take it out of closes")
        if strange := [path for path in self.closes if not is_among(path, self.opened)]:
            raise ValueError(f"closes names {', '.join(strange)}, which is not among what it opens")
        return self


def is_among(path: str, opened: Iterable[str], closed: Iterable[str] = ()) -> bool:
    """Whether the entrance lets people through to a path.

    Args:
        path: what is asked for.
        opened: see `Endpoint.opened`.
        closed: see `Endpoint.closes`, which win.
    """

    def fits(one: str) -> bool:
        return path == one or (one.endswith(ALL_BELOW) and path.startswith(one.removesuffix("*")))

    return any(fits(one) for one in opened) and not any(fits(one) for one in closed)
