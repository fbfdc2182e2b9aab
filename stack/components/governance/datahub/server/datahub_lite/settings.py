"""What the endpoint is told, by environment variables."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from datahub_lite.rules import Rules

#: A shorter token could be guessed.
_TOKEN_CHARACTERS = 16


class Settings(NamedTuple):
    """Where it listens and stores, and what it accepts."""

    host: str
    port: int
    token: str
    #: SHA-256, in hexadecimal, of the tokens of programs.
    tokens: frozenset[str]
    store: Path
    #: Declared renamings of data sets.
    rules: Rules


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment.

    Raises:
        ValueError: a variable is missing or not acceptable; names it.
    """
    names = ("BIND", "DATAHUB_HTTP_PORT", "DATAHUB_TOKEN", "DATAHUB_STORE")
    if missing := [name for name in names if not environment.get(name)]:
        raise ValueError(f"not set: {', '.join(missing)}")
    host, port, token, store = (environment[name] for name in names)
    # It has no TLS; in a cluster NetworkPolicies say who reaches it.
    if not ipaddress.ip_address(host).is_loopback and environment.get("DATAHUB_GUARDED") != "true":
        raise ValueError(f"BIND={host}: it has no TLS, so it listens on loopback only, unless DATAHUB_GUARDED=true")
    if not port.isdecimal():
        raise ValueError(f"DATAHUB_HTTP_PORT={port} is not a number")
    if len(token) < _TOKEN_CHARACTERS:
        raise ValueError(f"DATAHUB_TOKEN has fewer than {_TOKEN_CHARACTERS} characters")
    try:
        rules = Rules(environment.get("DATAHUB_NAMES", ""))
    except ValueError as error:
        raise ValueError(f"DATAHUB_NAMES: {error}") from None
    return Settings(host, int(port), token, _tokens(environment.get("DATAHUB_TOKENS", "")), Path(store), rules)


def _tokens(file: str) -> frozenset[str]:
    """Digests of the programs' tokens: a JSON list of objects with `name` and `sha256`."""
    if not file:
        return frozenset()
    try:
        entries = json.loads(Path(file).read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise TypeError(type(entries).__name__)  # noqa: TRY301 - one message for all that can be wrong with it
        return frozenset(str(entry["sha256"]) for entry in entries)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"DATAHUB_TOKENS={file} is no list of names and digests: {error!r}") from None
