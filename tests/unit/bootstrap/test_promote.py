"""An environment that is promoted from another one deploys what that has proven, and nothing else."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bootstrap import environments, promote, up
from bootstrap.place import make_target, remember
from bootstrap.promote import proven, required
from data_platform import promotion
from data_platform.promotion import Proven, Record
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State

if TYPE_CHECKING:
    from tests.conftest import Tiny

PRODUCTION = {"environment": "production", "promoted_from": "staging"}


@pytest.fixture
def checkout(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A small checkout, of which the command line speaks."""
    for module in (environments, promote):
        monkeypatch.setattr(module, "ROOT", tiny.root)
    return tiny


def record(tiny: Tiny, environment: str = "staging") -> Record:
    """What an environment of this very checkout would have proven."""
    found = promotion.digests(load_stack(tiny.root))
    components = {name: Proven(version="1", digest=digest, checks={"x": "now"}) for name, digest in found.items()}
    return Record(
        environment=environment,
        platform="id",
        target="local",
        profile="default",
        commit="abc",
        at="now",
        components=components,
    )


@pytest.fixture
def file(checkout: Tiny, tmp_path: Path) -> Path:
    """The record of staging."""
    path = tmp_path / "staging.json"
    path.write_text(record(checkout).model_dump_json())
    return path


def test_without_a_promotion_nothing_is_asked_for() -> None:
    assert required({"environment": "dev"}, {}, None) == {}
    assert required({"environment": "dev"}, {"promotion": {"old": "one"}}, None) == {}


def test_a_promoted_environment_needs_a_record() -> None:
    with pytest.raises(PlatformError, match="production is promoted from staging") as caught:
        required(PRODUCTION, {}, None)
    assert "python3 -m bootstrap proven --environment staging > staging.json" in caught.value.remedy
    assert "--proven staging.json" in caught.value.remedy


def test_a_record_is_remembered_so_that_an_up_can_be_repeated(file: Path) -> None:
    first = required(PRODUCTION, {}, file)
    assert first["promotion"]["commit"] == "abc"
    assert required(PRODUCTION, first, None) == first


@pytest.mark.parametrize("whose", ["dev", ""])
def test_a_record_of_another_environment_is_refused(checkout: Tiny, file: Path, whose: str) -> None:
    file.write_text(record(checkout, whose).model_dump_json())
    with pytest.raises(PlatformError, match=f"is of {whose or 'a platform without environment'}, and production is"):
        required(PRODUCTION, {}, file)
    # Who asks for it himself may take any.
    assert required({}, {}, file)["promotion"]["environment"] == whose


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}'])
def test_what_is_no_record_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(PlatformError, match=r"staging\.json is no record of what was proven: ."):
        required(PRODUCTION, {}, file)
    file.unlink()
    with pytest.raises(PlatformError, match="there is no file"):
        required(PRODUCTION, {}, file)


def up_words(state: Path, environment: Path, proof: Path | None) -> argparse.Namespace:
    plain = {"target": None, "profile": None, "only": "", "foreground": False, "adopt": False}
    return argparse.Namespace(state=state, environment=str(environment), proven=proof, **plain)


def test_up_refuses_what_was_not_proven_before_anything_is_started(
    checkout: Tiny, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, state = tmp_path / "production.yaml", tmp_path / "state"
    environment.write_text(yaml.safe_dump({"target": "local", "promoted_from": "staging"}))
    begun: list[str] = []

    def begin(*_: object) -> None:
        begun.append("begun")
        raise PlatformError("enough", "")

    # What comes next.
    monkeypatch.setattr(up, "refuse_unfit", begin)
    with pytest.raises(PlatformError, match="is promoted from staging"):
        up.up(up_words(state, environment, None))
    (checkout.folder("reader") / "source.txt").write_text("patched\n")
    with pytest.raises(PlatformError, match=r"staging .* has not proven"):
        up.up(up_words(state, environment, file))
    assert begun == []
    assert not (state / "settings.json").exists()
    (checkout.folder("reader") / "source.txt").write_text("source\n")
    with pytest.raises(PlatformError, match="enough"):
        up.up(up_words(state, environment, file))
    assert begun == ["begun"]


def test_a_platform_tells_what_it_has_proven(
    checkout: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []

    def made(target: Any, environment: str, platform: str, commit: str, at: str) -> Record:
        told.append((target.name, environment, platform, commit, at[:2]))
        return record(checkout)

    monkeypatch.setattr(promotion, "record", made)
    state = State(tmp_path / "state")
    mine = claim(state)
    asked = {"environment": "staging"}
    remember(make_target(state.folder, asked), asked)
    monkeypatch.setattr("data_platform.targets.local.target.LocalTarget.close", lambda _: told.append("closed"))
    assert proven(argparse.Namespace(state=state.folder)) == 0
    assert told == [("local", "staging", mine.platform, "", "20"), "closed"]
    assert Record.model_validate_json(capsys.readouterr().out) == record(checkout)


def test_a_commit_says_whether_it_was_changed_since(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        own = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", *own, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert promote.commit(tmp_path) == ""
    (tmp_path / "a").write_text("one")
    git("init")
    git("add", "a")
    git("commit", "-m", "one")
    git("tag", "-m", "x", "v1")
    commit = git("rev-parse", "HEAD").strip()
    assert promote.commit(tmp_path) == commit
    (tmp_path / "a").write_text("two")
    assert promote.commit(tmp_path) == f"{commit}-dirty"
