"""A mistake that a person can mend is one message and exit code 2, not a traceback."""

from __future__ import annotations

import argparse
import errno

import pytest

from bootstrap import commands
from data_platform.stack.errors import PlatformError


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> int:
    def verb(arguments: argparse.Namespace) -> int:
        del arguments
        if error:
            raise error
        return 7

    monkeypatch.setitem(commands._VERBS, "status", verb)
    return commands.run_command(argparse.Namespace(verb="status"))


def test_the_exit_code_is_the_verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, None) == 7


def test_a_platform_error_is_shown_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, PlatformError("port 8080 is taken by nginx", "stop it")) == 2
    assert capsys.readouterr().err == "error: port 8080 is taken by nginx\n  → stop it\n"


def test_a_full_disk_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/state/x")) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: /state/x: No space left on device\n  → free some space on the disk /, which has ")
    assert " bytes free, and run it again" in said
    assert run(monkeypatch, OSError(errno.ENOSPC, "No space left on device")) == 2
    assert capsys.readouterr().err.startswith("error: a file: No space left on device\n  → free some space and run")
    with pytest.raises(OSError, match="bad"):
        run(monkeypatch, OSError(errno.EBADF, "bad"))


def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, KeyboardInterrupt()) == 130
    assert "run it again" in capsys.readouterr().err


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):
        run(monkeypatch, KeyError("ours"))
