"""`python -m data_platform.tool`: becoming a component's tool."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from data_platform import tool
from data_platform.checks.base import ToolCommand
from data_platform.stack.errors import PlatformError


class Place:
    """A target with one tool."""

    def tool_command(self, component: str, name: str, arguments: Sequence[str], writes: Sequence[Path]) -> ToolCommand:
        if (component, name) != ("dbt", "dbt"):
            raise PlatformError(f"{component} has no tool {name!r}", "use one of its tools: dbt")
        return ToolCommand(
            ["/some/bin/dbt", *arguments], {"TRINO_HTTP_PORT": "1", "WRITES": ":".join(map(str, writes))}
        )


class Replaced(Exception):  # noqa: N818 - execve does not return
    """The process would now be another program."""


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "current", Place)


def test_the_process_becomes_the_tool_with_its_whole_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def execve(program: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        raise Replaced(program, argv, environment)

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(Replaced) as replaced:
        tool.main(["dbt", "dbt", "build", "--select", "a b"])
    wanted = ("/some/bin/dbt", ["/some/bin/dbt", "build", "--select", "a b"], {"TRINO_HTTP_PORT": "1", "WRITES": ""})
    assert replaced.value.args == wanted
    with pytest.raises(Replaced) as replaced:
        tool.main(["--writes", ".", "dbt", "dbt", "build"])
    assert replaced.value.args[2]["WRITES"] == str(Path.cwd())


def test_a_program_that_is_not_there_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def execve(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "execve", execve)
    assert tool.main(["dbt", "dbt", "build"]) == 127
    assert "/some/bin/dbt: No such file or directory; bring the component up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"), [(["dbt"], "usage: "), (["--writes"], "usage: "), (["dbt", "other"], "dbt has no tool 'other'")]
)
def test_a_wrong_call_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(words) == 2
    assert said in capsys.readouterr().err
