"""Stand-ins for Trino, the object store and the platform, for the checks that use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import pytest

from data_platform.checks.base import Address, ToolResult

Rows = list[list[Any]]


class FakeTrino:
    """Answers the statements that begin with a known text; all others with no rows."""

    def __init__(self, answers: Mapping[str, Rows | Exception]) -> None:
        self.answers, self.asked = answers, list[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def rows(self, statement: str) -> Rows:
        self.asked.append(statement)
        found = next((rows for text, rows in self.answers.items() if statement.startswith(text)), [])
        if isinstance(found, Exception):
            raise found
        return found

    def value(self, statement: str) -> Any:
        rows = self.rows(statement)
        return rows[0][0] if rows else None


class FakeObject(NamedTuple):
    """An object of the store."""

    object_name: str
    version_id: str = "v1"


class FakeStore:
    """Holds names of objects."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def list_objects(self, bucket: str, prefix: str, recursive: bool = False, **options: bool) -> list[FakeObject]:
        assert (bucket, options.get("include_version", False)) == ("lakehouse", recursive)
        found = sorted(name for name in self.names if name.startswith(prefix))
        if not recursive:
            found = sorted({prefix + name.removeprefix(prefix).partition("/")[0] + "/" for name in found})
        return [FakeObject(name) for name in found]

    def remove_objects(self, bucket: str, doomed: list[Any]) -> list[str]:
        assert bucket == "lakehouse"
        self.names -= {item.name for item in doomed}
        return []


class FakePlatform:
    """Addresses that nobody listens on, and tools that are functions."""

    #: Checks have a key of their own; the store's root is for provisioning.
    holder = "checks"

    def __init__(self, tool: Callable[[Sequence[str]], ToolResult] | None = None) -> None:
        self.tool = tool

    def address(self, component: str, endpoint: str) -> Address:
        return Address(component, 1, f"http://{component}.test:1/{endpoint}")

    def credentials(self, holder: str) -> Mapping[str, str]:
        assert holder == self.holder
        return {"s3_access_key": holder, "s3_secret_key": "secret"}

    def run_tool(self, component: str, tool: str, arguments: Sequence[str], seconds: float) -> ToolResult:
        assert seconds > 0
        assert (component, tool) == ("jobs", "submit")
        assert self.tool is not None
        return self.tool(arguments)


def use(monkeypatch: pytest.MonkeyPatch, trino: FakeTrino, store: FakeStore | None = None) -> FakeTrino:
    """Let the checks find these instead of the real clients."""
    monkeypatch.setattr("data_platform.clients.trino.Trino", lambda *_: trino)
    monkeypatch.setattr("data_platform.clients.s3.client", lambda *_: store or FakeStore())
    return trino
