"""The engine of claims: what a provider makes is asked of the kinds, and nothing else is known of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.stack.claim import Claimed, Place
from data_platform.stack.kinds import KINDS
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource, Seen, Step, plan
from data_platform.targets import claims
from data_platform.targets.local import ports
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tiny

MADE = ("database", "bucket", "s3_user")
Looks = dict[str, Callable[[Sequence[Claimed]], list[Seen]]]


class Kinds:
    """The kinds with their servers pretended.

    Attributes:
        asked: provider, and what it was asked about, by kind.
        done: verb, provider and name of each act.
        looks: what is seen of a kind, where it is not just all that was claimed.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, str, list[str]]] = []
        self.done: list[tuple[str, str, str]] = []
        self.looks: Looks = {}
        for kind in MADE:
            monkeypatch.setattr(KINDS[kind], "observe", self._observe(kind))
            monkeypatch.setattr(KINDS[kind], "make", self._make)
        monkeypatch.setattr(KINDS["s3_user"], "remove", self._remove)

    def _observe(self, kind: str) -> object:
        def observe(_place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
            self.asked.append((provider, kind, [each.name for each in claimed]))
            all_of_it = [Seen(kind="claim", name=each.resource, digest=each.digest) for each in claimed]
            return self.looks[kind](claimed) if kind in self.looks else all_of_it

        return observe

    def _make(self, _place: Place, provider: str, claimed: Claimed) -> None:
        self.done.append(("make", provider, f"{claimed.resource} of {claimed.holder}"))

    def _remove(self, _place: Place, provider: str, name: str) -> None:
        self.done.append(("remove", provider, name))


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Kinds:
    return Kinds(monkeypatch)


@pytest.fixture
def place(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    monkeypatch.setenv("DATA_PLATFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)
    made = LocalTarget(load_stack(tiny.root), State(tmp_path / "state"))
    made.ensure_credentials()
    return made


def again(place: LocalTarget, profile: str = "default") -> LocalTarget:
    """The same platform after a change of its files, with credentials for those who are new."""
    made = LocalTarget(load_stack(place.stack.root, profile), place.state)
    made.ensure_credentials()
    return made


def step(verb: str, name: str) -> Step:
    return Step(verb=verb, kind="claim", name=name, reason="any")


def test_a_provider_wants_what_was_claimed_of_it_data_first(place: LocalTarget) -> None:
    wanted = claims.wanted(place, "minio")
    assert [(each.kind, each.name) for each in wanted] == [
        ("claim", name)
        for name in ("bucket results", "bucket raw", "s3_user reader", "s3_user pipelines", "s3_user checks")
    ]
    assert [each.name for each in claims.wanted(place, "postgresql")] == ["database reader", "database checks"]
    assert claims.wanted(place, "portal") == []


def test_what_is_served_by_configuration_is_no_resource_and_nobody_is_asked(place: LocalTarget, kinds: Kinds) -> None:
    assert claims.wanted(place, "reader") == []
    assert claims.observe(place, "reader") == []
    weeds = again(place, "weeds")
    assert [each.name for each in claims.wanted(weeds, "weeds")] == ["bucket results", "bucket raw"]
    assert [each.name for each in claims.observe(weeds, "weeds")] == ["bucket results", "bucket raw"]
    assert [(provider, kind) for provider, kind, _ in kinds.asked] == [("weeds", "bucket")]


def test_each_kind_is_asked_once_about_all_of_it_that_the_provider_makes(place: LocalTarget, kinds: Kinds) -> None:
    assert plan(claims.wanted(place, "minio"), claims.observe(place, "minio")) == []
    assert kinds.asked == [
        ("minio", "bucket", ["results", "raw"]),
        ("minio", "s3_user", ["reader", "pipelines", "checks"]),
    ]


def test_a_kind_that_nobody_claims_any_more_is_asked_for_what_is_left_over(
    tiny: Tiny, place: LocalTarget, kinds: Kinds
) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].pop())
    for name in ("pipelines", "checks"):
        tiny.edit(tiny.stack_file, lambda c, name=name: c["identities"].pop(name))  # type: ignore[misc]
    kinds.looks["s3_user"] = lambda _: [Seen(kind="claim", name="s3_user old")]
    bare = again(place)
    assert [str(each) for each in plan(claims.wanted(bare, "minio"), claims.observe(bare, "minio"))] == [
        "revoke s3_user old: the component does not declare it"
    ]
    assert ("minio", "s3_user", []) in kinds.asked


@pytest.mark.parametrize("verb", ["make", "change"])
def test_a_step_is_carried_out_by_its_kind_for_the_holder(place: LocalTarget, kinds: Kinds, verb: str) -> None:
    claims.carry_out(place, "minio", step(verb, "bucket raw"))
    claims.carry_out(place, "minio", step(verb, "s3_user checks"))
    claims.carry_out(place, "postgresql", step(verb, "database checks"))
    assert kinds.done == [
        ("make", "minio", "bucket raw of pipelines"),
        ("make", "minio", "s3_user checks of checks"),
        ("make", "postgresql", "database checks of checks"),
    ]


def test_what_nobody_claims_is_removed_by_its_name(place: LocalTarget, kinds: Kinds) -> None:
    claims.carry_out(place, "minio", step("revoke", "s3_user old"))
    assert kinds.done == [("remove", "minio", "old")]


def test_data_is_there_when_all_of_it_is_seen_by_its_providers(place: LocalTarget, kinds: Kinds) -> None:
    assert claims.has_its_data(place, "reader")
    assert sorted(kinds.asked) == [("minio", "bucket", ["results"]), ("postgresql", "database", ["reader"])]


@pytest.mark.parametrize("kind", ["database", "bucket"])
def test_data_of_which_a_part_is_gone_is_not_there(place: LocalTarget, kinds: Kinds, kind: str) -> None:
    kinds.looks[kind] = lambda _: []
    assert not claims.has_its_data(place, "reader")


@pytest.mark.parametrize("kind", ["database", "bucket"])
def test_data_of_a_server_that_does_not_answer_is_not_said_to_be_gone(
    place: LocalTarget, kinds: Kinds, kind: str
) -> None:
    kinds.looks[kind] = lambda claimed: [
        Seen(kind="claim", name=each.resource, healthy=False, note="it does not answer") for each in claimed
    ]
    assert claims.has_its_data(place, "reader")


def test_a_component_that_has_claimed_no_data_lacks_none_and_nobody_is_asked(place: LocalTarget, kinds: Kinds) -> None:
    assert claims.has_its_data(place, "portal")
    assert kinds.asked == []


# --- whose plan it is -----------------------------------------------------------------------------------------------


Definitions = dict[str, set[Resource]]


def definitions(place: LocalTarget) -> Definitions:
    return {name: set(place.wanted(name)) for name in place.stack.components}


def changed(before: Definitions, place: LocalTarget) -> dict[str, set[str]]:
    """Names of what is wanted anew or otherwise, by component."""
    after = definitions(place)
    assert after.keys() == before.keys()
    return {name: {each.name for each in after[name] - before[name]} for name in after if after[name] != before[name]}


Added = tuple[dict[str, Any], dict[str, set[str]]]
ADDED: dict[str, Added] = {
    # Who lists it in a file begins anew by it.
    "token": ({"kind": "token", "of": "reader"}, {"reader": {"tokens.json", "prepare", "announce", "server"}}),
    "database": ({"kind": "database", "name": "more"}, {"postgresql": {"database more"}}),
    "bucket": ({"kind": "bucket", "name": "more"}, {"minio": {"bucket more"}}),
}


@pytest.mark.parametrize("kind", sorted(ADDED))
def test_a_claim_that_was_added_changes_the_plan_of_its_provider_alone(
    tiny: Tiny, place: LocalTarget, kind: str
) -> None:
    claim, expected = ADDED[kind]
    before = definitions(place)
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"]["claims"].append(claim))
    assert changed(before, again(place)) == expected


@pytest.mark.parametrize(
    ("profile", "expected"), [("default", {"minio": {"s3_user portal"}}), ("weeds", {"weeds": {"users.json"}})]
)
def test_a_user_that_was_added_changes_the_plan_of_the_store_alone(
    tiny: Tiny, place: LocalTarget, profile: str, expected: dict[str, set[str]]
) -> None:
    before = definitions(again(place, profile))
    user = {"kind": "s3_user", "buckets": {"raw": "read"}}
    tiny.edit(tiny.component("portal"), lambda c: c["claims"].append(user))
    assert changed(before, again(place, profile)) == expected


def test_a_dataset_that_was_added_is_claimed_of_the_provider_alone(tiny: Tiny, place: LocalTarget) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].update(each_dataset=["database"]))
    before = definitions(again(place))
    tiny.dataset("rates")
    assert changed(before, again(place)) == {"postgresql": {"database rates"}}
