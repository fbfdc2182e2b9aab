"""Ports are chosen once for each state folder, and no port twice on a machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.local import ports
from data_platform.targets.local.ports import choose, holder, is_free, refuse_taken
from data_platform.targets.local.state import State

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture
def stack(tiny: Tiny) -> Stack:
    return load_stack(tiny.root)


@pytest.fixture
def listener() -> Iterator[int]:
    """Port of a real server of this process, on loopback."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.usefixtures("free_ports")
def test_the_preferred_ports_are_taken_where_they_are_free(stack: Stack, cache: Path, tmp_path: Path) -> None:
    assert choose(stack, State(tmp_path / "one"), cache) == {
        "minio.http": 21010,
        "postgresql.sql": 21000,
        "reader.http": 21030,
        "portal.http": 21040,
    }


@pytest.mark.usefixtures("free_ports")
def test_three_platforms_of_one_machine_share_no_port(stack: Stack, cache: Path, tmp_path: Path) -> None:
    found = [choose(stack, State(tmp_path / name), cache) for name in ("one", "two", "three")]
    everything = [port for chosen in found for port in chosen.values()]
    assert len(everything) == 12
    assert len(set(everything)) == len(everything)


@pytest.mark.usefixtures("free_ports")
def test_no_component_gets_the_port_that_another_prefers_and_has(stack: Stack, cache: Path, tmp_path: Path) -> None:
    # postgresql's next port after 21000 is 21010, which minio has already.
    chosen = choose(stack, State(tmp_path / "one"), cache)
    second = choose(stack, State(tmp_path / "two"), cache)
    assert not set(chosen.values()) & set(second.values())


def test_a_taken_port_is_passed_over(
    stack: Stack, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: port not in (21030, 21040, 21050))
    assert choose(stack, State(tmp_path / "one"), cache)["reader.http"] == 21060


@pytest.mark.usefixtures("free_ports")
def test_ports_stay_the_same_even_when_somebody_else_took_them(
    stack: Stack, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = choose(stack, State(tmp_path / "one"), cache)
    monkeypatch.setattr(ports, "is_free", lambda port: port < 0)
    assert choose(stack, State(tmp_path / "one"), cache) == first


@pytest.mark.usefixtures("free_ports")
def test_a_new_component_gets_a_port_and_the_others_keep_theirs(tiny: Tiny, cache: Path, tmp_path: Path) -> None:
    before = choose(load_stack(tiny.root, "bare"), State(tmp_path / "one"), cache)
    after = choose(load_stack(tiny.root), State(tmp_path / "one"), cache)
    assert before.items() < after.items()


@pytest.mark.usefixtures("free_ports")
def test_the_registry_forgets_a_state_folder_that_is_gone(stack: Stack, cache: Path, tmp_path: Path) -> None:
    first = choose(stack, State(tmp_path / "one"), cache)
    shutil.rmtree(tmp_path / "one")
    assert choose(stack, State(tmp_path / "two"), cache) == first
    owners = set(json.loads((cache / "ports.json").read_text()).values())
    assert owners == {str(tmp_path / "two")}


def test_no_free_port_at_all_is_an_error(
    stack: Stack, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: port < 0)
    with pytest.raises(PlatformError, match="no free port from"):
        choose(stack, State(tmp_path / "one"), cache)


@pytest.mark.enable_socket
def test_a_port_with_a_server_is_not_free(listener: int) -> None:
    assert not is_free(listener)


@pytest.mark.enable_socket
def test_a_port_without_a_server_is_free() -> None:
    ports = []
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    # Another program may have got one since.
    assert any(map(is_free, ports))


@pytest.mark.enable_socket
def test_the_holder_of_a_port_is_named(listener: int) -> None:
    assert f"(pid {os.getpid()})" in holder(listener)


@pytest.mark.enable_socket
def test_a_taken_port_is_refused_with_its_number_its_holder_and_the_remedy(stack: Stack, listener: int) -> None:
    with pytest.raises(PlatformError) as caught:
        refuse_taken(stack, {"reader.http": listener}, set())
    assert f"port {listener} of reader.http is taken by" in caught.value.problem
    assert str(os.getpid()) in caught.value.problem
    assert "ports.json" in caught.value.remedy


@pytest.mark.enable_socket
def test_all_taken_ports_are_named_at_once(stack: Stack, listener: int) -> None:
    with pytest.raises(PlatformError) as caught:
        refuse_taken(stack, {"reader.http": listener, "portal.http": listener}, set())
    assert "reader.http" in caught.value.problem
    assert "portal.http" in caught.value.problem


@pytest.mark.enable_socket
def test_ports_of_my_own_running_servers_and_of_left_profiles_are_no_clash(stack: Stack, listener: int) -> None:
    refuse_taken(stack, {"reader.http": listener, "weeds.http": listener}, {"reader"})
    with pytest.raises(PlatformError):
        refuse_taken(stack, {"reader.http": listener, "weeds.http": listener}, set())
