"""What is made for a moment is removed, and the removal hides neither an error nor a result."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from data_platform.clients.cleanup import removed_after

ROOT = Path(__file__).resolve().parents[3]


class WorkError(Exception):
    pass


class RemovalError(Exception):
    pass


def refuse() -> None:
    raise RemovalError


@pytest.mark.parametrize("required", [True, False])
def test_it_is_removed_once_after_the_block(required: bool) -> None:
    order: list[str] = []
    with removed_after(lambda: order.append("removed"), "it", required=required):
        order.append("worked")
    assert order == ["worked", "removed"]


@pytest.mark.parametrize("required", [True, False])
def test_the_error_of_the_block_is_told_and_not_that_of_the_removal(
    required: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WorkError), removed_after(refuse, "the group g", required=required):
        raise WorkError
    assert [record.getMessage() for record in caplog.records] == ["the group g could not be removed"]


def test_a_result_stands_though_the_removal_fails(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> int:
        with removed_after(refuse, "the group g"):
            return 1

    assert work() == 1
    assert "the group g could not be removed" in caplog.text


def test_a_removal_that_belongs_to_the_work_fails_it() -> None:
    with pytest.raises(RemovalError), removed_after(refuse, "the group g", required=True):
        pass


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_who_interrupts_is_heard_though_the_removal_fails(stop: type[BaseException]) -> None:
    with pytest.raises(stop), removed_after(refuse, "the group g"):
        raise stop


#: What stands in a `finally`: it asks no server, and raises nothing when its thing was there.
QUIET = {
    "answer.close()",
    "answer.release_conn()",
    "channels.close()",
    "connection.close()",
    "local.close()",
    "made.close()",
    "nobody.finish()",
    "os.close(descriptor)",
    "progress.end()",
    "renewals.over.set()",
    "self._transport.close()",
    "self.close()",
}
#: Files and variables of this process, by the beginning of the statement.
QUIET_BEGINNINGS = ("draft.unlink(missing_ok=True)", "wanted.unlink(missing_ok=True)", "pom.unlink(missing_ok=True)",
                    "del os.environ[", "if home is not None:", "if process.poll() is None:", "process.wait()",
                    "with self._lock:")  # fmt: skip


def loud(source: str) -> list[str]:
    """Statements in a `finally` that are not known to be quiet."""
    blocks = [node.finalbody for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Try)]
    texts = [ast.unparse(statement) for block in blocks for statement in block]
    return [text for text in texts if text not in QUIET and not text.startswith(QUIET_BEGINNINGS)]


def test_nothing_in_a_finally_can_stand_in_the_place_of_what_happened_before() -> None:
    files = [path for room in ("plugins", "bootstrap") for path in sorted((ROOT / room).rglob("*.py"))]
    read: Callable[[Path], str] = lambda path: path.read_text(encoding="utf-8")  # noqa: E731
    assert any("finally:" in read(path) for path in files)
    assert {str(path.relative_to(ROOT)): found for path in files if (found := loud(read(path)))} == {}


def test_a_finally_that_asks_a_server_is_found() -> None:
    assert loud("try:\n    look()\nfinally:\n    self._send('DELETE', place)\n") == ["self._send('DELETE', place)"]
