"""`forward`: pages of a platform on Kubernetes on this machine, at the addresses that its links show."""

from __future__ import annotations

import argparse
import errno
import signal
from contextlib import ExitStack

from bootstrap.place import open_target
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.target import KubernetesTarget


def forward(arguments: argparse.Namespace) -> int:
    """Lead local ports to pages, until interrupted.

    Raises:
        PlatformError: the platform is not on Kubernetes, a component has no page, or a port is taken.
    """
    target = open_target(arguments)
    if not isinstance(target, KubernetesTarget):
        raise PlatformError(
            "nothing has to be forwarded: this platform listens on this machine", "see: python3 -m bootstrap status"
        )
    wanted = {target.stack.resolve(name) for name in arguments.components} or set(target.stack.components)
    pages = [
        (name, endpoint, spec)
        for name, item in target.stack.components.items()
        for endpoint, spec in item.component.endpoints.items()
        if name in wanted and "people" in spec.audience
    ]
    if without := sorted(wanted - {name for name, _, _ in pages}) if arguments.components else []:
        raise PlatformError(
            f"{', '.join(without)}: no page that people open", "leave it out; `status` shows who has one"
        )
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked before threads begin, which inherit it: the signal is waited for.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with ExitStack() as forwards:
        for name, endpoint, spec in pages:
            namespace = places.namespace(target.stack, name)
            try:
                forwards.enter_context(target.cluster.port_forward(name, namespace, spec.port, spec.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                raise PlatformError(
                    f"port {spec.port} of this machine is taken, to which {name}.{endpoint} was to be forwarded",
                    f"end what listens there (a platform on this machine, maybe), or leave {name} out",
                ) from None
            print(f"{name}.{endpoint}  {spec.scheme}://{places.LOOPBACK}:{spec.port}{spec.path}", flush=True)
        print("Ctrl-C ends it.", flush=True)
        signal.sigwait(ends)
    return 0
