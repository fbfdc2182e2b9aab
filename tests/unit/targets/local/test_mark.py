"""A state folder is used by those alone who may: a copy, a stranger's folder and another user's are refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.local import mark
from data_platform.targets.local.launch import start_of
from data_platform.targets.local.mark import Kind, claim, examine, refuse_unclaimable, require
from data_platform.targets.local.state import State, write_private

SETTINGS = '{"target": "local", "profile": "default"}\n'


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A new state folder."""
    return State(tmp_path / "state")


@pytest.fixture
def marked(state: State) -> State:
    """One that bears its mark, as after an `up`."""
    claim(state)
    write_private(state.settings_file, SETTINGS)
    return state


def older(folder: Path) -> State:
    """As the version before marks left it."""
    made = State(folder)
    for name in ("started", "launch", "programs", "jobs"):
        (made.run / name).mkdir(parents=True)
    made.settings_file.write_text(SETTINGS)
    (made.run / "up.lock").touch()
    (made.run / "supervisord.conf").write_text(f"[supervisord]\nnodaemon=false\npidfile={made.run}/supervisord.pid\n")
    return made


def copy_of(state: State, name: str = "copy") -> State:
    return State(Path(shutil.copytree(state.folder, state.folder.with_name(name))))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_a_folder_that_is_new_or_empty_gets_a_mark_of_its_own(state: State, there: bool) -> None:
    if there:
        state.folder.mkdir()
    found = claim(state)
    assert found.folder == str(state.folder)
    assert (found.machine, found.owner) == (mark.machine(), os.geteuid())
    assert len(found.platform) == 16
    assert state.mark_file.stat().st_mode & 0o777 == 0o600
    assert claim(state) == found
    assert mark.platform_of(require(state)) == found.platform


def test_a_volume_of_its_own_counts_as_empty(state: State) -> None:
    (state.folder / "lost+found").mkdir(parents=True)
    assert examine(state).kind is Kind.NEW


def test_two_platforms_have_different_ids(tmp_path: Path) -> None:
    assert claim(State(tmp_path / "one")).platform != claim(State(tmp_path / "other")).platform


@pytest.mark.parametrize(
    "content",
    [
        {"letter.txt": "mine"},
        {"settings.json": '{"editor.fontSize": 12}', "run/notes.txt": "mine"},
        {"settings.json": SETTINGS, "letter.txt": "mine"},
        {"settings.json": "{"},
        {"data/measured.csv": "1,2", "logs/old.log": "x", "etc/hosts": "x"},
        {"cluster/machine.json": '{"cpus": 4}'},
        {"run/main.py": "pass"},
    ],
    ids=" ".join,
)
def test_a_folder_that_no_platform_made_is_refused_and_left_as_it_is(state: State, content: dict[str, str]) -> None:
    for name, text in content.items():
        (state.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (state.folder / name).write_text(text)
    before = everything(state.folder)
    first = min(name.partition("/")[0] for name in content)
    acts: list[Callable[[State], object]] = [
        refuse_unclaimable,
        claim,
        lambda s: claim(s, adopt=True),
        require,
        lambda s: require(s, looks=True),
    ]
    for act in acts:
        with pytest.raises(PlatformError, match=f"there is no platform in .*; it holds {first}"):
            act(state)
    assert everything(state.folder) == before


def test_a_file_in_the_place_of_the_folder_is_refused(state: State) -> None:
    state.folder.write_text("mine")
    with pytest.raises(PlatformError, match="is no folder"):
        require(state)


def test_a_platform_of_an_earlier_version_is_used_in_its_place_and_marked_by_the_next_up(tmp_path: Path) -> None:
    state = older(tmp_path / "state")
    assert examine(state).kind is Kind.OLDER
    assert mark.platform_of(require(state)) == ""
    claim(state)
    assert examine(state).kind is Kind.OURS


@pytest.mark.parametrize("target", ["local", "kubernetes"])
def test_an_earlier_version_is_known_by_its_settings_too(state: State, target: str) -> None:
    state.run.mkdir(parents=True)
    state.settings_file.write_text(json.dumps({"target": target, "profile": "default"}))
    assert examine(state).kind is Kind.OLDER


def test_an_up_that_was_refused_before_it_made_anything_can_be_repeated(state: State) -> None:
    with state.lock("up"):
        assert examine(state).kind is Kind.OLDER
    assert claim(state).folder == str(state.folder)


def test_a_test_cluster_of_an_earlier_version_makes_a_state_folder_where_it_was_made(state: State) -> None:
    record = state.cluster / "machine.json"
    write_private(record, json.dumps({"id": State(state.cluster).id, "group": "g", "link": "l"}))
    assert examine(state).kind is Kind.OLDER
    write_private(record, json.dumps({"id": "0123456789ab", "group": "g", "link": "l"}))
    assert examine(state).kind is Kind.ELSEWHERE


@pytest.mark.parametrize("earlier", [False, True], ids=["marked", "of an earlier version"])
def test_a_copy_is_no_platform_that_anything_may_be_done_with(tmp_path: Path, earlier: bool) -> None:
    original = older(tmp_path / "original") if earlier else State(tmp_path / "original")
    if not earlier:
        claim(original)
    copy = copy_of(original)
    before = everything(copy.folder)
    acts: list[Callable[[State], object]] = [refuse_unclaimable, claim, require, lambda s: require(s, looks=True)]
    for act in acts:
        with pytest.raises(PlatformError, match=f"was made as {original.folder}") as caught:
            act(copy)
        assert "--adopt" in caught.value.remedy
    # Not even when it is said: the original is there.
    with pytest.raises(PlatformError, match="one platform cannot be in two folders"):
        claim(copy, adopt=True)
    assert everything(copy.folder) == before
    require(original)


@pytest.mark.parametrize("earlier", [False, True], ids=["marked", "of an earlier version"])
def test_a_folder_that_was_moved_is_taken_over_when_that_is_said(tmp_path: Path, earlier: bool) -> None:
    original = older(tmp_path / "original") if earlier else State(tmp_path / "original")
    before = None if earlier else claim(original)
    for name in ("launch/a.b.json", "programs/a.b.conf", "started/a.b.json", "jobs/a.init.json"):
        write_private(original.run / name, "{}")
    moved = State(original.folder.rename(tmp_path / "moved"))
    with pytest.raises(PlatformError, match="was made as"):
        claim(moved)
    found = claim(moved, adopt=True)
    assert found.folder == str(moved.folder)
    assert before is None or found.platform == before.platform
    # What names processes and paths of the other place is gone.
    assert [path.name for path in moved.run.rglob("*.*") if path.name != "up.lock"] == ["a.init.json"]
    require(moved)


@contextmanager
def a_process(*words: str) -> Iterator[int]:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: TID251 - it is looked at while it runs
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_moved_folder_whose_servers_still_run_is_not_taken_over(marked: State, tmp_path: Path) -> None:
    moved = State(marked.folder.rename(tmp_path / "moved"))
    with a_process(str(marked.run / "supervisord.conf")) as pid:
        (moved.run).mkdir(exist_ok=True)
        (moved.run / "supervisord.pid").write_text(f"{pid}\n")
        with pytest.raises(PlatformError, match=f"its servers still run: supervisor \\(pid {pid}\\)"):
            claim(moved, adopt=True)
        (moved.run / "supervisord.pid").unlink()
        write_private(moved.run / "started" / "nessie.server.json", json.dumps({"pid": pid, "start": start_of(pid)}))
        with pytest.raises(PlatformError, match=f"nessie.server \\(pid {pid}\\)") as caught:
            claim(moved, adopt=True)
        assert str(marked.folder) in caught.value.remedy
    assert claim(moved, adopt=True).folder == str(moved.folder)


def test_a_moved_folder_with_a_test_cluster_is_not_taken_over(marked: State, tmp_path: Path) -> None:
    write_private(marked.cluster / "machine.json", "{}")
    moved = State(marked.folder.rename(tmp_path / "moved"))
    with pytest.raises(PlatformError, match="with a test cluster"):
        claim(moved, adopt=True)


def changed(state: State, **values: object) -> None:
    content = json.loads(state.mark_file.read_text())
    write_private(state.mark_file, json.dumps({**content, **values}))


def test_a_folder_of_another_machine_is_taken_over_only_when_that_is_said(
    marked: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark, "machine", lambda: "here")
    changed(marked, machine="there")
    with pytest.raises(PlatformError, match="was made on another machine"):
        require(marked)
    assert claim(marked, adopt=True).machine == "here"
    require(marked)


@pytest.mark.parametrize(("made_on", "here"), [("", "here"), ("there", "")])
def test_a_machine_without_an_id_is_not_told_from_another(
    marked: State, monkeypatch: pytest.MonkeyPatch, made_on: str, here: str
) -> None:
    monkeypatch.setattr(mark, "machine", lambda: here)
    changed(marked, machine=made_on)
    require(marked)


def test_a_folder_that_was_handed_to_another_user_is_taken_over_only_when_that_is_said(marked: State) -> None:
    changed(marked, owner=os.geteuid() + 1)
    with pytest.raises(PlatformError, match=rf"was made by .*user {os.geteuid() + 1}\b"):
        require(marked)
    assert claim(marked, adopt=True).owner == os.geteuid()


@pytest.mark.parametrize("there", ["marked", "empty"])
def test_nothing_is_written_into_another_users_folder(
    state: State, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    state.folder.mkdir()
    if there == "marked":
        claim(state)
        write_private(state.settings_file, SETTINGS)
    before = everything(state.folder)
    me = os.geteuid()
    monkeypatch.setattr("data_platform.targets.local.mark.os.geteuid", lambda: me + 1)
    acts: list[Callable[[State], object]] = [refuse_unclaimable, claim, lambda s: claim(s, adopt=True), require]
    for act in acts:
        with pytest.raises(
            PlatformError, match=f"belongs to .* \\(user {me}\\), and you are .*user {me + 1}\\b"
        ) as caught:
            act(state)
        assert "as its owner" in caught.value.remedy
    if there == "marked":
        looking = require(state, looks=True)
        assert looking.looks
        with pytest.raises(PlatformError, match="nothing is written there"):
            looking.lock("credentials")
    assert everything(state.folder) == before


@pytest.mark.parametrize("content", ["{", "{}", '{"platform": "x"}', "[]"])
def test_a_damaged_mark_is_refused(marked: State, content: str) -> None:
    write_private(marked.mark_file, content)
    acts: list[Callable[[State], object]] = [claim, require]
    for act in acts:
        with pytest.raises(PlatformError, match=r"platform\.json") as caught:
            act(marked)
        assert "backup" in caught.value.remedy
    assert marked.mark_file.read_text() == content
