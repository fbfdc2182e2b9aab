"""A PostgreSQL of a test's own, from the component's own artifact."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from data_platform.checks.base import Address
from data_platform.stack.load import load_stack
from data_platform.targets.local.artifacts import fetch, place
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.ports import is_free
from data_platform.targets.local.privileges import own, unprivileged_prefix

PORTS = range(29100, 29200)
#: Password of the superuser, where one is asked for.
ADMIN = "a" * 64


class Server(NamedTuple):
    """A running PostgreSQL.

    Attributes:
        address: where.
        log: its file.
        stop: end it as a power cut does.
        start: start it again, on the same port.
    """

    address: Address
    log: Path
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def running(root: Path, data: Path, initialise: Sequence[str], options: Sequence[str] = ()) -> Iterator[Server]:
    """A server on loopback, from the component's artifact.

    Args:
        root: the checkout.
        data: folder for its data and its log.
        initialise: more words for initdb.
        options: more settings, as NAME=VALUE.
    """
    artifact = place(load_stack(root), "postgresql", cache_folder())["server"]
    fetch(artifact, {}, cache_folder())
    data.mkdir()
    own(data)
    programs = artifact.folder / artifact.spec.home / "bin"

    def run(program: str, *words: str, said: str | None = None) -> None:
        prefix = unprivileged_prefix(programs, data)
        command = [*prefix, programs / program, f"--pgdata={data}/db", *words]
        subprocess.run(command, check=True, timeout=300, cwd="/", input=said, text=True)

    run("initdb", "--username=postgres", "--no-sync", "--no-instructions", *initialise, said=ADMIN)
    settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", *options]

    def start_on(port: int) -> None:
        given = " ".join([f"-p {port}", *(f"-c {setting}" for setting in settings)])
        run("pg_ctl", "start", "--wait", f"--log={data}/log", f"--options={given}")

    def start() -> int:
        """On the first port that is free then: it may be somebody else's by the time that the server asks for it."""
        for port in filter(is_free, PORTS):
            try:
                start_on(port)
            except subprocess.CalledProcessError:
                if is_free(port):
                    raise
            else:
                return port
        pytest.fail(f"no port of {PORTS} is free")

    def stop() -> None:
        run("pg_ctl", "stop", "--mode=immediate")

    port = start()
    try:
        yield Server(Address("127.0.0.1", port, "tcp"), data / "log", stop, partial(start_on, port))
    finally:
        stop()
