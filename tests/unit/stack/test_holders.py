"""Who holds which credentials: names, keys and order, and what is made for whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import SECRET_BYTES, claimed, holder, holders, names_of, new_secret
from data_platform.stack.load import load_stack

if TYPE_CHECKING:
    from tests.conftest import Tiny


def test_holders_are_the_components_in_their_order_and_then_the_identities(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    found = holders(stack)
    assert list(found) == [*stack.components, "pipelines", "checks"]
    assert {name: each.component for name, each in found.items() if name != each.component} == {
        "pipelines": "portal",
        "checks": "postgresql",
    }


def test_a_holder_has_its_own_secrets_and_what_was_made_for_it(tiny: Tiny) -> None:
    found = holders(load_stack(tiny.root))
    assert {name: (each.fixed, each.generated) for name, each in found.items()} == {
        "minio": ({"access_key": "platform"}, ("secret_key",)),
        "postgresql": ({"username": "postgres"}, ("password",)),
        "reader": (
            {"database_user": "reader", "s3_access_key": "reader"},
            ("token", "database_password", "s3_secret_key"),
        ),
        "portal": ({}, ("reader_token",)),
        "pipelines": ({"s3_access_key": "pipelines"}, ("s3_secret_key", "reader_token")),
        "checks": ({"database_user": "checks", "s3_access_key": "checks"}, ("database_password", "s3_secret_key")),
    }


def test_a_role_has_the_name_of_its_holder_without_hyphens(tiny: Tiny) -> None:
    named: dict[str, object] = {"summary": "writes reports at night", "component": "reader"}
    named |= {"claims": [{"kind": "database", "name": "reports"}]}
    tiny.edit(tiny.stack_file, lambda c: c["identities"].update({"night-shift": named}))
    assert holders(load_stack(tiny.root))["night-shift"].fixed == {"database_user": "night_shift"}


def test_an_identity_of_a_component_that_does_not_take_part_is_no_holder(tiny: Tiny) -> None:
    assert list(holders(load_stack(tiny.root, "bare"))) == ["minio", "postgresql", "checks"]


def test_a_holder_is_found_by_its_name_or_by_the_capability_that_it_provides(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert holder(stack, "checks").component == "postgresql"
    assert holder(stack, "s3").name == "minio"
    assert holder(load_stack(tiny.root, "weeds"), "s3").name == "weeds"


def test_a_name_that_nobody_has_is_refused_with_those_there_are(tiny: Tiny) -> None:
    with pytest.raises(PlatformError, match="nobody named 'pages' holds credentials") as caught:
        holder(load_stack(tiny.root), "pages")
    assert caught.value.remedy == "use one of: minio, postgresql, reader, portal, pipelines, checks"


def test_what_is_claimed_of_a_component_is_what_it_serves_and_data_comes_first(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert [(each.holder, each.resource) for each in claimed(stack, "minio")] == [
        ("reader", "bucket results"),
        ("pipelines", "bucket raw"),
        ("reader", "s3_user reader"),
        ("pipelines", "s3_user pipelines"),
        ("checks", "s3_user checks"),
    ]
    assert [each.resource for each in claimed(stack, "minio", "bucket")] == ["bucket results", "bucket raw"]
    assert [each.resource for each in claimed(stack, "postgresql")] == ["database reader", "database checks"]
    assert claimed(stack, "portal") == []
    assert claimed(stack, "minio", "token") == []


def test_what_is_claimed_of_a_capability_is_what_its_provider_serves(tiny: Tiny) -> None:
    weeds = load_stack(tiny.root, "weeds")
    assert claimed(weeds, "weeds") == claimed(load_stack(tiny.root), "minio")
    assert claimed(weeds, "minio") == []


def test_a_token_is_of_the_one_component_that_accepts_it(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert [each.holder for each in claimed(stack, "reader", "token")] == ["portal", "pipelines"]


def test_all_names_of_a_kind_are_told_whoever_makes_them(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert names_of(stack, "bucket") == ["results", "raw"]
    assert names_of(stack, "token") == ["portal", "pipelines"]
    assert names_of(stack, "branch") == []


def test_an_identity_has_a_claim_for_each_dataset_beside_its_own(tiny: Tiny) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].update(each_dataset=["database"]))
    before = holder(load_stack(tiny.root), "checks")
    for name in ("rates", "currencies"):
        tiny.dataset(name)
    stack = load_stack(tiny.root)
    assert names_of(stack, "database") == ["reader", "checks", "currencies", "rates"]
    after = holder(stack, "checks")
    # One role for all databases: nothing new is generated.
    assert (after.fixed, after.generated) == (before.fixed, before.generated)
    assert len(after.claims) == len(before.claims) + 2


def test_a_credential_is_of_a_claim_or_of_its_holder_alone(tiny: Tiny) -> None:
    of = holder(load_stack(tiny.root), "reader")
    assert {key: claim.kind if (claim := of.claim_of(key)) else None for key in (*of.generated, *of.fixed)} == {
        "token": None,
        "database_password": "database",
        "database_user": "database",
        "s3_secret_key": "s3_user",
        "s3_access_key": "s3_user",
    }


def test_secrets_are_long_different_and_need_no_quotes_anywhere() -> None:
    found = {new_secret() for _ in range(20)}
    assert len(found) == 20
    assert all(re.fullmatch(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}", secret) for secret in found)
    assert SECRET_BYTES >= 32
