"""One setting puts SeaweedFS in the place of MinIO, and the same checks pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running import UP_SECONDS, Running, end

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]


@pytest.fixture(scope="module")
def seaweedfs_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A second platform beside the first one, with SeaweedFS in the place of MinIO."""
    running = Running(tmp_path_factory.mktemp("seaweedfs") / "a state", profile="seaweedfs")
    running.bootstrap("up", "--profile", "seaweedfs", "--only", "spark", seconds=UP_SECONDS)
    yield running
    end(running)


def test_the_same_checks_pass_on_seaweedfs(seaweedfs_platform: Running) -> None:
    found = {c["name"]: c for c in seaweedfs_platform.status()["components"]}
    assert "minio" not in found
    for name in ("seaweedfs", "nessie", "trino", "spark"):
        assert found[name]["state"] in ("running", "installed"), found[name]
        assert len(found[name]["checks"]) == found[name]["checks_declared"] >= 1
        assert {check["status"] for check in found[name]["checks"]} == {"passed"}, found[name]


def test_a_state_folder_keeps_its_profile(seaweedfs_platform: Running) -> None:
    done = seaweedfs_platform.bootstrap("up", "--profile", "default", check=False)
    assert done.returncode == 2
    assert "was brought up with the profile 'seaweedfs'" in done.stderr
