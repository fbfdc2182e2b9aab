"""What all kinds of claims have in common, and what one need not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from data_platform.stack.claim import CONFIGURATION, Claim, Claimed, Place, digest_of, resource_name
from data_platform.stack.kinds import KINDS

if TYPE_CHECKING:
    from data_platform.stack.plan import Seen

NOWHERE = cast(Place, None)


class Share(Claim):
    """A kind that says what it must."""

    kind: Literal["share"] = "share"
    size: int = 1

    ways = ("post",)

    @property
    def provider(self) -> str:
        return "files"

    def made(self, holder: str) -> str:
        return f"of-{holder}"

    def definition(self, holder: str) -> object:
        return {"size": self.size, "owner": holder}

    @classmethod
    def observe(cls, place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        del place, provider, claimed
        return []

    @classmethod
    def make(cls, place: Place, provider: str, claimed: Claimed) -> None:
        del place, provider, claimed

    @classmethod
    def remove(cls, place: Place, provider: str, name: str) -> None:
        del place, provider, name


def test_what_was_claimed_is_called_by_its_kind_and_its_name() -> None:
    each = Claimed("portal", Share())
    assert (each.name, each.resource) == ("of-portal", "share of-portal")
    assert resource_name("database", "nessie") == "database nessie"


def test_its_digest_is_of_its_definition_and_whose_it_is() -> None:
    one = Claimed("portal", Share())
    assert one.digest == Claimed("portal", Share(size=1)).digest
    assert one.digest != Claimed("portal", Share(size=2)).digest
    assert one.digest != Claimed("reader", Share()).digest


def test_a_digest_does_not_depend_on_the_order_of_keys_or_on_tuples() -> None:
    assert digest_of({"a": (1, 2), "b": 1}) == digest_of({"b": 1, "a": [1, 2]})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})


def test_a_kind_that_says_no_more_is_no_data_has_no_credentials_and_is_about_nothing() -> None:
    claim = Share()
    assert not Share.keeps
    assert not Share.of_holder
    assert (Share.listed_as, Share.shown_as, dict(Share.kept)) == ("", "", {})
    assert (claim.about(), claim.fixed("portal"), claim.generated) == ((), {}, ())


class Listed(Share):
    """A kind that is served by its provider's configuration."""

    ways = (CONFIGURATION,)

    def entry(self, holder: str, credentials: Mapping[str, str]) -> dict[str, Any]:
        return {"owner": holder, **credentials}


@pytest.mark.parametrize(
    ("ways", "keeps", "missing"),
    [
        (("post",), False, "observe, make, remove"),
        (("post",), True, "observe, make"),
        ((CONFIGURATION,), False, "entry"),
        (("post", CONFIGURATION), False, "entry, observe, make, remove"),
    ],
)
def test_a_kind_says_what_its_ways_need(ways: tuple[str, ...], keeps: bool, missing: str) -> None:
    said = {"__module__": __name__, "ways": ways, "keeps": keeps}
    with pytest.raises(TypeError, match=f"Gift is served by {', '.join(ways)} and does not say {missing}$"):
        type(Claim)("Gift", (Claim,), said)


def test_what_no_way_of_a_kind_needs_is_an_error_that_names_it() -> None:
    with pytest.raises(NotImplementedError, match="share is not served by configuration"):
        Share().entry("portal", {})


def overrides(kind: type[Claim], name: str) -> bool:
    """Whether a kind says something of its own."""
    mine, base = cast(Any, getattr(kind, name)), cast(Any, getattr(Claim, name))
    return bool(getattr(mine, "__func__", mine) is not getattr(base, "__func__", base))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_what_its_ways_ask_for(kind: str) -> None:
    model = KINDS[kind]
    assert model.ways
    configured, made = CONFIGURATION in model.ways, set(model.ways) - {CONFIGURATION}
    # Configured: its binding and an entry. By a way of its own: a look and a step; data is never removed.
    assert (bool(model.listed_as), overrides(model, "entry")) == (configured, configured)
    for verb in ("observe", "make"):
        assert overrides(model, verb) == bool(made), verb
    assert overrides(model, "remove") == (bool(made) and not model.keeps)
    assert set(model.kept) <= set(model.ways)


def test_no_two_kinds_share_a_binding() -> None:
    names = [name for kind in KINDS.values() for name in (kind.listed_as, kind.shown_as) if name]
    assert len(names) >= 3
    assert len(set(names)) == len(names)
