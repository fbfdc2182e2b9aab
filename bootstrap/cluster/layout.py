"""Names, paths and addresses of a cluster. The state folder's path decides them, so two clusters do not meet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_platform.targets.local.state import State

#: Name of the context, the cluster and the user in the kubeconfig.
CONTEXT = "data-platform-test"
NODE = "node"
API_PORT = 6443
#: Inside the cluster's own network namespace, so they may be the same in every cluster.
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
DOMAIN = "cluster.local"
#: Inside the mount namespace; on the machine there is no such file.
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
#: Begins the names of the control groups of all clusters.
CGROUP_PREFIX = "data-platform-cluster-"


@dataclass(frozen=True)
class Layout:
    """One cluster, by the state folder of the platform that it is for."""

    platform_state: Path

    @property
    def folder(self) -> Path:
        """Everything of the cluster."""
        return State(self.platform_state).cluster

    @property
    def state(self) -> State:
        """Supervisor's files, launch files and logs, as of a platform."""
        return State(self.folder)

    @property
    def record(self) -> Path:
        """What is changed on the machine."""
        return self.folder / "machine.json"

    @property
    def kubeconfig(self) -> Path:
        """How an administrator reaches the API server."""
        return self.folder / "kubeconfig"

    @property
    def etc(self) -> Path:
        """Configuration of the servers."""
        return self.folder / "etc"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.folder / "pki"

    @property
    def data(self) -> Path:
        """What the servers write."""
        return self.folder / "data"

    @property
    def containerd(self) -> Path:
        """What containerd keeps: content of images, and what it unpacked of it."""
        return self.data / "containerd"

    @property
    def volumes(self) -> Path:
        """Persistent volumes."""
        return self.data / "volumes"

    @property
    def network(self) -> str:
        """Name of the pods' network in CNI's files."""
        return f"data-platform-{self.state.id}"
