"""Wrong settings are named before anything listens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datahub_lite.settings import read

GOOD = {
    "BIND": "127.0.0.1",
    "DATAHUB_HTTP_PORT": "8980",
    "DATAHUB_TOKEN": "0123456789abcdef",
    "DATAHUB_STORE": "/x/datahub.db",
    "DATAHUB_NAMES": "# a comment\n\n  trino:a -> iceberg:b\n",
}


def test_settings_are_read() -> None:
    found = read(GOOD)
    assert (found.host, found.port, found.store) == ("127.0.0.1", 8980, Path("/x/datahub.db"))
    trino, iceberg = (f"urn:li:dataset:(urn:li:dataPlatform:{name},PROD)" for name in ("trino,a", "iceberg,b"))
    assert found.rules.urn(trino) == iceberg


def test_digests_of_the_programs_tokens_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    entries = [{"name": name, "sha256": digest * 64} for name, digest in (("spark", "a"), ("checks", "b"))]
    file.write_text(json.dumps(entries))
    assert read(GOOD | {"DATAHUB_TOKENS": str(file)}).tokens == {"a" * 64, "b" * 64}
    file.write_text("[]")
    assert read(GOOD | {"DATAHUB_TOKENS": str(file)}).tokens == frozenset()
    assert read(GOOD).tokens == frozenset()


@pytest.mark.parametrize(
    "content", [None, "", "[", "{}", "3", '["a"]', '[{"name": "spark"}]', '{"spark": {"sha256": "a"}}']
)
def test_a_broken_file_of_tokens_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokens.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=f"DATAHUB_TOKENS={file} is no list of names and digests"):
        read(GOOD | {"DATAHUB_TOKENS": str(file)})


def test_it_listens_on_all_addresses_only_where_somebody_else_guards_them() -> None:
    assert read(GOOD | {"BIND": "0.0.0.0", "DATAHUB_GUARDED": "true"}).host == "0.0.0.0"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATAHUB_TOKEN", "", "not set: DATAHUB_TOKEN"),
        ("DATAHUB_TOKEN", "short", "fewer than 16"),
        ("BIND", "0.0.0.0", "loopback"),
        ("BIND", "datahub", "datahub"),
        ("DATAHUB_HTTP_PORT", "http", "not a number"),
        ("DATAHUB_STORE", "", "not set: DATAHUB_STORE"),
        ("DATAHUB_NAMES", "trino:a = iceberg:b", "DATAHUB_NAMES: 'trino:a = iceberg:b' is no rule"),
    ],
)
def test_a_wrong_setting_is_named_and_the_token_is_not_shown(name: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(GOOD | {name: value})
    assert "short" not in str(caught.value)
