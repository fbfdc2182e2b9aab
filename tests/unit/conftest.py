"""Unit tests have no sockets and fetch nothing, and the user's cache is out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse sockets, except for tests marked `enable_socket` (loopback servers of their own)."""
    if request.node.get_closest_marker("enable_socket") is None:
        disable_socket()
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DATA_PLATFORM_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Package clients that a test starts, unknowingly perhaps, fail at once: none builds a server's program."""
    for name, value in {"GOPROXY": "off", "UV_OFFLINE": "1", "npm_config_offline": "true"}.items():
        monkeypatch.setenv(name, value)
