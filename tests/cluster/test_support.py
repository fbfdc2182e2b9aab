"""The archive for who helps from afar, of the platform on the cluster. The same as tests/e2e/test_support.py."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from data_platform.clients.kubernetes import Cluster
from data_platform.targets.kubernetes import rollout
from tests.cluster.given import PROCESSING
from tests.running import Running
from tests.secret_values import secrets_of
from tests.written_secrets import content_of, planted, shown

pytestmark = pytest.mark.timeout(1800)


def test_the_archive_lacks_nothing_and_shows_no_secret_that_a_container_has_written(
    platform: Running, cluster: Cluster, tmp_path: Path
) -> None:
    with closing(platform.target) as target:
        secrets = secrets_of(target)
    assert len(secrets) >= 20
    text = "".join(planted(value) for value in secrets.values())
    pod = rollout.ready_pod(cluster, "nessie", PROCESSING)
    # What the first process of a container has for its output is the container's log.
    done = cluster.execute(pod, PROCESSING, ["sh", "-c", "cat > /proc/1/fd/1"], text.encode(), seconds=60)
    assert done.returncode == 0, done.stderr
    platform.bootstrap("support", "--output", str(tmp_path / "help.tar.gz"))
    files = content_of(tmp_path / "help.tar.gz")
    manifest = json.loads(files["manifest.json"])
    assert [part for part in manifest["parts"] if "lacks" in part] == []
    assert shown(secrets, {"the log": text}) == {"the log": set(secrets)}, "the search finds them"
    assert "2026-11-20 plain: «secret: " in files[f"logs/{PROCESSING}/{pod}/server.log"]
    assert shown(secrets, files) == {}
    assert {f"«secret: {name.replace('.', '/', 1)}»" for name in secrets} <= manifest["redacted"].keys()
    pods = json.loads(files[f"cluster/{PROCESSING}/Pod.json"])
    assert pod in {each["metadata"]["name"] for each in pods}
    assert f"cluster/{PROCESSING}/events.txt" in files
