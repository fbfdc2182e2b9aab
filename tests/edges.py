"""Who calls whom, and how a copy of the checkout is made in which each of these calls goes by a way of its own.

A drill breaks such a way, and with it one caller's calls to one server, and nothing else. The ways are endpoints of the
component `network` (tests/throwaway_components/network/, toxiproxy). What a caller's files say of the server's address
(`NESSIE_HTTP_URL`) is replaced by the way's (`NETWORK_TRINO_NESSIE_URL`). Tasks, checks and commands find servers by
their endpoints and not by files; for them the server itself moves to another endpoint (`direct`), and its own address
becomes the beginning of a way. So no line of the engine knows of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

#: The component that has the ways, and its endpoint for who breaks them.
NETWORK, API = "network", "api"
#: Who calls by the servers' own addresses: tasks of the datasets, checks, commands.
TASKS = "tasks"
#: Where a server listens whose own address is a way.
DIRECT = "direct"


@dataclass(frozen=True)
class Edge:
    """One caller's calls to one server.

    Attributes:
        caller: a component, or TASKS.
        server: a component or capability, as the caller's files call it.
        endpoint: of the server.
        does: the operation that needs it, in words.
        usual: seconds within which the operation is done on a network that is slow.
        deadline: seconds within which it must have ended, with an error that names the cause.
        back: seconds within which it must be done again when the network is well.
        words: what an error of it may name, besides what happened to the connection: a pattern.
        ends: whether servers of the caller may end and be started again by the supervisor.
    """

    caller: str
    server: str
    endpoint: str
    does: str
    usual: float
    deadline: float
    words: str
    back: float = 120.0
    ends: bool = False

    @property
    def name(self) -> str:
        """Of the way."""
        return f"{self.caller}-{self.server}"


_CATALOG, _STORE, _DATABASE = "nessie|catalog|branch", "s3|object store|bucket", "postgres|jdbc|database|sql"
#: All that are broken. Deadlines are what the clients' own add up to (docs/decisions/toxic-networks.md).
EDGES = (
    Edge("airflow", "postgresql", "sql", "a variable is made in Airflow", 30, 90, _DATABASE, 300, ends=True),
    Edge("nessie", "postgresql", "sql", "three namespaces are made in one commit", 30, 45, _DATABASE),
    Edge("nessie", "s3", "http", "a table is made by the Iceberg REST API", 30, 90, _STORE),
    Edge("nifi", "s3", "http", "a file is landed", 60, 150, _STORE, 240),
    Edge("spark", "nessie", "http", "a job writes a table on a branch, which is published", 150, 300, _CATALOG, 180),
    Edge("spark", "s3", "http", "a job writes a table on a branch, which is published", 150, 300, _STORE, 180),
    Edge("trino", "nessie", "http", "a MERGE into an Iceberg table", 60, 150, _CATALOG),
    Edge("trino", "postgresql", "sql", "rows are added to a table of PostgreSQL", 60, 150, _DATABASE),
    Edge("trino", "s3", "http", "a MERGE into an Iceberg table", 60, 150, _STORE),
    Edge(TASKS, "nessie", "http", "a dataset is published", 60, 120, _CATALOG),
    Edge(TASKS, "s3", "http", "an object of a megabyte is put", 60, 90, _STORE),
    Edge(TASKS, "trino", "http", "rows are added to an Iceberg table", 60, 150, "trino|query"),
)
#: Components whose servers move to DIRECT, by the word by which TASKS call them, and their preferred port there.
_MOVED = {"s3": ("minio", 8610), "nessie": ("nessie", 8611), "trino": ("trino", 8612)}


def lead(root: Path) -> None:
    """Lead all EDGES of a checkout by the ways of its component `network`.

    Args:
        root: a checkout in which that component is (`throwaway.checkout`).

    Raises:
        ValueError: a caller's files do not say the server's address, so that its calls would go another way.
    """
    for edge in EDGES:
        if edge.caller == TASKS:
            name, port = _MOVED[edge.server]
            _move(_folder(root, name), name, edge.endpoint, port)
        else:
            _detour(_folder(root, edge.caller), edge)


def _detour(folder: Path, edge: Edge) -> None:
    """Let a component reach a server by its way."""

    def said(component: dict[str, Any]) -> None:
        # Before it: a server that cannot reach another one does not become ready.
        for key in ("after", "calls"):
            component[key] = [*dict.fromkeys([*component.get(key, []), NETWORK])]

    _edit(folder / "component.yaml", said)
    old, new = _prefix(edge.server, edge.endpoint), _prefix(NETWORK, f"{edge.caller}_{edge.server}")
    _replace(folder, old, new)


def _move(folder: Path, name: str, endpoint: str, port: int) -> None:
    """Let a server listen at DIRECT; who asks for its endpoint finds its way."""
    _edit(folder / "component.yaml", lambda component: component["endpoints"].update({DIRECT: {"port": port}}))
    _replace(folder, _prefix(name, endpoint), _prefix(name, DIRECT))


def _prefix(component: str, endpoint: str) -> str:
    return f"{component}_{endpoint}".upper().replace("-", "_")


def _replace(folder: Path, old: str, new: str) -> None:
    """Name another endpoint in all files of a component that are rendered on `local`.

    Raises:
        ValueError: none of them names it.
    """
    pattern, found = re.compile(rf"\b{old}_(HOST|PORT|URL)\b"), 0
    for path in (folder / "local.yaml", *sorted(path for path in (folder / "etc").rglob("*") if path.is_file())):
        text, count = pattern.subn(rf"{new}_\1", path.read_text(encoding="utf-8"))
        if count:
            path.write_text(text, encoding="utf-8")
        found += count
    if not found:
        raise ValueError(
            f"{folder}: expected a file that names {old}_HOST, _PORT or _URL; tests/edges.py says there is"
        )


def _folder(root: Path, component: str) -> Path:
    (found,) = (root / "stack" / "components").glob(f"*/{component}")
    return found


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
