"""Who holds which credentials: names, keys and order, and what is made for whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import (
    SECRET_BYTES,
    claim_key,
    holder,
    holders,
    new_secret,
    s3_users,
    token_holders,
)
from data_platform.stack.load import load_stack
from data_platform.stack.model import S3User, Token

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
    named = {"summary": "writes reports at night", "component": "reader", "databases": ["reports"]}
    tiny.edit(tiny.stack_file, lambda c: c["identities"].update({"night-shift": named}))
    assert holders(load_stack(tiny.root))["night-shift"].fixed == {"database_user": "night_shift"}


def test_an_identity_of_a_component_that_does_not_take_part_is_no_holder(tiny: Tiny) -> None:
    assert list(holders(load_stack(tiny.root, "bare"))) == ["minio", "postgresql", "checks"]


def test_a_holder_is_found_by_its_name_or_by_the_capability_that_it_provides(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert holder(stack, "checks").databases[0].name == "checks"
    assert holder(stack, "s3").name == "minio"
    assert holder(load_stack(tiny.root, "weeds"), "s3").name == "weeds"


def test_a_name_that_nobody_has_is_refused_with_those_there_are(tiny: Tiny) -> None:
    with pytest.raises(PlatformError, match="nobody named 'pages' holds credentials") as caught:
        holder(load_stack(tiny.root), "pages")
    assert caught.value.remedy == "use one of: minio, postgresql, reader, portal, pipelines, checks"


def test_users_of_the_store_are_those_who_have_claimed_one(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    found = {each.name: claim.buckets for each, claim in s3_users(stack, "minio")}
    assert found == {
        "reader": {"raw": "read", "results": "write"},
        "pipelines": {"raw": "add"},
        "checks": {"raw": "write", "results": "read"},
    }
    assert s3_users(stack, "postgresql") == []
    assert [each.name for each, _ in s3_users(load_stack(tiny.root, "weeds"), "weeds")] == list(found)
    assert holder(stack, "portal").s3_user is None


def test_holders_of_tokens_are_those_who_have_claimed_one_of_that_component(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert [each.name for each, _ in token_holders(stack, "reader")] == ["portal", "pipelines"]
    assert token_holders(stack, "portal") == []


def test_a_credential_of_a_claim_is_named_after_who_makes_it() -> None:
    assert claim_key(S3User(kind="s3_user", buckets={"raw": "read"}), "secret_key") == "s3_secret_key"
    assert claim_key(Token(kind="token", of="data-hub"), "token") == "data_hub_token"


def test_secrets_are_long_different_and_need_no_quotes_anywhere() -> None:
    found = {new_secret() for _ in range(20)}
    assert len(found) == 20
    assert all(re.fullmatch(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}", secret) for secret in found)
    assert SECRET_BYTES >= 32
