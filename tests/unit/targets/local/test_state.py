"""Credentials are generated once, kept private, and never lost to a half-written file."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NEXT, NOT_YET, SECRET_BYTES, holders
from data_platform.stack.load import load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.local.state import SOCKET_LIMIT, State, read_json, write_private

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=lambda mask: f"umask {mask:03o}")
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def ensured(state: State, stack: Stack) -> dict[str, dict[str, str]]:
    """All credentials, made where they were missing."""
    state.ensure_credentials(stack)
    return state.credentials(stack)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
def test_credentials_are_private_whatever_the_umask(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.ensure_credentials(load_stack(tiny.root))
    assert mode(state.credentials_file) == 0o600


@pytest.mark.usefixtures("_umask")
def test_a_private_file_is_never_readable_by_others_not_even_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    before = os.fdopen

    def look(descriptor: int, *arguments: str, **options: str) -> object:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return before(descriptor, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("data_platform.targets.local.state.os.fdopen", look)
    write_private(tmp_path / "secret", "x")
    assert modes == [0o600]


def test_a_file_that_meets_a_full_disk_leaves_no_draft_and_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "secret", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("data_platform.targets.local.state.os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '/.*/\.secret\."):
        write_private(tmp_path / "secret", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("secret", "old")]


def test_an_open_file_becomes_private_when_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (mode(path), path.read_text(), list(tmp_path.iterdir())) == (0o600, "new", [path])


def test_who_only_looks_makes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    state, stack = State(tmp_path / "state"), load_stack(tiny.root)
    found = state.credentials(stack)
    assert found == {
        name: {**each.fixed, **dict.fromkeys(each.generated, NOT_YET)} for name, each in holders(stack).items()
    }
    assert not state.folder.exists()


def test_secrets_are_generated_for_each_holder_and_are_all_different(tiny: Tiny, tmp_path: Path) -> None:
    stack = load_stack(tiny.root)
    found = ensured(State(tmp_path / "state"), stack)
    everybody = holders(stack)
    assert {name: set(entry) for name, entry in found.items()} == {
        name: {*each.fixed, *each.generated} for name, each in everybody.items()
    }
    assert {"portal", "pipelines", "checks"} < set(found)
    for name, each in everybody.items():
        assert {key: found[name][key] for key in each.fixed} == each.fixed
    secrets = [found[name][key] for name, each in everybody.items() for key in each.generated]
    assert len(set(secrets)) == len(secrets) == 10
    assert {len(secret) for secret in secrets} == {2 * SECRET_BYTES}


def test_the_file_is_json_by_holder_and_key(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    found = ensured(state, load_stack(tiny.root))
    assert json.loads(state.credentials_file.read_text()) == found
    assert found["postgresql"]["username"] == "postgres"


def test_secrets_stay_the_same(tiny: Tiny, tmp_path: Path) -> None:
    stack = load_stack(tiny.root)
    first = ensured(State(tmp_path / "state"), stack)
    written = (tmp_path / "state" / "credentials.json").stat().st_mtime_ns
    assert ensured(State(tmp_path / "state"), stack) == first
    assert (tmp_path / "state" / "credentials.json").stat().st_mtime_ns == written


def test_two_platforms_have_different_secrets(tiny: Tiny, tmp_path: Path) -> None:
    stack = load_stack(tiny.root)
    one, other = (ensured(State(tmp_path / name), stack) for name in ("one", "other"))
    assert one["reader"]["token"] != other["reader"]["token"]


def test_new_holders_get_new_secrets_and_the_others_keep_theirs(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = ensured(state, load_stack(tiny.root, "bare"))
    after = ensured(state, load_stack(tiny.root))
    assert set(after) - set(before) == {"reader", "portal", "pipelines"}
    assert {name: after[name] for name in before} == before


def test_a_new_secret_or_claim_of_a_known_holder_leaves_its_others_alone(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = ensured(state, load_stack(tiny.root))["reader"]
    tiny.edit(tiny.component("reader"), lambda c: c["secrets"].append("second"))
    tiny.edit(tiny.component("postgresql"), lambda c: c["serves"].update(token="configuration"))
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].append({"kind": "token", "of": "postgresql"}))
    after = ensured(state, load_stack(tiny.root))["reader"]
    assert {key: after[key] for key in before} == before
    assert {len(after[key]) for key in ("second", "postgresql_token")} == {2 * SECRET_BYTES}


def test_a_profile_that_is_left_keeps_its_secrets(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = ensured(state, load_stack(tiny.root))["minio"]
    assert ensured(state, load_stack(tiny.root, "weeds"))["minio"] == before


def test_a_staged_value_is_chosen_once_and_kept_beside_the_secret(tiny: Tiny, tmp_path: Path) -> None:
    stack, state = load_stack(tiny.root), State(tmp_path / "state")
    before = ensured(state, stack)
    following = state.stage("reader", "token")
    assert len(following) == 2 * SECRET_BYTES
    assert following not in {value for entry in before.values() for value in entry.values()}
    # By another process, and after a new look at the stack.
    state.ensure_credentials(stack)
    assert State(tmp_path / "state").stage("reader", "token") == following
    assert state.credentials(stack) == {**before, "reader": before["reader"] | {f"token{NEXT}": following}}


def test_a_staged_value_takes_the_secrets_place_and_nothing_else_changes(tiny: Tiny, tmp_path: Path) -> None:
    stack, state = load_stack(tiny.root), State(tmp_path / "state")
    before = ensured(state, stack)
    following, other = state.stage("reader", "token"), state.stage("reader", "s3_secret_key")
    state.promote("reader", "token")
    expected = before["reader"] | {"token": following, f"s3_secret_key{NEXT}": other}
    assert state.credentials(stack) == {**before, "reader": expected}
    # The next rotation is another one.
    assert state.stage("reader", "token") not in (following, before["reader"]["token"])
    assert mode(state.credentials_file) == 0o600


def test_without_a_staged_value_nothing_is_promoted(tiny: Tiny, tmp_path: Path) -> None:
    stack, state = load_stack(tiny.root), State(tmp_path / "state")
    before = ensured(state, stack)
    written = state.credentials_file.stat().st_mtime_ns
    for holder, key in (("reader", "token"), ("reader", "nothing"), ("nobody", "token")):
        state.promote(holder, key)
    assert state.credentials(stack) == before
    assert state.credentials_file.stat().st_mtime_ns == written


def test_a_rotation_that_was_interrupted_goes_on_with_the_same_value(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, state = load_stack(tiny.root), State(tmp_path / "state")
    before = ensured(state, stack)
    following = state.stage("reader", "token")

    def cut(self: Path, target: Path) -> Path:
        del self, target
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            state.promote("reader", "token")
    # What runs with the old value still does, and the same new one is given to it next.
    assert state.credentials(stack)["reader"]["token"] == before["reader"]["token"]
    assert state.stage("reader", "token") == following
    state.promote("reader", "token")
    state.promote("reader", "token")
    assert state.credentials(stack)["reader"] == before["reader"] | {"token": following}


@pytest.mark.parametrize("others", [0o644, 0o640, 0o604])
def test_a_credentials_file_that_others_can_read_is_refused(tiny: Tiny, tmp_path: Path, others: int) -> None:
    state, stack = State(tmp_path / "state"), load_stack(tiny.root)
    state.ensure_credentials(stack)
    state.credentials_file.chmod(others)
    with pytest.raises(PlatformError, match="can be read by others"):
        state.ensure_credentials(stack)
    with pytest.raises(PlatformError, match="can be read by others") as caught:
        state.credentials(stack)
    assert caught.value.remedy == f"run: chmod 600 {state.credentials_file}"


@pytest.mark.parametrize("content", ['{"postgresql": {"passw', "", "[]", '"x"'])
def test_a_damaged_credentials_file_is_refused_and_left_alone(tiny: Tiny, tmp_path: Path, content: str) -> None:
    state = State(tmp_path / "state")
    write_private(state.credentials_file, content)
    with pytest.raises(PlatformError):
        state.credentials(load_stack(tiny.root))
    with pytest.raises(PlatformError) as caught:
        state.ensure_credentials(load_stack(tiny.root))
    assert str(state.credentials_file) in caught.value.problem
    assert "backup" in caught.value.remedy
    assert state.credentials_file.read_text() == content


def lose(state: State, stack: Stack, holder: str | None) -> None:
    """As if the file, or one holder's entry of it, had been lost while there is data of PostgreSQL."""
    state.ensure_credentials(stack)
    state.data("postgresql").mkdir(parents=True)
    (state.data("postgresql") / "db").touch()
    if holder is None:
        state.credentials_file.unlink()
    else:
        known = json.loads(state.credentials_file.read_text())
        del known[holder]
        write_private(state.credentials_file, json.dumps(known))


@pytest.mark.parametrize("holder", [None, "postgresql"], ids=["file", "entry"])
def test_lost_credentials_are_not_replaced_while_there_is_data_that_they_open(
    tiny: Tiny, tmp_path: Path, holder: str | None
) -> None:
    state, stack = State(tmp_path / "state"), load_stack(tiny.root)
    lose(state, stack, holder)
    before = state.credentials_file.read_text() if holder else None
    with pytest.raises(PlatformError, match="has no secrets of postgresql, but") as caught:
        state.ensure_credentials(stack)
    assert "backup" in caught.value.remedy
    assert (state.credentials_file.read_text() if holder else None) == before
    assert state.credentials_file.exists() == bool(holder)


def test_lost_credentials_of_a_holder_without_data_are_made_anew(tiny: Tiny, tmp_path: Path) -> None:
    state, stack = State(tmp_path / "state"), load_stack(tiny.root)
    lose(state, stack, "checks")
    kept = state.credentials(stack)["postgresql"]
    found = ensured(state, stack)
    assert found["postgresql"] == kept
    assert len(found["checks"]["s3_secret_key"]) == 2 * SECRET_BYTES


def test_a_file_that_is_not_there_reads_as_empty(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") == {}


def test_an_interrupted_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ports.json"
    write_private(path, json.dumps({"a": 1}))

    def cut(self: Path, target: Path) -> Path:
        del self, target
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        write_private(path, json.dumps({"a": 2}))
    assert read_json(path) == {"a": 1}


def test_a_private_file_is_on_the_disk_before_it_has_its_name_and_then_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "secret"
    order: list[str] = []
    before = os.fsync
    replace = Path.replace

    def sync(descriptor: int) -> None:
        order.append((Path(f"/proc/self/fd/{descriptor}").readlink().name.split(".")[1:2] and "file") or "folder")
        if order[-1] == "file":
            assert Path(f"/proc/self/fd/{descriptor}").read_text() == "x"
        before(descriptor)

    def named(self: Path, target: Path) -> Path:
        order.append("replace")
        return replace(self, target)

    monkeypatch.setattr("data_platform.targets.local.state.os.fsync", sync)
    monkeypatch.setattr(Path, "replace", named)
    write_private(path, "x")
    assert order == ["file", "replace", "folder", "folder"]
    order.clear()
    write_private(path, "x")
    assert order == ["file", "replace", "folder"]


def test_the_socket_lies_in_the_state_folder_unless_its_path_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert State(Path("/short")).socket == Path("/short/run/supervisor.sock")
    deep, other = State(tmp_path / ("d" * 120)), State(tmp_path / ("e" * 120))
    socket = deep.socket
    # Airflow's tasks, which do not have the variable, must find the same one.
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    assert deep.socket == socket
    assert len(os.fsencode(deep.socket)) <= SOCKET_LIMIT
    assert deep.socket != other.socket


def test_a_folder_below_one_that_may_be_passed_and_not_read_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: Path, flags: int, *mode: int) -> int:
        if Path(path) == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    write_private(tmp_path / "state" / "settings.json", "{}")
    assert (tmp_path / "state" / "settings.json").read_text() == "{}"
    # Of its own folder the name must be on the disk.
    with pytest.raises(PermissionError):
        write_private(tmp_path / "settings.json", "{}")
