"""What the tests of the cluster have in common: the cluster that they run on, and a room of their own in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bootstrap.cluster.layout import Layout
from data_platform.clients.kubernetes import Cluster

ROOT = Path(__file__).resolve().parents[2]
#: A first `up` compiles Kubernetes.
UP_SECONDS = 45 * 60
VERB_SECONDS = 900
#: Building all images, and everything that `up` of a platform does.
PLATFORM_SECONDS = 60 * 60
PROCESSING = "data-platform-processing"


@dataclass(frozen=True)
class Given:
    """A cluster for tests.

    Attributes:
        client: as its administrator.
        context: name of its context.
        kubeconfig: file that has the context.
        layout: of our own cluster on this machine; None where it is somebody else's.
    """

    client: Cluster
    context: str
    kubeconfig: Path
    layout: Layout | None = None

    @property
    def own(self) -> Layout:
        """Of our own cluster; skips the test elsewhere."""
        if self.layout is None:
            pytest.skip(f"{self.context} is not a cluster of our own on this machine")
        return self.layout


def of_a_platform(request: pytest.FixtureRequest, look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What a look finds of a platform on the cluster; where there is none, the one of this room is brought up for it.

    Args:
        request: of the test.
        look: lists objects of the platform.
    """
    if not (found := look()):
        request.getfixturevalue("platform")
        found = look()
    assert found, "the platform of this room has not what is asked for"
    return found


def bootstrap(state: Path, *words: str, seconds: float = VERB_SECONDS) -> str:
    """Run `python3 -m bootstrap cluster …`; fails the test with its output when it fails."""
    command = [sys.executable, "-m", "bootstrap", "cluster", "--state", str(state), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    print(f"$ bootstrap cluster {' '.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        for log in sorted((state / "cluster" / "logs").glob("*.log")):
            print(f"--- {log.name}", *log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:], sep="\n")
        pytest.fail(f"bootstrap cluster {' '.join(words)} ended with {done.returncode}")
    return done.stdout


def another_checkout(folder: Path, file: str, said: str, says: str) -> Path:
    """A copy of this checkout, in which a file says something else."""
    changed = folder / "a checkout"
    shutil.copytree(ROOT, changed, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis"))
    text = (changed / file).read_text(encoding="utf-8")
    assert said in text
    (changed / file).write_text(text.replace(said, says), encoding="utf-8")
    return changed


@dataclass
class Room:
    """A namespace of a test's own, with pods that serve and call (`stack/cluster/agents/probe`)."""

    client: Cluster
    name: str
    image: str
    labels: dict[str, str] = field(default_factory=dict)

    def apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Make an object in this namespace."""
        wanted["metadata"]["namespace"] = self.name
        return self.client.server_side_apply(wanted)

    def container(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """A container of the probe, restricted as the platform's are."""
        security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        return {
            "name": "probe",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "args": list(arguments),
            "securityContext": security,
            **more,
        }

    def pod_spec(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """A pod with that container."""
        return {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [self.container(*arguments, **more)],
        }

    def pod(self, name: str, *arguments: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Start a pod that serves on 8080, or does what the arguments say, and wait until it runs."""
        spec = self.pod_spec(*(arguments or ("serve", "8080")), **more)
        meta = {"name": name, "labels": {"app": name} | (labels or {})}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        return self.wait_for(name)

    def wait_for(self, pod: str, phase: str = "Running", seconds: float = 300) -> dict[str, Any]:
        """Wait until a pod is in a phase and, when it runs, ready."""

        def done(found: dict[str, Any] | None) -> bool:
            status = found["status"] if found else {}
            ready = all(c["ready"] for c in status.get("containerStatuses", [{"ready": False}]))
            return status.get("phase") == phase and (ready or phase != "Running")

        found = self.client.wait_until("v1", "Pod", pod, self.name, done=done, seconds=seconds)
        assert found is not None
        return found

    def call(self, pod: str, *words: str) -> tuple[int, str]:
        """Run the probe in a pod: exit code and what it said."""
        done = self.client.execute(pod, self.name, ["/probe", *words], seconds=120)
        return done.returncode, (done.stdout + done.stderr).decode()
