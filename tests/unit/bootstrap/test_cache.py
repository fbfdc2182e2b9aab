"""The cache is pruned of what nobody uses, and of nothing else."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from bootstrap import cache as module
from bootstrap import uses
from bootstrap.cache import forget_unused, prune, size_of
from bootstrap.progress import Progress
from bootstrap.uses import NOTHING, Uses
from data_platform.targets.images.layers import Blob
from data_platform.targets.images.layout import Layout
from data_platform.targets.local.artifacts import EPOCH

#: Seconds: everything is older than that.
ANY_AGE = -5.0
Used = Callable[..., None]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Used:
    """Lets a test say what is used, and by whom."""

    def say(noted: Uses = NOTHING, platforms: Uses = NOTHING, processes: Uses = NOTHING) -> None:
        monkeypatch.setattr(uses, "noted", lambda _: noted)
        monkeypatch.setattr(uses, "of_platforms", lambda _: platforms)
        monkeypatch.setattr(uses, "of_processes", lambda _: processes)

    say()
    return say


def names(*given: str) -> Uses:
    return Uses(frozenset(given), frozenset())


def put(cache: Path, name: str) -> Path:
    """An entry of the cache with its lock."""
    folder = cache / name
    folder.mkdir(parents=True)
    (folder / "program").write_bytes(bytes(10_000))
    folder.with_suffix(".lock").touch()
    return folder


def pruned(cache: Path, *, dry_run: bool = False, older: float = ANY_AGE) -> list[str]:
    return [str(each.path.relative_to(cache)) for each in prune(cache, dry_run=dry_run, older=older)]


def test_what_checkouts_platforms_and_processes_use_stays_and_the_rest_goes(cache: Path, used: Used) -> None:
    kept = [put(cache, f"artifacts/{name}-1") for name in ("noted", "platform", "process")]
    kept += [put(cache, "environments/platform-1"), put(cache, "tools/uv-1")]
    gone = [put(cache, name) for name in ("artifacts/old-1", "environments/platform-0", "tools/uv-0")]
    used(
        names("artifacts/noted-1", "environments/platform-1", "tools/uv-1"),
        names("artifacts/platform-1"),
        names("artifacts/process-1"),
    )
    assert pruned(cache, dry_run=True) == ["artifacts/old-1", "environments/platform-0", "tools/uv-0"]
    assert all(folder.exists() for folder in gone)
    assert pruned(cache) == ["artifacts/old-1", "environments/platform-0", "tools/uv-0"]
    assert [folder for folder in gone if folder.exists()] == []
    assert all((folder / "program").exists() for folder in kept)
    # Who waits for a lock must find the one that others hold.
    assert (cache / "artifacts" / "old-1.lock").exists()
    assert pruned(cache) == []


def test_what_is_being_made_stays(cache: Path, used: Used) -> None:
    used()
    folder = put(cache, "artifacts/trino-1")
    with FileLock(folder.with_suffix(".lock")):
        assert pruned(cache) == []
    assert (folder / "program").exists()
    assert pruned(cache) == ["artifacts/trino-1"]


def test_what_is_young_stays_for_a_checkout_that_has_not_said_that_it_needs_it(cache: Path, used: Used) -> None:
    used()
    folder = put(cache, "artifacts/trino-1")
    # Artifacts have one time, whenever they were made.
    os.utime(folder, (EPOCH, EPOCH))
    assert pruned(cache, older=module.YOUNG_SECONDS) == []


def test_what_a_killed_build_or_removal_left_goes_once_nobody_works_on_it(cache: Path, used: Used) -> None:
    put(cache, "artifacts/.partial-ab")
    put(cache, "artifacts/.removed-x-1")
    put(cache, "environments/test-1.partial")
    used(processes=names("artifacts/.partial-ab"))
    assert pruned(cache) == ["artifacts/.removed-x-1", "environments/test-1.partial"]
    used()
    assert pruned(cache) == ["artifacts/.partial-ab"]


def test_a_removal_that_is_killed_leaves_no_half_of_an_artifact(
    cache: Path, used: Used, monkeypatch: pytest.MonkeyPatch
) -> None:
    used()
    folder = put(cache, "artifacts/trino-1")

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        pruned(cache)
    assert not folder.exists()


def test_an_archive_is_removed_as_a_folder_is(cache: Path, used: Used) -> None:
    used(names("artifacts/image-kept-1.tar"))
    for name in ("kept", "old"):
        file = cache / "artifacts" / f"image-{name}-1.tar"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 5000)
    assert pruned(cache) == ["artifacts/image-old-1.tar"]
    assert [path.name for path in (cache / "artifacts").iterdir() if path.suffix == ".tar"] == ["image-kept-1.tar"]


class Images:
    """Images in the cache: two layers each, one of them shared."""

    def __init__(self, cache: Path) -> None:
        self.folder = cache / "images"
        self.layout = Layout(self.folder / "layout")
        self.layers = {key: self.layout.add(key.encode() * 5000) for key in ("base", "new", "old")}
        for name in ("layers", "records", "sbom"):
            (self.folder / name).mkdir(parents=True)
        for key, blob in self.layers.items():
            (self.folder / "layers" / f"{key}.json").write_text(json.dumps({"digest": blob.digest}))
        self.index: dict[str, Blob] = {}
        for key in ("new", "old"):
            name = f"localhost/p/trino:{key}"
            manifest, _ = self.layout.add_image({"User": key}, [(k, self.layers[k]) for k in ("base", key)])
            self.index[name] = manifest
            (self.folder / "records" / f"trino-{key}.json").write_text(json.dumps({"reference": name}))
            (self.folder / "sbom" / f"trino-{key}.cdx.json").write_text("{}")
        self.layout.write_index(self.index)


def test_layers_that_no_checkout_needs_go_with_the_images_of_them(cache: Path, used: Used) -> None:
    made = Images(cache)
    used(Uses(frozenset(), frozenset({"base", "new"})))
    assert pruned(cache) == ["images"]
    assert set(made.layout.images()) == {"localhost/p/trino:new"}
    (manifest,) = made.layout.images().values()
    there = {f"sha256:{path.name}" for path in made.layout.blobs.iterdir()}
    assert there == {blob.digest for blob in made.layout.blobs_of(manifest)}
    for name in ("layers", "records", "sbom"):
        left = {path.name.split(".")[0] for path in (made.folder / name).iterdir()}
        assert left == ({"base", "new"} if name == "layers" else {"trino-new"})
    assert pruned(cache) == []


def test_images_stay_while_some_are_being_built(cache: Path, used: Used) -> None:
    made = Images(cache)
    used()
    with FileLock(made.folder / "build.lock"):
        assert pruned(cache) == []
    assert set(made.layout.images()) == set(made.index)


def test_sizes_are_those_on_the_disk_and_a_file_of_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes([1]) * 100_000)
    once = size_of(tmp_path)
    assert once >= 100_000
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert size_of(tmp_path) < once + 50_000


def test_the_verb_tells_what_goes_and_how_much_it_is(
    cache: Path, used: Used, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    used()
    monkeypatch.setattr(module, "YOUNG_SECONDS", ANY_AGE)
    monkeypatch.setattr(prune, "__kwdefaults__", {"dry_run": False, "older": ANY_AGE})
    put(cache, "artifacts/trino-1")
    assert module.cache(argparse.Namespace(action="show", dry_run=False)) == 0
    shown = capsys.readouterr().out
    assert "artifacts" in shown
    assert "python3 -m bootstrap cache prune" in shown
    assert module.cache(argparse.Namespace(action="prune", dry_run=True)) == 0
    assert "in 1 things would be removed from" in capsys.readouterr().out
    assert module.cache(argparse.Namespace(action="prune", dry_run=False)) == 0
    out = capsys.readouterr().out
    assert "artifacts/trino-1" in out
    assert f"in 1 things removed from {cache}" in out
    # What this checkout needs has been noted.
    assert len(list((cache / uses.FOLDER).iterdir())) == 1


def test_up_removes_by_itself_only_what_was_made_long_ago(
    cache: Path, used: Used, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    used()
    folder = put(cache, "artifacts/trino-1")
    forget_unused(Progress())
    assert folder.exists()
    monkeypatch.setattr(module, "FORGOTTEN_SECONDS", ANY_AGE)
    forget_unused(Progress())
    assert not folder.exists()
    assert "that nobody has used for a month removed" in capsys.readouterr().out
