"""Configuration files of containerd, CNI, the kubelet and kube-proxy."""

from __future__ import annotations

import json
from pathlib import Path

from bootstrap.cluster.layout import (
    CONTAINERD_SOCKET,
    DNS_SERVICE,
    DOMAIN,
    NODE,
    POD_NETWORK,
    Layout,
)
from bootstrap.cluster.machine import Record
from data_platform.targets.local.state import write_private

#: Where distributions put the network plugins.
PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
_CONTAINERD = """\
version = 2
root = "{containerd}"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Where root lacks CAP_SYS_RESOURCE nobody may lower an oom_score_adj, and runc would fail.
  restrict_oom_score_adj = true
  # A profile would be loaded into the machine's kernel and stay there.
  disable_apparmor = true
  # As newer versions of containerd do: ports below 1024 need no privilege in a pod of its own network.
  enable_unprivileged_ports = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{etc}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
[plugins."io.containerd.internal.v1.opt"]
  path = "{containerd}/opt"
"""


def write(layout: Layout, record: Record, pause: str, plugins: Path) -> None:
    """Write all of them.

    Args:
        layout: of the cluster.
        record: what it has on this machine.
        pause: image of a pod's first process.
        plugins: folder of the network plugins.
    """
    values = {
        "containerd": layout.containerd,
        "etc": layout.etc,
        "socket": CONTAINERD_SOCKET,
        "pause": pause,
        "plugins": plugins,
    }
    write_private(layout.etc / "containerd.toml", _CONTAINERD.format_map(values))
    for name, content in {
        "cni/10-pods.conflist": _pods_network(layout),
        "kubelet.yaml": _kubelet(layout, record),
        "kube-proxy.yaml": _proxy(layout, record),
    }.items():
        write_private(layout.etc / name, json.dumps(content, indent=2) + "\n")
    # A pod that does not ask for the cluster's DNS gets none: no name outside can be reached.
    write_private(layout.etc / "resolv.conf", "")


def _pods_network(layout: Layout) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_NETWORK}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/var/lib/cni/networks",
    }
    # Each pod has a link of its own to the node, which routes between them: every packet passes the node's filters.
    link = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": layout.network, "plugins": [link]}


def _kubelet(layout: Layout, record: Record) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # -999 cannot be set without CAP_SYS_RESOURCE
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{record.group}",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-server.key"),
        "address": record.node,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": DOMAIN,
        "resolvConf": str(layout.etc / "resolv.conf"),
        # Every process of the platform on one node, and the pods of jobs beside them.
        "maxPods": 220,
        "serializeImagePulls": False,
        # Which images are here is read from what the node lists; of more than 50 it would list the largest alone.
        "nodeStatusMaxImages": -1,
        # An image that is deleted here cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "2Gi", "imagefs.available": "2Gi"},
        "volumePluginDir": str(layout.data / "volumeplugins"),
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 2,
    }


def _proxy(layout: Layout, record: Record) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.pki / "proxy.kubeconfig")},
        "mode": "nftables",
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": NODE,
        "bindAddress": record.node,
        "oomScoreAdj": 0,
        # With the default of 1 s a request just after "rollout status" may still find no address.
        "nftables": {"minSyncPeriod": "100ms"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # These are settings of the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
