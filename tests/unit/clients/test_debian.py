"""Images take packages from where this machine takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from data_platform.clients import debian
from data_platform.stack.errors import PlatformError

INDEXES = """bookworm /etc/apt/sources.list.d/debian.sources:1
bookworm-security /etc/apt/sources.list.d/debian.sources:2
bookworm-updates /etc/apt/company.list:7
nodistro /etc/apt/sources.list.d/others.sources:1
cloud-sdk-bookworm /etc/apt/sources.list.d/cloud.list:1
"""
Answers = Callable[[dict[str, str]], list[list[str]]]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Let programs answer; returns the commands that were run."""

    def use(answers: dict[str, str]) -> list[list[str]]:
        ran: list[list[str]] = []

        def run(command: Sequence[str], **_: object) -> str:
            ran.append(list(command))
            return answers.get(command[0], "")

        monkeypatch.setattr(debian, "run", run)
        return ran

    return use


def test_only_files_with_suites_of_the_release_are_used(answer: Answers) -> None:
    answer({"apt-get": INDEXES})
    assert debian.sources("bookworm") == [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/company.list")]


def test_a_machine_without_a_source_of_the_release_is_refused(answer: Answers) -> None:
    answer({"apt-get": INDEXES})
    with pytest.raises(PlatformError, match="apt has no source of trixie"):
        debian.sources("trixie")


def test_a_system_is_made_with_the_proxy_of_this_machines_apt(answer: Answers, tmp_path: Path) -> None:
    settings = 'Acquire::http "";\nAcquire::http::Proxy "http://proxy.example.org:3128";\n'
    ran = answer({"apt-get": INDEXES, "apt-config": settings})
    debian.make_system("bookworm", ("python3", "tzdata"), 7, tmp_path / "system.tar")
    (command,) = (words for words in ran if words[0] == "mmdebstrap")
    assert '--aptopt=Acquire::http::Proxy "http://proxy.example.org:3128";' in command
    assert '--aptopt=Acquire::http "";' not in command
    assert "--include=python3,tzdata" in command
    assert command[-4:] == [
        "bookworm",
        str(tmp_path / "system.tar"),
        "/etc/apt/sources.list.d/debian.sources",
        "/etc/apt/company.list",
    ]


@pytest.mark.parametrize("found", [{"PRETTY_NAME": "Other Linux", "VERSION_CODENAME": "odd"}, {}])
def test_another_system_than_debian_is_refused(monkeypatch: pytest.MonkeyPatch, found: dict[str, str]) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: found)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(PlatformError, match="images are made of Debian packages"):
        debian.release()
