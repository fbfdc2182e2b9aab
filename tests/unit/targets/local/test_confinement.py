"""What `local.yaml` says of a program becomes what it is confined to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.definition import Tool
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.model import Loaded
from data_platform.targets.local import confine
from data_platform.targets.local.confinement import Confinement, confinement, make_places, prefix
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from tests.conftest import Tiny

VALUES = {"ETC": "/state/etc/x", "DATA": "/state/data/x", "TMPDIR": "/state/tmp/x", "ROOT": "/check out"}
needs_landlock = pytest.mark.skipif(not confine.abi(), reason="; ".join(confine.shortfalls()) or "there is Landlock")


def tool(**said: object) -> Tool:
    return Tool.model_validate({"command": ["x"], **said})


def test_its_own_folders_are_its_own_and_what_is_declared_and_what_the_caller_lends() -> None:
    spec = tool(reads=["{{ ROOT }}/jobs"], writes=["/dev/shm"], unix_sockets=True)
    found = confinement(spec, VALUES, "x.x", [Path("/lent")])
    assert found == Confinement(
        ("/state/etc/x", "/check out/jobs"), ("/state/data/x", "/state/tmp/x", "/dev/shm", "/lent"), True
    )


def test_what_is_not_confined_runs_as_before() -> None:
    assert confinement(tool(confined=False), VALUES, "x.x") is None
    assert prefix(None, "python", Path("/state"), Path("/cache")) == []


def test_the_words_say_what_is_closed_and_what_everybody_reads() -> None:
    found = prefix(confinement(tool(), VALUES, "x.x"), "python", Path("/state"), Path("/the cache"))
    assert found[:5] == ["python", "-I", "-S", confine.__file__, "--closed=/state"]
    assert found[5] == "--read=/the cache"
    assert found[-4:] == ["--read=/state/etc/x", "--write=/state/data/x", "--write=/state/tmp/x", "--"]
    sockets = prefix(confinement(tool(unix_sockets=True), VALUES, "x.x"), "python", Path("/state"), Path("/c"))
    assert sockets[-2:] == ["--unix-sockets", "--"]


def test_what_a_process_writes_is_made_before_it_starts(place: LocalTarget, tiny: Tiny) -> None:
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(writes=["{{ STATE }}/landing"]))
    changed = again(place)
    changed._make_folders(item_of(changed), changed._bindings("reader").open)
    assert (place.state.folder / "landing").is_dir()


def test_what_is_granted_in_the_state_folder_is_made_and_nothing_elsewhere(tmp_path: Path) -> None:
    state = tmp_path / "state"
    made, elsewhere = state / "landing", tmp_path / "elsewhere"
    make_places(Confinement((str(elsewhere),), (str(made),), False), state)
    assert made.stat().st_mode & 0o777 == 0o700
    assert not elsewhere.exists()
    make_places(None, state)


def reading(tiny: Tiny, path: Path, **said: object) -> None:
    """Let the job and the tool of the component `reader` print a file."""
    command = ["cat", str(path)]
    tiny.edit(tiny.local("reader"), lambda c: c["jobs"].update(prepare={"command": command, **said}))
    tiny.edit(tiny.local("reader"), lambda c: c["tools"].update(show={"command": command, **said}))


def again(place: LocalTarget) -> LocalTarget:
    return LocalTarget(load_stack(place.stack.root), place.state)


def item_of(place: LocalTarget) -> Loaded:
    return place.stack.components["reader"]


@needs_landlock
def test_a_tool_and_a_job_cannot_read_the_credentials(place: LocalTarget, tiny: Tiny) -> None:
    place.ensure_credentials()
    reading(tiny, place.state.credentials_file)
    confined = again(place)
    done = confined.run_tool("reader", "show", [], seconds=60)
    assert (done.returncode, "Permission denied" in done.output) == (1, True)
    with pytest.raises(PlatformError, match=r"job prepare: cat ended with 1\n.*Permission denied"):
        confined._run_job(item_of(confined), "prepare", confined._bindings("reader"))


def test_where_they_are_not_confined_they_can(place: LocalTarget, tiny: Tiny) -> None:
    place.ensure_credentials()
    token = place.credentials("reader")["token"]
    reading(tiny, place.state.credentials_file, confined=False)
    free = again(place)
    done = free.run_tool("reader", "show", [], seconds=60)
    assert (done.returncode, token in done.output) == (0, True)
    free._make_folders(item_of(free), free._bindings("reader").open)
    free._run_job(item_of(free), "prepare", free._bindings("reader"))


def test_a_tool_writes_to_what_it_is_lent(place: LocalTarget, tiny: Tiny, tmp_path: Path) -> None:
    lent = tmp_path / "lent"
    lent.mkdir()
    tiny.edit(tiny.local("reader"), lambda c: c["tools"].update(make={"command": ["touch", str(lent / "made")]}))
    lending = again(place)
    if confine.abi():
        assert lending.run_tool("reader", "make", [], seconds=60).returncode != 0
        assert not (lent / "made").exists()
    assert lending.run_tool("reader", "make", [], seconds=60, writes=[lent]).returncode == 0
    assert (lent / "made").exists()


def test_home_and_temporary_files_are_its_own(place: LocalTarget, tiny: Tiny) -> None:
    assert os.environ["HOME"] != str(place.state.data("reader"))
    found = place.tool_command("reader", "say", []).environment
    assert (found["HOME"], found["TMPDIR"]) == (str(place.state.data("reader")), str(place.state.tmp("reader")))
    tiny.edit(tiny.local("reader"), lambda c: c["tools"]["say"].update(confined=False))
    assert again(place).tool_command("reader", "say", []).environment["HOME"] == os.environ["HOME"]


def test_a_tool_whose_program_is_not_there_says_what_to_do(place: LocalTarget, tiny: Tiny) -> None:
    tiny.edit(tiny.local("reader"), lambda c: c["tools"]["say"].update(command=["{{ ARTIFACT_SHELL }}/none"]))
    done = again(place).run_tool("reader", "say", [], seconds=60)
    assert (done.returncode, "/none is not there; python3 -m bootstrap up brings" in done.output) == (127, True)


def test_another_confinement_starts_a_process_anew(place: LocalTarget, tiny: Tiny) -> None:
    digest = {(r.kind, r.name): r.digest for r in place.wanted("reader")}["process", "server"]
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(reads=["{{ ROOT }}/watched"]))
    assert {(r.kind, r.name): r.digest for r in again(place).wanted("reader")}["process", "server"] != digest
