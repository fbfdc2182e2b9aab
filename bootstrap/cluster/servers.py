"""The servers of a cluster: their command lines, and how they are kept running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from bootstrap.cluster.binaries import Programs
from bootstrap.cluster.layout import API_PORT, DOMAIN, NODE, SERVICE_NETWORK, Layout
from bootstrap.cluster.machine import Record
from data_platform.clients.supervisor import ALIVE, Supervisor
from data_platform.stack.definition import Process
from data_platform.targets.local.artifacts import sha256_of, sha256_of_bytes
from data_platform.targets.local.programs import LaunchFile, write_program
from data_platform.targets.local.state import read_json

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Images and mounts need files that others can read; the launcher lets only the owner read.
_READABLE = ["/bin/sh", "-c", 'umask 022 && exec "$@"', "sh"]
#: Nothing is lost when they are killed: etcd writes ahead, the kubelet looks again.
_STOP_SECONDS = 5
_ETCD = "http://127.0.0.1:2379"


class Server(NamedTuple):
    """One process.

    Attributes:
        name: of the program.
        command: program and arguments.
        files: their content too makes a restart necessary.
    """

    name: str
    command: list[str]
    files: tuple[Path, ...] = ()


def api_level(layout: Layout, record: Record, programs: Programs) -> list[Server]:
    """What answers requests: etcd and the API server."""
    pki = layout.pki
    etcd = [
        *(programs.kubeall, "etcd", f"--data-dir={layout.data / 'etcd'}"),
        *(f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}"),
        "--listen-peer-urls=http://127.0.0.1:2380",
        # The data of a test need not outlive a power cut.
        "--unsafe-no-fsync",
    ]
    api = [
        *(programs.kubeall, "kube-apiserver", f"--etcd-servers={_ETCD}"),
        *(f"--advertise-address={record.node}", f"--bind-address={record.node}", f"--secure-port={API_PORT}"),
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
        *(f"--client-ca-file={pki / 'ca.crt'}", f"--tls-cert-file={pki / 'apiserver.crt'}"),
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        *(f"--kubelet-client-key={pki / 'kubelet-client.key'}", f"--kubelet-certificate-authority={pki / 'ca.crt'}"),
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
        f"--service-account-key-file={pki / 'accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'accounts.key'}",
        # It does not end by itself when etcd has ended before.
        "--shutdown-delay-duration=0s",
        "--profiling=false",
    ]
    return [Server("etcd", etcd), Server("kube-apiserver", api)]


def runtime(layout: Layout) -> list[Server]:
    """What runs containers."""
    file = layout.etc / "containerd.toml"
    return [Server("containerd", ["containerd", "--config", str(file)], (file,))]


def full_level(layout: Layout, record: Record, programs: Programs) -> list[Server]:
    """What makes pods of requests, once the API server answers."""
    pki = layout.pki

    def client(name: str) -> str:
        return str(pki / f"{name}.kubeconfig")

    def controller(program: str, name: str) -> list[str]:
        return [
            *(programs.kubeall, program, f"--kubeconfig={client(name)}", "--leader-elect=false"),
            *(f"--authentication-kubeconfig={client(name)}", f"--authorization-kubeconfig={client(name)}"),
            *("--bind-address=127.0.0.1", "--profiling=false", "--kube-api-qps=200", "--kube-api-burst=400"),
        ]

    manager = [
        *controller("kube-controller-manager", "controller-manager"),
        *(f"--root-ca-file={pki / 'ca.crt'}", f"--client-ca-file={pki / 'ca.crt'}"),
        *(f"--cluster-signing-cert-file={pki / 'ca.crt'}", f"--cluster-signing-key-file={pki / 'ca.key'}"),
        *(f"--service-account-private-key-file={pki / 'accounts.key'}", "--use-service-account-credentials=true"),
    ]
    kubelet = [
        *(programs.kubeall, "kubelet", f"--config={layout.etc / 'kubelet.yaml'}", f"--kubeconfig={client('kubelet')}"),
        *(f"--hostname-override={NODE}", f"--node-ip={record.node}", f"--cert-dir={layout.data / 'kubelet-pki'}"),
    ]
    proxy = [programs.kubeall, "kube-proxy", f"--config={layout.etc / 'kube-proxy.yaml'}"]
    netpol = [
        *(str(programs.path("agents", "netpol")), f"--kubeconfig={client('admin')}"),
        *(f"--cni-network={layout.network}", "--cni-results=/var/lib/cni/results"),
    ]
    return [
        Server("kubelet", kubelet, (layout.etc / "kubelet.yaml",)),
        Server("kube-controller-manager", manager),
        Server("kube-scheduler", controller("kube-scheduler", "scheduler")),
        Server("kube-proxy", proxy, (layout.etc / "kube-proxy.yaml",)),
        Server("netpol", netpol),
    ]


def start(layout: Layout, servers: list[Server]) -> list[str]:
    """Start the servers that do not run, or not as they should; returns their names."""
    supervisor = Supervisor(layout.state.socket)
    states = supervisor.states()
    started = []
    for server in servers:
        launch = _launch_file(layout, server)
        if states.get(server.name) in ALIVE and read_json(Path(launch["record"])).get("digest") == launch["digest"]:
            continue
        process = Process.model_validate(
            {"command": server.command, "ready": {"command": ["true"]}, "stop_seconds": _STOP_SECONDS}
        )
        write_program(server.name, process, launch, layout.state)
        supervisor.start(server.name)
        started.append(server.name)
    return started


def _launch_file(layout: Layout, server: Server) -> LaunchFile:
    command = [*_READABLE, *server.command]
    defining = json.dumps([command, [sha256_of(file) for file in server.files]])
    return {
        "command": command,
        "environment": {"PATH": _PATH, "HOME": str(layout.data), "LANG": "C.UTF-8"},
        "directory": str(layout.data),
        "digest": sha256_of_bytes(defining.encode()),
        "record": str(layout.state.run / "started" / f"{server.name}.json"),
        "stop_signal": "TERM",
        "stop_seconds": _STOP_SECONDS,
    }
