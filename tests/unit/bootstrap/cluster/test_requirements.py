"""What is missing is named, with what to do; what Debian has is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bootstrap import preflight
from bootstrap.cluster import cgroups, requirements, settings
from data_platform.stack.errors import PlatformError


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has everything; returns the folder of its network plugins."""
    plugins = tmp_path / "cni"
    plugins.mkdir()
    for name in ("ptp", "host-local", "loopback"):
        (plugins / name).touch()
    monkeypatch.setattr(settings, "PLUGIN_FOLDERS", (plugins,))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    monkeypatch.setattr(preflight, "mend", lambda found: found)
    return plugins


def test_a_complete_machine_has_no_problem(complete: Path, tmp_path: Path) -> None:
    assert requirements.problems(tmp_path / "state", "full") == []
    requirements.refuse_unfit(tmp_path / "state", "full")
    assert requirements.plugin_folder() == complete


def test_all_that_is_missing_is_named_with_its_packages(
    complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (complete / "ptp").unlink()
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("nft", "ctr") else name)
    with pytest.raises(PlatformError) as caught:
        requirements.refuse_unfit(tmp_path, "full")
    for word in ("nft is not", "apt-get install nftables", "apt-get install containerd", "containernetworking-plugins"):
        assert word in str(caught.value)


def test_the_api_level_needs_no_container_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complete: Path
) -> None:
    (complete / "ptp").unlink()
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("containerd", "ctr", "runc", "nft") else name)
    assert requirements.problems(tmp_path, "api") == []
    requirements.refuse_unfit(tmp_path, "api")
    with pytest.raises(PlatformError, match="containerd"):
        requirements.refuse_unfit(tmp_path, "full")


def test_without_root_another_cluster_is_offered(
    complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = complete
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PlatformError, match="--context"):
        requirements.refuse_unfit(tmp_path, "api")


def test_a_full_disk_is_named(complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ = complete
    monkeypatch.setattr(requirements, "_FREE_GIB", 1e9)
    with pytest.raises(PlatformError, match="GiB of free disk"):
        requirements.refuse_unfit(tmp_path / "not" / "there", "api")


def test_what_apt_installed_is_looked_for_again(
    complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = complete
    there = {"nft": False}
    monkeypatch.setattr(shutil, "which", lambda name: None if not there.get(name, True) else name)

    def mend(found: list[preflight.Problem]) -> list[preflight.Problem]:
        there["nft"] = bool(found)
        return []

    monkeypatch.setattr(preflight, "mend", mend)
    requirements.refuse_unfit(tmp_path, "full")
    assert there["nft"]
