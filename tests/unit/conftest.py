"""Unit tests have no sockets, the user's cache is out of reach, and a forgotten deadline does not wait."""

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
