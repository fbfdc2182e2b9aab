"""A purge removes what the platform made, names the rest, and follows no link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.local import contents
from data_platform.targets.local.contents import read, refuse_mounts, remove
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State

MADE = (
    "settings.json",
    "credentials.json",
    "ports.json",
    ".credentials.json.4711.0a1b2c3d",
    "etc/nessie/application.properties",
    "data/nessie/rocks.db",
    "data/dbt/target/manifest.json",
    "tmp/nessie/vertx-cache/x",
    "logs/nessie.server.log",
    "run/up.lock",
    "run/launch/nessie.server.json",
    "landing/fx_rates/.half.csv.part",
    "landing/fx_rates.dead-letters/7/.0f8fad5b-d9cb-469f-a165-70867728950e.part",
)
OWN = (
    "letter.txt",
    "photos/cat.jpg",
    "data/measured.csv",
    "data/backup-of-march/a.tar",
    "etc/notes.txt",
    "landing/fx_rates/waits.csv",
    "landing/fx_rates.dead-letters/7/odd.csv",
    "landing/fx_rates/.hidden",
    "landing/fx_rates.set-aside/7/.somebody's.csv.part",
    "landing/fx_rates.set-aside/7.reason.json",
    os.fsdecode(b"landing/fx_rates.set-aside/8/taux_\xe9.csv"),
    ".credentials.json.mine",
)


def put(state: State, *names: str) -> None:
    for name in names:
        path = state.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A platform that has run."""
    made = State(tmp_path / "state")
    claim(made)
    put(made, *MADE)
    (made.landing("fx_rates") / "empty").mkdir()
    return made


def purge(state: State) -> list[str]:
    """Remove the platform; returns what was told to stay."""
    found = read(state, {"dbt", "minio"})
    remove(state, found)
    return sorted(str(path.relative_to(state.folder)) for path in found.others)


def test_a_folder_with_a_platform_alone_goes_with_all_of_it(state: State) -> None:
    assert purge(state) == []
    assert not state.folder.exists()


def test_what_a_person_put_there_stays_and_is_named(state: State) -> None:
    put(state, *OWN)
    named = purge(state)
    left = sorted(str(path.relative_to(state.folder)) for path in state.folder.rglob("*") if path.is_file())
    assert left == sorted(OWN)
    assert named == sorted({*OWN, "photos", "data/backup-of-march"} - {"photos/cat.jpg", "data/backup-of-march/a.tar"})


def test_links_are_neither_followed_nor_removed_where_a_folder_of_ours_was(state: State, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (state.folder / "data" / "nessie" / "inner").symlink_to(elsewhere)
    (state.folder / "data" / "minio").symlink_to(elsewhere)
    (state.folder / "landing" / "fx_rates" / "waits").symlink_to(elsewhere)
    (state.folder / "cluster").symlink_to(elsewhere)
    (state.folder / "logs").rename(tmp_path / "logs")
    (state.folder / "logs").symlink_to(tmp_path / "logs")
    assert purge(state) == ["cluster", "data/minio", "landing/fx_rates/waits", "logs"]
    assert (elsewhere / "precious").read_text() == "x"
    assert (tmp_path / "logs" / "nessie.server.log").exists()
    assert not (state.folder / "data" / "nessie").exists()


@pytest.mark.parametrize("name", ["data", "etc", "landing"])
def test_a_whole_folder_that_lies_elsewhere_stays(state: State, tmp_path: Path, name: str) -> None:
    (state.folder / name).rename(tmp_path / name)
    (state.folder / name).symlink_to(tmp_path / name)
    before = sorted(tmp_path.joinpath(name).rglob("*"))
    assert name in purge(state)
    assert sorted(tmp_path.joinpath(name).rglob("*")) == before


def test_a_removal_that_was_interrupted_can_be_repeated(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    put(state, "letter.txt")
    removed: list[Path] = []
    before = contents.shutil.rmtree

    def cut(path: Path) -> None:
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(path)
        before(path)

    monkeypatch.setattr(contents.shutil, "rmtree", cut)
    with pytest.raises(KeyboardInterrupt):
        purge(state)
    assert state.mark_file.exists()
    monkeypatch.undo()
    assert purge(state) == ["letter.txt"]
    assert [path.name for path in state.folder.iterdir()] == ["letter.txt"]


def test_a_test_cluster_stays_and_so_does_the_mark_that_it_needs(state: State) -> None:
    put(state, "cluster/machine.json", "cluster/kubeconfig")
    found = read(state, {"dbt", "minio"})
    assert found.cluster == state.cluster
    assert found.others == ()
    remove(state, found)
    assert sorted(path.name for path in state.folder.iterdir()) == ["cluster", "platform.json"]


def test_what_is_mounted_inside_is_refused_and_the_folders_own_volume_is_not(state: State) -> None:
    def mounted(path: Path) -> str:
        words = str(path).replace("\\", "\\134").replace(" ", "\\040")
        return f"24 1 8:1 / / rw - ext4 /dev/a rw\n36 24 8:2 / {words} rw,noatime - ext4 /dev/b rw\n"

    refuse_mounts(state, mounted(state.folder))
    refuse_mounts(state, mounted(state.folder.with_name("state of others") / "data"))
    for inside in (state.folder / "data", state.folder / "data" / "my disk"):
        with pytest.raises(PlatformError, match=f"mounted inside of {state.folder}: {inside}"):
            refuse_mounts(state, mounted(inside))
    refuse_mounts(state)
