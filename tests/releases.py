"""Releases as docs/releases.md lists them, and a checkout of one, made from this repository's own history."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "releases.md"
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (\d{4}-\d{2}-\d{2}) \| `([0-9a-f]{40})` \|", re.MULTILINE)


class Release(NamedTuple):
    """A row of the table of releases."""

    version: str
    date: str
    commit: str


def listed(text: str) -> list[Release]:
    """Releases of the page, in its order: the newest first."""
    return [Release(*row) for row in _ROW.findall(text)]


def release(version: str) -> Release:
    """The release of a version; fails the test where the page has none."""
    found = {item.version: item for item in listed(PAGE.read_text(encoding="utf-8"))}
    assert version in found, f"{PAGE.relative_to(ROOT)} lists no release {version}"
    return found[version]


def git(*words: str, folder: Path = ROOT, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run git on this repository, or in another folder."""
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=check)


def require_history(commit: str, folder: Path = ROOT) -> None:
    """Fail where a repository's history has no such commit: a test must not pass by being left out."""
    if git("merge-base", "--is-ancestor", commit, "HEAD", folder=folder, check=False).returncode == 0:
        return
    if git("rev-parse", "--is-shallow-repository", folder=folder).stdout.strip() == "true":
        pytest.fail(f"this clone is shallow and has no commit {commit}; run: git fetch --unshallow")
    pytest.fail(f"{commit} is not in this branch's history; see {PAGE.relative_to(ROOT)}")


def checkout(earlier: Release, folder: Path) -> Path:
    """A checkout of a release. Its objects are borrowed from this repository, which stays as it is."""
    require_history(earlier.commit)
    made = folder / f"release {earlier.version}"
    git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(made))
    git("checkout", "--quiet", "--detach", earlier.commit, folder=made)
    return made
