"""What would fail later is refused before anything starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bootstrap import preflight
from bootstrap.doctor import orphans, refuse_unfit
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.targets.local import ports
from data_platform.targets.local.launch import boot, start_of
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture
def place(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)
    monkeypatch.setattr(preflight, "available_memory_gib", lambda: 8.0)
    return LocalTarget(load_stack(tiny.root), State(tmp_path / "state"))


def test_a_fit_machine_is_not_refused_and_nothing_is_made(place: LocalTarget) -> None:
    refuse_unfit(place, tuple(place.stack.components))
    assert not place.state.folder.exists()


def test_a_check_with_wrong_arguments_is_refused(place: LocalTarget, tiny: Tiny) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["checks"][0]["with"].update(pathh="/"))
    broken = LocalTarget(load_stack(tiny.root), place.state)
    with pytest.raises(PlatformError, match="answers-on-its-page"):
        refuse_unfit(broken, ())


def test_too_little_memory_for_the_selection_is_refused(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "available_memory_gib", lambda: 0.25)
    refuse_unfit(place, ("minio", "postgresql"))
    with pytest.raises(PlatformError, match=r"need 0\.4 GiB of memory, 0\.2 GiB are available") as caught:
        refuse_unfit(place, tuple(place.stack.components))
    assert "--only" in caught.value.remedy


def test_a_taken_port_is_refused(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    ports.choose(place.stack, place.state, place.cache)
    monkeypatch.setattr(ports, "is_free", lambda port: port != 21030)
    monkeypatch.setattr(ports, "holder", lambda _: "nginx (pid 7)")
    with pytest.raises(PlatformError, match=r"port 21030 of reader\.http is taken by nginx \(pid 7\)"):
        refuse_unfit(place, ())
    # Some of the platform runs: what does not must still find its port free.
    states = {"postgresql": {"server": "RUNNING"}, "reader": {"server": "FATAL"}}
    monkeypatch.setattr(LocalTarget, "processes", lambda _, name: states.get(name, {}))
    with pytest.raises(PlatformError, match=r"reader\.http is taken"):
        refuse_unfit(place, ())
    states["reader"]["server"] = "RUNNING"
    refuse_unfit(place, ())


def test_servers_that_outlived_their_supervisor_are_no_strangers(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports.choose(place.stack, place.state, place.cache)
    started = place.state.run / "started"
    started.mkdir(parents=True)
    mine = {"pid": os.getpid(), "start": start_of(os.getpid()), "digest": "a1"}
    (started / "reader.server.json").write_text(json.dumps(mine))
    (started / "portal.server.json").write_text(json.dumps({**mine, "start": "another-boot/1"}))
    assert orphans(place) == {"reader"}
    with subprocess.Popen(["sh", "-c", "sleep 600 & exit"], start_new_session=True) as leader:  # noqa: TID251 - see below
        pass
    try:  # A killed server's child holds its port: the number of the server is that of the group.
        (started / "minio.server.json").write_text(json.dumps({**mine, "pid": leader.pid, "start": f"{boot()}/1"}))
        assert orphans(place) == {"reader", "minio"}
    finally:
        os.killpg(leader.pid, signal.SIGKILL)
    monkeypatch.setattr(ports, "is_free", lambda port: port != 21030)
    refuse_unfit(place, ())


def test_a_component_that_needs_more_open_files_than_it_can_have_is_refused(
    place: LocalTarget, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["resources"].update(open_files=4096))
    target = LocalTarget(load_stack(tiny.root), place.state)
    monkeypatch.setattr(preflight, "open_files", lambda: 1024.0)
    refuse_unfit(target, ("minio", "postgresql"))
    with pytest.raises(PlatformError, match="1024 files open, 4096 are needed") as caught:
        refuse_unfit(target, ("minio", "reader"))
    assert "ulimit -Hn" in caught.value.remedy


def test_a_component_that_does_not_start_from_a_path_with_accents_is_refused_there(
    place: LocalTarget, tiny: Tiny
) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["resources"].update(ascii_path=True))
    stack = load_stack(tiny.root)
    accents = LocalTarget(stack, State(place.state.folder.with_name("Données")))
    with pytest.raises(PlatformError, match=r"Données\) holds 'é', and reader does not start from there") as refused:
        refuse_unfit(accents, tuple(stack.components))
    assert "--state" in refused.value.remedy
    refuse_unfit(accents, ("minio", "postgresql"))
    refuse_unfit(LocalTarget(stack, place.state), tuple(stack.components))


def test_a_folder_of_the_machine_that_a_component_writes_to_must_be_there(place: LocalTarget, tiny: Tiny) -> None:
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(writes=["/dev/none"]))
    target = LocalTarget(load_stack(tiny.root), place.state)
    refuse_unfit(target, ("minio",))
    with pytest.raises(PlatformError, match=r"reader\.server writes to /dev/none, which is not there"):
        refuse_unfit(target, ("reader",))
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(writes=["/dev/shm"]))
    refuse_unfit(LocalTarget(load_stack(tiny.root), place.state), ("reader",))
