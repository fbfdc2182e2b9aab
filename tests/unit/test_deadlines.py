"""What asks a server or starts a program says how long it waits: nothing hangs because somebody else does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("plugins", "bootstrap", "dags", "stack", "spark_jobs", "reports", "deploy", "docs")
#: What waits for somebody else, by the end of its name, and the arguments of which one must say for how long; a call
#: that gives them by position has at least so many (0: by name alone).
WAITS: dict[str, tuple[tuple[str, ...], int]] = {
    "subprocess.run": (("timeout",), 0),
    "subprocess.call": (("timeout",), 0),
    "subprocess.check_call": (("timeout",), 0),
    "subprocess.check_output": (("timeout",), 0),
    ".communicate": (("timeout",), 2),
    "socket.create_connection": (("timeout",), 2),
    ".urlopen": (("timeout",), 3),
    "HTTPConnection": (("timeout",), 0),
    "HTTPSConnection": (("timeout",), 0),
    "httpx.Client": (("timeout", "transport"), 0),
    "httpx.AsyncClient": (("timeout", "transport"), 0),
    **{f"httpx.{verb}": (("timeout",), 0) for verb in ("get", "post", "put", "delete", "head", "request", "stream")},
    **{f"requests.{verb}": (("timeout",), 0) for verb in ("get", "post", "put", "delete", "head", "request")},
    "PoolManager": (("timeout",), 0),
    "Minio": (("http_client",), 0),
    "MinioAdmin": (("http_client",), 0),
    "psycopg.connect": (("connect_timeout",), 0),
    "psycopg2.connect": (("connect_timeout",), 0),
    "Connection.connect": (("connect_timeout",), 0),
    "create_engine": (("creator",), 0),
    "ServerProxy": (("transport",), 0),
    "SupervisorTransport": (("never",), 99),
    "KazooClient": (("timeout",), 0),
    "dbapi.connect": (("request_timeout",), 0),
    "DatahubRestEmitter": (("timeout_sec",), 0),
    "DatahubClientConfig": (("timeout_sec",), 0),
    "session.get": (("timeout",), 0),
    "session.post": (("timeout",), 0),
}
#: Calls that are right without one, as they are written, and why.
EXCEPTIONS = {
    "process.communicate()": "its group has just been killed (clients/commands.py)",
    "trino.dbapi.connect(_LOOPBACK, port, 'training', http_session=session)": "30 s by itself, in a build",
    "SupervisorTransport(None, None, f'unix://{socket}')": "its connections are ours (clients/supervisor.py)",
}


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def waits_for_ever(source: str) -> Iterator[str]:
    """Calls that do not say how long they wait."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        for ending, (arguments, position) in WAITS.items():
            named = {keyword.arg for keyword in node.keywords}
            is_it = (f".{name_of(node)}").endswith(ending if ending.startswith(".") else f".{ending}")
            # `**settings` is looked at where they are written.
            given = named & {*arguments, None} or 0 < position <= len(node.args)
            if is_it and not given and ast.unparse(node) not in EXCEPTIONS:
                yield ast.unparse(node)


def files() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def test_nothing_waits_for_ever() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in files()}
    assert (
        sum(name in text for text in sources.values() for name in ("subprocess.run", "PoolManager", "httpx.Client")) > 5
    )
    assert {str(p.relative_to(ROOT)): found for p, text in sources.items() if (found := [*waits_for_ever(text)])} == {}


@pytest.mark.parametrize("call", EXCEPTIONS)
def test_an_exception_is_one_that_there_is(call: str) -> None:
    assert any(call in ast.unparse(ast.parse(path.read_text(encoding="utf-8"))) for path in files())


@pytest.mark.parametrize(
    "call",
    ["subprocess.run(words, check=True)", "urllib3.PoolManager(retries=2)", "httpx.Client(trust_env=False)",
     "psycopg.connect(url)", "process.communicate()[1]", "self.session.get(place)", "urllib.request.urlopen(url)",
     "xmlrpc.client.ServerProxy(url)", "http.client.HTTPSConnection(host)", "trino.dbapi.connect(host=h)"],
)  # fmt: skip
def test_a_call_without_a_deadline_is_found(call: str) -> None:
    assert [*waits_for_ever(call)] == [call.removesuffix("[1]")] or "communicate" in call


@pytest.mark.parametrize("call", ["subprocess.run(words, timeout=5)", "socket.create_connection(a, 5)", "f(**known)"])
def test_a_call_with_one_is_not(call: str) -> None:
    assert [*waits_for_ever(call)] == []
