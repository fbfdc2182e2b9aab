"""Components that are added to a copy of the checkout for a test: each folder of `tests/throwaway_components/` is one.

Nothing of the engine is changed. What others say of such a component, who call it or hold something of it, they say in
their own files, as for every component.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPONENTS = ROOT / "tests" / "throwaway_components"
SCRAPER, IDENTITY_PROVIDER, BACKUP_STORE = ALL = ("scraper", "identity-provider", "backup-store")
#: DAG of Airflow that signs on at the identity provider.
SIGN_ON = "throwaway_sign_on"
#: Identity that saves something in the store of backups, and where.
SAVER, SAVED = "saver", "backups"
#: What git does not know either.
_NOT_COPIED = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", ".platform", ".platform-*")


def checkout(folder: Path, *names: str) -> Path:
    """A copy of this checkout in which some of these components are too, with those who call them.

    Args:
        folder: where to.
        names: of components.
    """
    made = folder / "a checkout"
    shutil.copytree(ROOT, made, symlinks=True, ignore=_NOT_COPIED)
    for name in names:
        add(COMPONENTS / name, made)
        if name in _CALLED:
            _CALLED[name](made)
    return made


def add(component: Path, to: Path) -> Path:
    """Put a component's folder into a checkout, where its own file says; returns its place."""
    namespace = yaml.safe_load((component / "component.yaml").read_text(encoding="utf-8"))["namespace"]
    place = to / "stack" / "components" / str(namespace) / component.name
    shutil.copytree(component, place, ignore=_NOT_COPIED)
    if (place / "chart").is_dir():
        # As in every chart: a link to the library of this very checkout.
        (place / "chart" / "charts").mkdir()
        (place / "chart" / "charts" / "platform").symlink_to(Path("../../../../../charts/platform"))
    return place


def _airflow_signs_on(root: Path) -> None:
    """Airflow holds a client's secret of the identity provider, as a file like its other secrets, and has a DAG."""
    airflow = root / "stack" / "components" / "core" / "airflow"
    claim = {"kind": "token", "of": IDENTITY_PROVIDER, "later": True}
    _edit(airflow / "component.yaml", lambda said: said["claims"].append(claim))
    secret = airflow / "etc" / "secrets" / "identity-provider-token.j2"
    secret.write_text("{{ IDENTITY_PROVIDER_TOKEN }}\n", encoding="utf-8")
    dags = root / "dags" / "throwaway"
    dags.mkdir()
    shutil.copy(COMPONENTS / "sign_on.py", dags)


def _somebody_saves(root: Path) -> None:
    """An identity of Airflow's has a bucket and a key in the store of backups, and checks have a key there."""

    def said(stack: dict[str, Any]) -> None:
        user = {"kind": "s3_user", "of": BACKUP_STORE, "buckets": {SAVED: "write"}}
        stack["identities"][SAVER] = {
            "summary": "Whoever saves something.",
            "component": "airflow",
            "claims": [{"kind": "bucket", "of": BACKUP_STORE, "name": SAVED}, user],
        }
        stack["identities"]["checks"]["claims"].append(user)

    _edit(root / "stack" / "stack.yaml", said)


_CALLED: dict[str, Callable[[Path], None]] = {
    IDENTITY_PROVIDER: _airflow_signs_on,
    BACKUP_STORE: _somebody_saves,
}


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
