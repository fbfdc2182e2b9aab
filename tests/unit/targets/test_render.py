"""Templates know the component's bindings and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import REGION, WAREHOUSE
from data_platform.targets.render import names, render, rendered_files

BINDINGS = {"TRINO_HTTP_PORT": "8440", "ETC": "/etc/trino"}


def test_a_template_is_filled() -> None:
    assert render("port={{ TRINO_HTTP_PORT }}\n", BINDINGS, "x") == "port=8440\n"


@pytest.mark.parametrize("text", ["", "plain", "${ENV:PORT}", "a { b }", "100 %"])
def test_a_text_without_a_template_is_left_alone(text: str) -> None:
    assert render(text, BINDINGS, "x") == text


def test_an_unknown_binding_is_named_with_the_place_and_the_remedy() -> None:
    with pytest.raises(PlatformError) as caught:
        render("{{ KAFKA_URL }}", BINDINGS, "trino/local.yaml: server")
    assert caught.value.problem == "trino/local.yaml: server: 'KAFKA_URL' is undefined"
    assert "`calls`" in caught.value.remedy
    assert "ETC, TRINO_HTTP_PORT" in caught.value.remedy


def test_an_error_names_bindings_and_never_their_values() -> None:
    with pytest.raises(PlatformError) as caught:
        render("{{ KAFKA_URL }}", {"TRINO_PASSWORD": "verysecretvalue"}, "x")
    assert "TRINO_PASSWORD" in str(caught.value)
    assert "verysecretvalue" not in str(caught.value)


def test_a_broken_template_is_refused() -> None:
    with pytest.raises(PlatformError, match="trino/etc/config: "):
        render("{{ TRINO_HTTP_PORT", BINDINGS, "trino/etc/config")


def test_the_environment_of_the_caller_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_THE_SHELL", "x")
    with pytest.raises(PlatformError, match="FROM_THE_SHELL"):
        render("{{ FROM_THE_SHELL }}", BINDINGS, "x")


def test_files_are_rendered_by_their_suffix_and_copied_otherwise(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "a.properties.j2").write_text("port={{ TRINO_HTTP_PORT }}\n")
    (tmp_path / "raw.txt").write_text("{{ TRINO_HTTP_PORT }}\n")
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    assert rendered_files(tmp_path, BINDINGS) == {
        "catalog/a.properties": b"port=8440\n",
        "raw.txt": b"{{ TRINO_HTTP_PORT }}\n",
        "binary": b"\xff\x00",
    }


def test_files_know_the_names_of_the_lakehouse(tmp_path: Path) -> None:
    (tmp_path / "a.conf.j2").write_text("dir={{ LAKE_WAREHOUSE }}\nregion={{ LAKE_REGION }}\n")
    assert rendered_files(tmp_path, BINDINGS) == {"a.conf": f"dir={WAREHOUSE}\nregion={REGION}\n".encode()}


def test_a_component_without_configuration_has_no_files(tmp_path: Path) -> None:
    assert rendered_files(tmp_path / "none", BINDINGS) == {}


def test_an_unknown_binding_in_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ KAFKA_URL }}")
    with pytest.raises(PlatformError, match=r"a\.j2: 'KAFKA_URL' is undefined"):
        rendered_files(tmp_path, BINDINGS)


def test_a_template_may_become_a_file_for_each_word_and_include_others(tmp_path: Path) -> None:
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "readers.properties").write_text("ref=main\nkey=${ENV:KEY}\n")
    (tmp_path / "of" / "[BRANCHES].properties.j2").write_text(
        '{% set readers %}{% include "of/readers.properties" %}{% endset %}'
        '{{ readers | replace("ref=main", "ref=" ~ EACH) | safe }}on {{ TRINO_HTTP_PORT }}'
    )
    assert rendered_files(tmp_path, BINDINGS | {"BRANCHES": "audit_a audit_b"}) == {
        "of/readers.properties": b"ref=main\nkey=${ENV:KEY}\n",
        "of/audit_a.properties": b"ref=audit_a\nkey=${ENV:KEY}\non 8440",
        "of/audit_b.properties": b"ref=audit_b\nkey=${ENV:KEY}\non 8440",
    }
    assert list(rendered_files(tmp_path, BINDINGS | {"BRANCHES": ""})) == ["of/readers.properties"]
    with pytest.raises(PlatformError, match=r"\[BRANCHES\]\.properties\.j2: 'BRANCHES' is undefined"):
        rendered_files(tmp_path, BINDINGS)


def test_a_file_that_is_not_there_cannot_be_included(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text('{% include "none" %}')
    with pytest.raises(PlatformError, match=r"a\.j2: .*none"):
        rendered_files(tmp_path, BINDINGS)


def test_what_a_template_names_is_known_without_a_value(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ TOKEN | properties }}")
    text = '{{ DATA | single_quoted }}{% include "a.j2" %}'
    assert names(text) == {"DATA"}
    assert names(text, tmp_path) == {"DATA", "TOKEN"}
