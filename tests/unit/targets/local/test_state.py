"""Credentials are generated once, kept private, and never lost to a half-written file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.targets.local.state import SECRET_BYTES, SOCKET_LIMIT, State, read_json, write_private

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=lambda mask: f"umask {mask:03o}")
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
def test_credentials_are_private_whatever_the_umask(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.credentials(load_stack(tiny.root))
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


def test_an_open_file_becomes_private_when_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (mode(path), path.read_text(), list(tmp_path.iterdir())) == (0o600, "new", [path])


def test_secrets_are_generated_for_each_component_and_are_all_different(tiny: Tiny, tmp_path: Path) -> None:
    found = State(tmp_path / "state").credentials(load_stack(tiny.root))
    assert {name: sorted(entry) for name, entry in found.items()} == {
        "postgresql": ["password", "username"],
        "minio": ["access_key", "secret_key"],
        "reader": ["database_password", "database_user", "token"],
    }
    assert (found["postgresql"]["username"], found["reader"]["database_user"]) == ("postgres", "reader")
    secrets = [v for e in found.values() for k, v in e.items() if k not in ("username", "access_key", "database_user")]
    assert len(set(secrets)) == len(secrets) == 4
    assert {len(secret) for secret in secrets} == {2 * SECRET_BYTES}


def test_secrets_stay_the_same(tiny: Tiny, tmp_path: Path) -> None:
    stack = load_stack(tiny.root)
    first = State(tmp_path / "state").credentials(stack)
    written = (tmp_path / "state" / "credentials.json").stat().st_mtime_ns
    assert State(tmp_path / "state").credentials(stack) == first
    assert (tmp_path / "state" / "credentials.json").stat().st_mtime_ns == written


def test_two_platforms_have_different_secrets(tiny: Tiny, tmp_path: Path) -> None:
    stack = load_stack(tiny.root)
    one, other = (State(tmp_path / name).credentials(stack) for name in ("one", "other"))
    assert one["reader"]["token"] != other["reader"]["token"]


def test_a_new_component_gets_new_secrets_and_the_others_keep_theirs(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = state.credentials(load_stack(tiny.root, "bare"))
    after = state.credentials(load_stack(tiny.root))
    assert set(after) - set(before) == {"reader"}
    assert {name: after[name] for name in before} == before


def test_a_new_secret_of_a_known_component_leaves_its_others_alone(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = state.credentials(load_stack(tiny.root))["reader"]
    tiny.edit(tiny.component("reader"), lambda c: c["secrets"].append("second"))
    after = state.credentials(load_stack(tiny.root))["reader"]
    assert {key: after[key] for key in before} == before
    assert len(after["second"]) == 2 * SECRET_BYTES


def test_a_profile_that_is_left_keeps_its_secrets(tiny: Tiny, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    before = state.credentials(load_stack(tiny.root))["minio"]
    assert state.credentials(load_stack(tiny.root, "weeds"))["minio"] == before


@pytest.mark.parametrize("others", [0o644, 0o640, 0o604])
def test_a_credentials_file_that_others_can_read_is_refused(tiny: Tiny, tmp_path: Path, others: int) -> None:
    state = State(tmp_path / "state")
    state.credentials(load_stack(tiny.root))
    state.credentials_file.chmod(others)
    with pytest.raises(PlatformError, match="can be read by others") as caught:
        state.credentials(load_stack(tiny.root))
    assert caught.value.remedy == f"run: chmod 600 {state.credentials_file}"


@pytest.mark.parametrize("content", ['{"postgresql": {"passw', "", "[]", '"x"'])
def test_a_damaged_credentials_file_is_refused_and_left_alone(tiny: Tiny, tmp_path: Path, content: str) -> None:
    state = State(tmp_path / "state")
    write_private(state.credentials_file, content)
    with pytest.raises(PlatformError) as caught:
        state.credentials(load_stack(tiny.root))
    assert str(state.credentials_file) in caught.value.problem
    assert "backup" in caught.value.remedy
    assert state.credentials_file.read_text() == content


def test_lost_credentials_are_not_replaced_while_there_is_data_that_they_open(tiny: Tiny, tmp_path: Path) -> None:
    state, stack = State(tmp_path / "state"), load_stack(tiny.root)
    state.credentials(stack)
    state.data("postgresql").mkdir(parents=True)
    (state.data("postgresql") / "db").touch()
    state.credentials_file.unlink()
    with pytest.raises(PlatformError, match="is gone, but") as caught:
        state.credentials(stack)
    assert "backup" in caught.value.remedy
    assert not state.credentials_file.exists()


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
