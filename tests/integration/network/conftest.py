"""A toxiproxy, built as the drill of faults of the network has it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from data_platform.checks.base import Deadline
from data_platform.stack.load import load_stack
from data_platform.targets.local.artifacts import fetch, place
from data_platform.targets.local.cache import cache_folder
from tests import throwaway
from tests.edges import NETWORK
from tests.toxics import Toxiproxy

HOST = "127.0.0.1"
#: By the name of a way and the port where it ends: a session, and the port where it begins.
Begun = Callable[[str, int], AbstractContextManager[tuple[Toxiproxy, int]]]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its program."""
    root = throwaway.checkout(tmp_path_factory.mktemp("network"), NETWORK)
    artifact = place(load_stack(root), NETWORK, cache_folder())["toxiproxy"]
    fetch(artifact, {}, cache_folder())
    return artifact.folder / "server"


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.create_server((HOST, 0)) as found:
        port: int = found.getsockname()[1]
    return port


@pytest.fixture
def toxiproxy(program: Path, tmp_path: Path) -> Begun:
    """Begins one with one way; it ends with the block."""

    @contextmanager
    def begun(way: str, ends: int) -> Iterator[tuple[Toxiproxy, int]]:
        api, begins = free_port(), free_port()
        config = tmp_path / "proxies.json"
        config.write_text(json.dumps([{"name": way, "listen": f"{HOST}:{begins}", "upstream": f"{HOST}:{ends}"}]))
        command = [str(program), "-host", HOST, "-port", str(api), "-config", str(config)]
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL) as process,  # noqa: TID251 - it works beside the test
            Toxiproxy(f"http://{HOST}:{api}") as session,
        ):
            try:
                Deadline(60).retry(session.ways, on=httpx.TransportError)
                yield session, begins
            finally:
                process.terminate()

    return begun
