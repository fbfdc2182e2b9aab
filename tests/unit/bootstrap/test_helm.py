"""The user's helm is used where it will do; otherwise the platform's own, and he is told why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import bootstrap.cluster
from bootstrap import helm
from bootstrap.helm import helm_program, on_the_path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The first folder of the PATH; the platform's own helm is there."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    monkeypatch.setattr(bootstrap.cluster, "tools", lambda _: {"helm": tmp_path / "own" / "helm"})
    helm_program.cache_clear()
    yield place
    helm_program.cache_clear()


def put(folder: Path, script: str, mode: int = 0o755, first: str = "#!/bin/sh") -> Path:
    path = folder / "helm"
    path.write_text(f"{first}\n{script}\n", encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("version", ["v4.0.0", "v4.3.0", "v4.1.0-rc.1+gabc", "v4.12.1"])
def test_a_helm_that_will_do_is_the_one(folder: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    own = put(folder, f'[ "$1 $2" = "version --template" ] && echo {version}')
    assert helm_program() == str(own)
    assert capsys.readouterr().err == ""


#: Scripts, and what is said of them.
UNFIT = {
    "too old": ("echo v3.19.2", "is v3.19.2, which is too old: 4.0 is the oldest that will do"),
    "much too old": ("echo v2.17.0", "is v2.17.0, which is too old"),
    "too new": ("echo v5.0.1", "is v5.0.1, and the platform knows version 4 alone"),
    "another program": ("echo Helm is a synthesiser", "does not tell a version of Helm"),
    "a version of something else": ("echo 1.2", "does not tell a version of Helm"),
    "broken": ("echo v4.3.0; exit 3", "does not tell a version of Helm: it is broken"),
    "silent": ("true", "does not tell a version of Helm"),
    "hanging": ("sleep 600", "does not tell its version within"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_one_that_will_not_do_is_told_and_the_platforms_own_is_used(
    case: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(helm, "_SECONDS", 2.0)
    script, said = UNFIT[case]
    unfit = put(folder, script)
    assert helm_program() == str(tmp_path / "own" / "helm")
    told = capsys.readouterr().err
    assert f"{unfit} {said}" in told
    assert "The platform uses a helm of its own." in told
    # Once is enough.
    assert helm_program() == str(tmp_path / "own" / "helm")
    assert capsys.readouterr().err == ""


def test_one_that_cannot_be_run_is_told(folder: Path) -> None:
    put(folder, "", first="#!/no/such/interpreter")
    found = on_the_path()
    assert found is not None
    assert found.problem


def test_without_one_the_platforms_own_is_used_without_a_word(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "echo v4.3.0", mode=0o644)
    assert helm_program() == str(tmp_path / "own" / "helm")
    assert capsys.readouterr().err == ""
