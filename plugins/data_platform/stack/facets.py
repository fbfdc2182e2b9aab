"""Every facet there is: the modules of `data_platform.facets`, found by their names, as keys of YAML files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from data_platform.stack.facet import Facet
from data_platform.stack.found import any_of, models
from data_platform.stack.terms import Strict

# Not beside `Facet`: one that is imported first would be looked for while it is only begun.
FACETS: dict[str, type[Facet]] = models("data_platform.facets", Facet)


class _Faceted(Strict):
    @property
    def facets(self) -> dict[str, Facet]:
        """The facets that it has, by name."""
        return {name: side for name in FACETS if (side := getattr(self, name)) is not None}

    def has_trait(self, facet: str) -> bool:
        """Whether it works with that side of all components."""
        return bool(getattr(self, FACETS[facet].trait, False))


def _keys(*, of_target: bool) -> dict[str, Any]:
    """Fields of a model: a key for each facet, and one for each trait. A target's file may only say another one."""
    found: dict[str, Any] = {}
    for name, facet in FACETS.items():
        entry = any_of(models(facet.kinds, facet)) if facet.kinds else facet
        told = (facet.__doc__ or "").partition("\n")[0]
        optional = of_target or not facet.required
        found[name] = (entry | None, Field(None, description=told)) if optional else (entry, Field(description=told))
        if facet.trait and not of_target:
            found[facet.trait] = (bool, Field(False, description=facet.trait_says))
    return found


if TYPE_CHECKING:
    Faceted = _Faceted
    FacetedTarget = _Faceted
else:
    #: Base of component.yaml.
    Faceted = create_model("Faceted", __base__=_Faceted, **_keys(of_target=False))
    #: Base of kubernetes.yaml.
    FacetedTarget = create_model("FacetedTarget", __base__=_Faceted, **_keys(of_target=True))
