"""Tokens: a server is told by its configuration for whom it accepts one, and not the token itself."""

from __future__ import annotations

import hashlib

from data_platform.claims.token import Token
from data_platform.stack.claim import CONFIGURATION


def test_a_token_is_named_after_who_accepts_it() -> None:
    claim = Token(kind="token", of="data-hub")
    assert claim.provider == "data-hub"
    assert claim.generated == ("data_hub_token",)
    assert claim.fixed("portal") == {}
    assert claim.made("portal") == "portal"
    assert claim.about() == ()


def test_its_server_lists_the_digest_alone() -> None:
    claim = Token(kind="token", of="reader")
    assert (Token.ways, Token.listed_as) == ((CONFIGURATION,), "TOKENS")
    entry = claim.entry("portal", {"reader_token": "secret word", "other": "x"})
    assert entry == {"name": "portal", "sha256": hashlib.sha256(b"secret word").hexdigest()}


def test_a_definition_says_whose_it_is() -> None:
    claim = Token(kind="token", of="reader")
    assert claim.definition("portal") != claim.definition("pipelines")
