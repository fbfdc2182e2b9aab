"""What lies in the layers above the base: artifacts, Python environments, programs, the checkout."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError
from data_platform.targets.images.bytecode import compiled
from data_platform.targets.images.layers import Entry, from_folder
from data_platform.targets.kubernetes import places
from data_platform.targets.local.artifacts import Placed, digest_of, sha256_of

#: What of a checkout runs on a platform.
_PROJECT = (
    "bootstrap", "dags", "datasets", "dbt_project", "expectations", "locks", "nifi_flows", "plugins", "pyproject.toml",
    "reports", "spark_jobs", "stack",
)  # fmt: skip
_CONFIGURATION = "pyvenv.cfg"
#: What makes an environment convenient in a shell, is uv's own, or leads to the interpreter of this machine.
_OF_THIS_PLACE = re.compile(
    rf"bin/activate|bin/deactivate|.*\.bat$|\.gitignore$|\.lock$|CACHEDIR\.TAG$|bin/python[\d.]*$|{_CONFIGURATION}$"
)
_GIT_SECONDS = 60.0


def in_image(path: object) -> str:
    """A path of `places` as it is written in a layer."""
    return str(path).lstrip("/")


def artifact_entries(artifact: Placed, to: str, homes: Mapping[Path, str]) -> Iterator[Entry]:
    """Entries of an artifact that is in the cache.

    Args:
        artifact: which.
        to: its path in the image.
        homes: folders of the image's artifacts in the cache, and their paths in the image.

    Raises:
        PlatformError: a link in it leads to something that the image does not have.
    """
    yield from from_folder(artifact.folder, to, homes)


def environment_entries(artifact: Placed, to: str, python: str, scratch: Path) -> Iterator[Entry]:
    """Entries of a Python environment, moved to the base's Python.

    Args:
        artifact: which; it is in the cache.
        to: its path in the image.
        python: version of the base's Python, such as 3.11.
        scratch: an empty folder, from which entries are read later.

    Raises:
        PlatformError: it was made with another Python.
    """
    library = artifact.folder / "lib" / f"python{python}"
    if not library.is_dir():
        made = ", ".join(path.name for path in (artifact.folder / "lib").iterdir())
        raise PlatformError(
            f"the Python environment {artifact.name} was made with {made}, the base of the images has python{python}",
            f"run the build with python{python} (Debian's own: /usr/bin/python3 -m bootstrap images build)",
        )
    yield from from_folder(artifact.folder, to, {}, lambda name: _OF_THIS_PLACE.match(name) is not None)
    for name in ("python", "python3", f"python{python}"):
        yield Entry(f"{to}/bin/{name}", "link", f"/usr/bin/python{python}")
    settings = f"home = /usr/bin\ninclude-system-site-packages = false\nversion_info = {python}\n"
    yield Entry(f"{to}/{_CONFIGURATION}", "file", settings)
    yield from compiled(artifact.folder / "lib", f"{to}/lib", str(artifact.folder / "bin" / "python"), scratch)


def program_entries(programs: Mapping[str, Path]) -> Iterator[Entry]:
    """Entries of single programs, by name."""
    for name, path in programs.items():
        yield Entry(f"{in_image(places.BIN)}/{name}", "file", path, 0o755)


def project_files(root: Path) -> list[Path]:
    """Files of a checkout that run on a platform: what git knows or would add, and without git all there is.

    Raises:
        PlatformError: git refuses to look.
    """
    if (root / ".git").exists() and shutil.which("git"):
        listed = run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_PROJECT],
            doing="git ls-files",
            remedy="run it as the owner of the checkout, or copy the checkout without .git",
            seconds=_GIT_SECONDS,
            folder=root,
        )
        found = [root / name for name in listed.split("\0") if name]
    else:
        walk = [(here, (*folders, *names)) for top in _PROJECT for here, folders, names in os.walk(root / top)]
        found = [Path(here, name) for here, names in walk for name in names]
        found += [root / top for top in _PROJECT if (root / top).is_file()]
    # A deleted file is known to git until that is committed.
    there = (path for path in found if path.is_symlink() or path.is_file())
    return sorted(path for path in there if "__pycache__" not in path.parts)


def project_digest(root: Path) -> str:
    """Digest of the content of the checkout's files."""
    return digest_of(*(f"{path.relative_to(root)} {_digest(path)}" for path in project_files(root)))


def project_entries(root: Path, scratch: Path) -> Iterator[Entry]:
    """Entries of the checkout.

    Args:
        root: the checkout.
        scratch: an empty folder, from which entries are read later.
    """
    to, tree = in_image(places.CHECKOUT / places.ROOT.name), scratch / "tree"
    yield Entry(in_image(places.ROOT), "link", f"{places.CHECKOUT.name}/{places.ROOT.name}")
    for path in project_files(root):
        name = str(path.relative_to(root))
        if path.is_symlink():
            # A component's chart reaches the library chart by one.
            yield Entry(f"{to}/{name}", "link", str(path.readlink()))
            continue
        if path.suffix == ".py":
            copy = tree / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        yield Entry(f"{to}/{name}", "file", path, _mode(path))
    modules = scratch / "compiled"
    modules.mkdir()
    yield from compiled(tree, to, sys.executable, modules)


def _digest(path: Path) -> str:
    return f"-> {path.readlink()}" if path.is_symlink() else f"{_mode(path):o} {sha256_of(path)}"


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o111 else 0o644
