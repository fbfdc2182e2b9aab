"""Components that are added to a copy of the checkout for a test: each folder of `tests/throwaway/` is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPONENTS = ROOT / "tests" / "throwaway"
#: What git does not know either.
_NOT_COPIED = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", ".platform", ".platform-*")


def checkout(folder: Path, *names: str) -> Path:
    """A copy of this checkout in which some of these components are too; nothing else of it is changed.

    Args:
        folder: where to.
        names: of components.
    """
    made = folder / "a checkout"
    shutil.copytree(ROOT, made, symlinks=True, ignore=_NOT_COPIED)
    for name in names:
        add(COMPONENTS / name, made)
    return made


def add(component: Path, to: Path) -> Path:
    """Put a component's folder into a checkout, where its own file says; returns its place."""
    namespace = yaml.safe_load((component / "component.yaml").read_text(encoding="utf-8"))["namespace"]
    place = to / "stack" / "components" / namespace / component.name
    shutil.copytree(component, place, ignore=_NOT_COPIED)
    if (place / "chart").is_dir():
        # As in every chart: a link to the library of this very checkout.
        (place / "chart" / "charts").mkdir()
        (place / "chart" / "charts" / "platform").symlink_to(Path("../../../../../charts/platform"))
    return place
