"""Releases are commits of this history, the changelog tells of each, and both keep their form."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from tests import releases

ROOT = releases.ROOT
CHANGELOG = ROOT / "CHANGELOG.md"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_VERSION = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})")


def sections(text: str) -> dict[str, str]:
    """Sections of a changelog, by their heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def faults(text: str) -> Iterator[str]:
    """What of a changelog is not in the form of Keep a Changelog."""
    found = sections(text)
    if not text.startswith("# Changelog\n"):
        yield "it does not begin with its title"
    if next(iter(found), "") != "[Unreleased]":
        yield "it does not begin with what is not released"
    versions = []
    for heading, body in found.items():
        if match := _VERSION.fullmatch(heading):
            versions.append((tuple(map(int, match.groups()[:3])), date.fromisoformat(match[4])))
        elif heading != "[Unreleased]":
            yield f"{heading}: neither [Unreleased] nor [VERSION] - DAY"
        yield from faults_of_section(heading, body)
    if any(newer <= older or later < earlier for (newer, later), (older, earlier) in pairwise(versions)):
        yield "versions are not in the order of time, the newest first"


def faults_of_section(heading: str, body: str) -> Iterator[str]:
    """What of one section is not: lists, each below one of six words, in their order."""
    parts = re.split(r"^### (.+)$", body, flags=re.MULTILINE)
    kinds, lists = parts[1::2], parts[2::2]
    if heading != "[Unreleased]" and not kinds:
        yield f"{heading}: it is empty"
    if kinds != [kind for kind in KINDS if kind in kinds]:
        yield f"{heading}: {', '.join(kinds)}"
    for kind, text in zip(kinds, lists, strict=True):
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines or not all(line.startswith(("- ", "  ")) for line in lines):
            yield f"{heading}, {kind}: not a list"


def test_the_changelog_keeps_its_form() -> None:
    assert list(faults(CHANGELOG.read_text(encoding="utf-8"))) == []


def test_a_changelog_without_form_is_found() -> None:
    text = (
        "# Changes\n\n## [0.1.0] - 2026-01-01\n\n### Fixed\n\n- a\n\n### Added\n\nprose\n\n"
        "## [0.2.0] - 2026-02-01\n\n## Later\n\n### News\n\n- b\n"
    )
    assert list(faults(text)) == [
        "it does not begin with its title",
        "it does not begin with what is not released",
        "[0.1.0] - 2026-01-01: Fixed, Added",
        "[0.1.0] - 2026-01-01, Added: not a list",
        "[0.2.0] - 2026-02-01: it is empty",
        "Later: neither [Unreleased] nor [VERSION] - DAY",
        "Later: News",
        "versions are not in the order of time, the newest first",
    ]


def test_the_changelog_tells_of_every_release_and_of_no_other() -> None:
    listed = [f"[{item.version}] - {item.date}" for item in releases.listed(releases.PAGE.read_text(encoding="utf-8"))]
    told = [heading for heading in sections(CHANGELOG.read_text(encoding="utf-8")) if heading != "[Unreleased]"]
    assert listed
    assert told == listed


def test_the_project_is_of_the_newest_release() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == releases.listed(releases.PAGE.read_text(encoding="utf-8"))[0].version


@pytest.mark.parametrize("item", releases.listed(releases.PAGE.read_text(encoding="utf-8")), ids=lambda r: r.version)
def test_a_release_is_a_commit_of_this_history(item: releases.Release) -> None:
    releases.require_history(item.commit)
    assert releases.git("log", "-1", "--format=%cs", item.commit).stdout.strip() == item.date


def test_the_table_of_releases_is_read_row_by_row() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    text = (
        f"| version | date | commit |\n|---|---|---|\n| 1.2.3 | 2026-01-02 | `{commit}` | x |\n| 1.2 | soon | `0` | |\n"
    )
    assert releases.listed(text) == [releases.Release("1.2.3", "2026-01-02", commit)]


def a_repository(folder: Path) -> str:
    """A repository with two commits; the name of the first one."""
    for words in (
        ("init", "--quiet"),
        *[("commit", "--quiet", "--allow-empty", "-m", name) for name in ("one", "two")],
    ):
        author = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        subprocess.run(["git", *author, *words], cwd=folder, check=True, timeout=60)
    return releases.git("rev-parse", "HEAD~1", folder=folder).stdout.strip()


def test_a_commit_that_is_not_in_the_history_is_named(tmp_path: Path) -> None:
    first = a_repository(tmp_path)
    releases.require_history(first, tmp_path)
    with pytest.raises(pytest.fail.Exception, match="0123456 is not in this branch's history"):
        releases.require_history("0123456", tmp_path)


def test_a_shallow_clone_is_told_what_to_do(tmp_path: Path) -> None:
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    first = a_repository(whole)
    releases.git("clone", "--quiet", "--depth", "1", whole.as_uri(), str(shallow))
    with pytest.raises(pytest.fail.Exception, match="git fetch --unshallow"):
        releases.require_history(first, shallow)


def test_a_release_is_checked_out_as_it_was(tmp_path: Path) -> None:
    item = releases.listed(releases.PAGE.read_text(encoding="utf-8"))[-1]
    before = releases.git("worktree", "list").stdout
    made = releases.checkout(item, tmp_path)
    assert releases.git("rev-parse", "HEAD", folder=made).stdout.strip() == item.commit
    assert (made / "bootstrap" / "__main__.py").is_file()
    assert releases.git("worktree", "list").stdout == before
