"""What does not fit together in the files of a stack is one error that names the file and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import names_of
from data_platform.stack.load import KUBERNETES, load_stack
from tests.unit.stack.conftest import refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny

Change = Callable[[dict[str, Any]], object]
#: Where the claims of the small stack are in their lists.
DATABASE, BUCKET, USER = range(3)

# What is changed in the claims of the reader, and what the error must say besides the file.
BROKEN_COMPONENT: dict[str, tuple[Change, tuple[str, ...]]] = {
    "of_a_kind_that_its_provider_does_not_serve": (
        lambda c: c["claims"].append({"kind": "token", "of": "postgresql"}),
        ("claims: 'postgresql' serves no claim of the kind token", "(serves)"),
    ),
    "of_nobody": (
        lambda c: c["claims"].append({"kind": "token", "of": "kafka"}),
        ("claims names 'kafka', which is no component of the profile", "correct the name"),
    ),
    "about_an_unknown_bucket": (
        lambda c: c["claims"][USER]["buckets"].update(attic="read"),
        ("claims: there is no bucket attic", "claim it, or use one of: raw, results"),
    ),
    "made_twice": (
        lambda c: c["claims"].append(dict(c["claims"][DATABASE])),
        ("claims: database reader is claimed twice, by reader and by reader", "take out one"),
    ),
    "made_twice_in_different_words": (
        lambda c: c["claims"].append({"kind": "database", "name": "reader", "schemas": ["more"]}),
        ("claims: database reader is claimed twice",),
    ),
    "of_two_users": (
        lambda c: c["claims"].append({"kind": "s3_user", "buckets": {"raw": "read"}}),
        ("claims: s3_user reader is claimed twice",),
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN_COMPONENT))
def test_a_claim_of_a_component_that_nobody_can_serve_is_named(tiny: Tiny, case: str) -> None:
    change, said = BROKEN_COMPONENT[case]
    tiny.edit(tiny.component("reader"), change)
    error = refusal(tiny)
    assert str(tiny.component("reader")) in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


# The same for an identity.
BROKEN_IDENTITY: dict[str, tuple[Change, tuple[str, ...]]] = {
    "of_an_unknown_component": (
        lambda c: c.update(component="kafka"),
        ("identities.pipelines: there is no component 'kafka'", "correct the name"),
    ),
    "of_a_kind_that_its_provider_does_not_serve": (
        lambda c: c["claims"].append({"kind": "token", "of": "minio"}),
        ("identities.pipelines: claims: 'minio' serves no claim of the kind token",),
    ),
    "about_an_unknown_bucket": (
        lambda c: c["claims"][1].update(buckets={"attic": "add"}),
        ("identities.pipelines: claims: there is no bucket attic", "use one of: raw, results"),
    ),
    "that_a_component_has_made": (
        lambda c: c["claims"].append({"kind": "bucket", "name": "results"}),
        ("identities.pipelines: claims: bucket results is claimed twice, by reader and by pipelines", "another name"),
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN_IDENTITY))
def test_a_claim_of_an_identity_that_nobody_can_serve_is_named(tiny: Tiny, case: str) -> None:
    change, said = BROKEN_IDENTITY[case]
    tiny.edit(tiny.stack_file, lambda c: change(c["identities"]["pipelines"]))
    error = refusal(tiny)
    assert "stack.yaml" in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


def test_the_file_that_is_named_is_the_one_of_the_later_claim(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c["claims"].append({"kind": "database", "name": "reader"}))
    error = refusal(tiny)
    assert str(tiny.component("portal")) in error.problem
    assert "database reader is claimed twice, by reader and by portal" in error.problem


def test_two_kinds_of_one_name_and_tokens_of_two_servers_are_no_twins(tiny: Tiny) -> None:
    more = [{"kind": "database", "name": "raw"}, {"kind": "bucket", "name": "reader"}]
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].extend(more))
    tiny.edit(tiny.component("postgresql"), lambda c: c["serves"].update(token="configuration"))
    tiny.edit(tiny.component("portal"), lambda c: c["claims"].append({"kind": "token", "of": "postgresql"}))
    assert list(load_stack(tiny.root).components) == ["minio", "postgresql", "reader", "portal"]


def test_what_an_identity_has_for_a_dataset_may_be_nobody_elses(tiny: Tiny) -> None:
    tiny.dataset("rates")
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].update(each_dataset=["database"]))
    assert "rates" in names_of(load_stack(tiny.root), "database")
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].append({"kind": "database", "name": "rates"}))
    assert "database rates is claimed twice, by reader and by checks" in refusal(tiny).problem


def test_a_bucket_of_another_profile_may_be_named(tiny: Tiny) -> None:
    # `bare` has neither the reader nor the portal, so nobody makes the buckets; that checks may read them does no harm.
    stack = load_stack(tiny.root, "bare")
    assert names_of(stack, "bucket") == []
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].pop(BUCKET))
    assert "there is no bucket results" in refusal(tiny, "bare").problem


def test_an_identity_named_like_a_component_is_refused(tiny: Tiny) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["identities"].update(reader=c["identities"].pop("checks")))
    error = refusal(tiny)
    assert "stack.yaml: identities: reader is the name of a component too" in error.problem
    assert error.remedy == "give it another name"


def test_a_store_that_serves_no_users_is_refused_where_it_is_chosen(tiny: Tiny) -> None:
    tiny.edit(tiny.component("weeds"), lambda c: c["serves"].pop("s3_user"))
    assert load_stack(tiny.root).resolve("s3") == "minio"
    assert "'s3' serves no claim of the kind s3_user" in refusal(tiny, "weeds").problem


def test_what_an_identity_claims_is_asked_only_where_its_component_takes_part(tiny: Tiny) -> None:
    # `bare` has neither the portal, to which the identity belongs, nor the reader, from which it has a token.
    assert "portal" not in load_stack(tiny.root, "bare").components
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["pipelines"].update(component="postgresql"))
    assert "identities.pipelines: claims: 'reader' serves no claim" in refusal(tiny, "bare").problem


def test_two_components_on_one_port_are_refused_by_name(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c["endpoints"]["http"].update(port=21030))
    error = refusal(tiny)
    assert "port 21030" in error.problem
    assert "portal.http" in error.problem
    assert "reader.http" in error.problem
    assert "component.yaml" in error.remedy


def test_components_that_are_never_in_one_profile_may_not_share_a_port_either(tiny: Tiny) -> None:
    tiny.edit(tiny.component("weeds"), lambda c: c["endpoints"]["http"].update(port=21010))
    assert "minio.http" in refusal(tiny).problem


@pytest.mark.parametrize("field", ["after", "calls"])
def test_an_unknown_name_of_one_target_is_named_with_that_targets_file(tiny: Tiny, field: str) -> None:
    for folder in tiny.root.glob("stack/components/*/*"):
        (folder / "kubernetes.yaml").write_text("{}\n", encoding="utf-8")
    file = tiny.folder("reader") / "kubernetes.yaml"
    tiny.edit(file, lambda c: c.update({field: ["kafka"]}))
    with pytest.raises(PlatformError) as caught:
        load_stack(tiny.root, target=KUBERNETES)
    assert caught.value.problem == f"{file}: {field} names 'kafka', which is no component of the profile"
    # On the other target nothing is said of it.
    assert load_stack(tiny.root).components


def test_a_capability_whose_provider_takes_no_part_is_unknown(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c.update(calls=["s3"]))
    assert load_stack(tiny.root).callees("portal") == ("minio", "reader")
    tiny.edit(tiny.stack_file, lambda c: c["profiles"]["default"].update(without=["minio", "reader"]))
    tiny.edit(tiny.component("portal"), lambda c: c.update(claims=[]))
    assert "portal/component.yaml: calls names 's3'" in refusal(tiny).problem


def test_a_user_of_one_store_is_about_buckets_of_that_store(tiny: Tiny) -> None:
    tiny.second_store()
    stack = load_stack(tiny.root)
    assert stack.callees("reader") == ("postgresql", "minio", "vault")
    assert set(names_of(stack, "s3_user")) == {"reader", "pipelines", "checks"}
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][-1]["buckets"].update(raw="read"))
    error = refusal(tiny)
    assert "claims: there is no bucket raw" in error.problem
    assert error.remedy == "claim it, or use one of: saved"
