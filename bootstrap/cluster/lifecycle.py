"""`cluster up`, `down` and `status`."""

from __future__ import annotations

import argparse
import http.client
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bootstrap import supervision
from bootstrap.cluster import addons, images, machine, namespaces, network, report, requirements, servers
from bootstrap.cluster import settings as settings_files
from bootstrap.cluster.binaries import Programs, programs
from bootstrap.cluster.kubectl import Kubectl
from bootstrap.cluster.layout import API_PORT, CONTEXT, NODE, Layout
from bootstrap.progress import Progress
from data_platform.checks.base import Deadline
from data_platform.clients.supervisor import Supervisor
from data_platform.stack.errors import PlatformError
from data_platform.targets.local import contents, mark
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import MARK, State

_READY_SECONDS = 180


class _NotYetError(Exception):
    """Something does not answer yet."""


def _patience() -> int:
    """Seconds that one thing may take, on a slow machine more."""
    return int(Deadline(_READY_SECONDS).seconds)


def _poll(act: Callable[[], object], on: type[Exception]) -> None:
    """Repeat an act until it has success; often, for `up` waits for nothing else."""
    stop = stop_after_delay(_patience())
    Retrying(stop=stop, wait=wait_fixed(0.1), retry=retry_if_exception_type(on), reraise=True)(act)


def cluster(arguments: argparse.Namespace) -> int:
    """Run one of the actions."""
    layout = Layout(arguments.state)
    if arguments.action != "down":
        # Not even asked how it is: a copy's socket may lead to the original.
        _refuse_others(layout)
    if arguments.action == "up":
        mark.refuse_unclaimable(State(arguments.state))
        return up(layout, arguments.level)
    return down(layout) if arguments.action == "down" else report.status(layout)


def _alone(layout: Layout) -> FileLock:
    lock = layout.state.lock("up")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PlatformError(
            f"another `cluster up` or `cluster down` works on {layout.folder}",
            "wait until it has ended, then run it again",
        ) from None
    return lock


def up(layout: Layout, level: str) -> int:
    """Have a cluster of the wanted level that answers; heals what is broken, changes nothing otherwise."""
    started = time.monotonic()
    progress = Progress()
    requirements.refuse_unfit(layout.folder, level)
    found = programs(cache_folder())
    if not found.are_there:
        progress.say("programs", "building Kubernetes from Go modules (once: 10 to 15 minutes on two cores)…")
        with _timed(progress, "programs"):
            found.fetch(cache_folder())
    # Before the lock, whose file would make the folder look like somebody's.
    mark.claim(State(layout.platform_state))
    with _alone(layout):
        record = _bring_up(layout, found, level, progress)
    seconds = time.monotonic() - started
    progress.say("cluster", f"[green]ready[/] after {seconds:.1f} s: https://{record.node}:{API_PORT}")
    print(f"\nexport KUBECONFIG={layout.kubeconfig}  # context {CONTEXT}")
    return 0


@contextmanager
def _timed(progress: Progress, subject: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    progress.say(subject, f"{time.monotonic() - started:.1f} s")


def _bring_up(layout: Layout, found: Programs, level: str, progress: Progress) -> machine.Record:
    from bootstrap.cluster import pki

    with _timed(progress, "machine"):
        record = machine.claim(layout)
        pki.make(layout, record.node)
        images_of = images.own(found)
        plugins = requirements.plugin_folder() or Path()
        settings_files.write(layout, record, images_of["pause"].name, plugins)
        if not _is_healthy(layout, record):
            _clean(layout, record)
        supervision.ensure(layout.state, partial(namespaces.start_supervisor, layout, record))
    first = servers.api_level(layout, record, found) + (servers.runtime(layout) if level == "full" else [])
    servers.start(layout, first)
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(_load_images, layout, found, progress) if level == "full" else None
        with _timed(progress, "API server"):
            _wait_for_api(layout, record)
        if loading is None:
            return record
        _make_node(layout, record, found, progress)
        loading.result()
    with _timed(progress, "DNS and storage"):
        addons.wait(layout, images_of, _kubectl(layout, found), _patience())
    return record


def _is_healthy(layout: Layout, record: machine.Record) -> bool:
    """Whether supervisor and link are there; what they hold is looked at piece by piece."""
    return Supervisor(layout.state.socket).is_up() and network.is_there(record.link)


def _clean(layout: Layout, record: machine.Record) -> None:
    """As after a restart of the machine: nothing runs, data is there."""
    machine.end(record)
    for file in (*layout.state.run.glob("programs/*.conf"), *layout.state.run.glob("started/*.json")):
        file.unlink()


def _load_images(layout: Layout, found: Programs, progress: Progress) -> None:
    with _timed(progress, "images"):
        _poll(lambda: images.wait_for_runtime(layout), on=PlatformError)
        images.load_own(layout, found, cache_folder())


def _make_node(layout: Layout, record: machine.Record, found: Programs, progress: Progress) -> None:
    with _timed(progress, "node"):
        servers.start(layout, servers.full_level(layout, record, found))
        kubectl = _kubectl(layout, found)
        addons.apply(layout, images.own(found), kubectl)
        words = [f"node/{NODE}", f"--timeout={_patience()}s"]
        kubectl.run("wait", "--for=create", *words, seconds=_patience() + 10)
        kubectl.run("wait", "--for=condition=Ready", *words, seconds=_patience() + 10)
        _wait_for_policies(layout)


def _kubectl(layout: Layout, found: Programs) -> Kubectl:
    return Kubectl(found.path("kubernetes", "kubectl"), layout)


def _wait_for_policies(layout: Layout) -> None:
    """A pod that starts now must find its policies enforced."""
    _poll(lambda: namespaces.refused(layout), on=PlatformError)


def _wait_for_api(layout: Layout, record: machine.Record) -> None:
    trust = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))

    def look() -> None:
        connection = http.client.HTTPSConnection(record.node, API_PORT, timeout=5, context=trust)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise _NotYetError(f"it answers {answer.status}: {answer.read().decode(errors='replace')[-200:]}")
        except OSError as error:
            raise _NotYetError(str(error)) from None
        finally:
            connection.close()

    try:
        _poll(look, on=_NotYetError)
    except _NotYetError as error:
        raise PlatformError(
            f"the API server does not answer on {record.node}:{API_PORT}: {error}",
            f"read {layout.state.logs / 'kube-apiserver.log'} and etcd.log beside it",
        ) from None


def _refuse_others(layout: Layout) -> None:
    """Refuse to end what another state folder's record names, and to remove a folder that only has the name."""
    record = machine.read(layout)
    if record is not None and record.id != layout.state.id:
        raise PlatformError(
            f"the cluster in {layout.folder} was made in another place: this is a copy, or it was moved here",
            "end it where it was made; what is left here can then be removed by hand",
        )
    if record is None and layout.folder.exists() and not layout.state.run.is_dir() and any(layout.folder.iterdir()):
        raise PlatformError(f"{layout.folder} is no cluster of ours", "remove it by hand if it may go")


def down(layout: Layout) -> int:
    """End the cluster, put the machine back as it was, and remove what the cluster held."""
    started = time.monotonic()
    progress = Progress()
    if not layout.folder.exists():
        print(f"There is no cluster in {layout.folder}.")
        return 0
    state = mark.require(State(layout.platform_state))
    _refuse_others(layout)
    with _alone(layout):
        if record := machine.read(layout):
            machine.restore(record)
        machine.forget(layout)
    if {path.name for path in state.folder.iterdir()} <= {MARK}:
        # The folder was there for the cluster alone.
        contents.remove(state, contents.read(state))
    progress.say("cluster", f"gone after {time.monotonic() - started:.1f} s")
    return 0
