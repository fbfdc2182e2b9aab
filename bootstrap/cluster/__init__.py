"""A real Kubernetes with one node on this machine, for tests and labs. Not for production.

    python3 -m bootstrap cluster up|down|status [--level api|full] [--state DIR]

Its programs are built from Go modules (`stack/cluster/`) and no image is pulled. It lives in a network and a mount
namespace of its own that end with its last process; the little that is changed outside of them is written to
`cluster/machine.json` in the state folder before it is changed, and `down` puts it back, after a crash too.

For others: `tools` gives the paths of kubectl and helm, `load_images` brings an archive of images onto the node,
and `Layout(state).kubeconfig` leads to the API server from any process of this machine.
"""

from bootstrap.cluster.binaries import tools
from bootstrap.cluster.images import load_images

__all__ = ["load_images", "tools"]
