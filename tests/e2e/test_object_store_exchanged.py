"""One setting puts SeaweedFS in the place of MinIO, and the same checks pass."""

from __future__ import annotations

import pytest

from tests.running import Running

pytestmark = pytest.mark.timeout(3600)


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
