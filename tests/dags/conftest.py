"""The DAGs of this checkout, parsed once, in an Airflow home of the tests' own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_socket import disable_socket, enable_socket

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bag() -> DagBag:
    """All DAG files of this checkout."""
    return parse(ROOT / "dags")


def parse(folder: Path) -> DagBag:
    """Parse a folder of DAG files as the DAG processor does, without sockets."""
    from airflow.dag_processing.dagbag import DagBag

    disable_socket()
    try:
        return DagBag(dag_folder=folder, bundle_path=folder, bundle_name="tests")
    finally:
        enable_socket()


@dataclass
class Watcher:
    """Files that were opened while it watched."""

    opened: set[Path] = field(default_factory=set)
    watching: bool = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """For `sys.addaudithook`: hooks stay for the life of the interpreter, so it can be told to look away."""
        if self.watching and event == "open" and isinstance(arguments[0], str | bytes):
            path = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
            self.opened.add(Path(path).absolute())


_WATCHER = Watcher()
_HOOKED: list[Watcher] = []


@pytest.fixture
def opened_by() -> Iterator[Callable[[Callable[[], object]], set[Path]]]:
    """Gives the files that a function opens."""
    if not _HOOKED:
        sys.addaudithook(_WATCHER)
        _HOOKED.append(_WATCHER)

    def look(act: Callable[[], object]) -> set[Path]:
        _WATCHER.opened.clear()
        _WATCHER.watching = True
        try:
            act()
        finally:
            _WATCHER.watching = False
        return set(_WATCHER.opened)

    yield look
    _WATCHER.watching = False


@pytest.fixture(scope="session")
def parse_folder() -> Callable[[Path], DagBag]:
    """Parses another folder of DAG files."""
    return parse
