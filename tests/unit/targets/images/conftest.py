"""Images of the small stack, over a base that is made here instead of by Debian's tools."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from data_platform.clients import debian, packages
from data_platform.stack.definition import Artifact
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.images.build import Builder
from data_platform.targets.local.artifacts import Placed

if TYPE_CHECKING:
    from tests.conftest import Tiny

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
#: Path, mode, content (a link's target after an arrow), as mmdebstrap would write them.
SYSTEM: tuple[tuple[str, int, str | None], ...] = (
    ("./", 0o755, None),
    ("./dev/", 0o755, None),
    ("./etc/", 0o755, None),
    ("./etc/apt/", 0o755, None),
    ("./etc/apt/sources.list", 0o644, "deb http://mirror.example.org/debian bookworm main\n"),
    ("./etc/group", 0o644, "root:x:0:\n"),
    ("./etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n"),
    ("./etc/passwd-", 0o644, "an older one\n"),
    ("./tmp/", 0o1777, None),
    ("./usr/bin/", 0o755, None),
    ("./usr/bin/python3", 0o777, f"->python{MINOR}"),
    (f"./usr/bin/python{MINOR}", 0o755, "an interpreter\n"),
    ("./usr/bin/su", 0o4755, "a program\n"),
    (f"./usr/lib/python{MINOR}/abc.py", 0o644, "one = 1\n"),
    (f"./usr/lib/python{MINOR}/__pycache__/abc.pyc", 0o644, "compiled when it was installed\n"),
    ("./var/lib/dpkg/status", 0o644, STATUS),
    ("./var/log/dpkg.log", 0o644, "what was done when\n"),
)


def write_system(output: Path, system: Sequence[tuple[str, int, str | None]] = SYSTEM) -> None:
    """A tar file as mmdebstrap would write it."""
    with tarfile.open(output, "w") as tar:
        for name, mode, content in system:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif content.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, content.removeprefix("->")
                tar.addfile(info)
            else:
                info.size = len(content.encode())
                tar.addfile(info, io.BytesIO(content.encode()))
        device = tarfile.TarInfo("./dev/null")
        device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 3
        tar.addfile(device)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the base was asked to be made of, each time that it was made."""
    asked: list[str] = []

    def make_system(name: str, wanted: Sequence[str], epoch: int, output: Path) -> None:
        del epoch
        asked.append(f"{name} {' '.join(wanted)}")
        write_system(output)

    monkeypatch.setattr(debian, "make_system", make_system)
    monkeypatch.setattr(debian, "release", lambda: "bookworm")
    return asked


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python environments of one module."""

    def make_environment(lock: Path, folder: Path) -> None:
        library = folder / "lib" / f"python{MINOR}" / "site-packages"
        (library / "thing-1.0.dist-info").mkdir(parents=True)
        (library / "thing.py").write_text(f"lock = {lock.name!r}\n", encoding="utf-8")
        (library / "thing-1.0.dist-info" / "METADATA").write_text("Name: thing\nVersion: 1.0\n", encoding="utf-8")
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(sys.executable)
        (folder / "bin" / "activate").write_text("for a shell\n", encoding="utf-8")
        (folder / "pyvenv.cfg").write_text("home = /somewhere/else\n", encoding="utf-8")

    monkeypatch.setattr(packages, "make_environment", make_environment)


@pytest.fixture
def stacked(tiny: Tiny) -> Tiny:
    """The small stack with images: of `reader` its program, of `portal` the platform."""
    files = {
        "postgresql": {},
        "minio": {},
        "reader": {"image": {"artifacts": ["shell", "program"]}},
        "portal": {"image": {"platform": True}},
    }
    for name, content in files.items():
        (tiny.folder(name) / "kubernetes.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    base = tiny.root / "stack" / "images" / "base.yaml"
    base.parent.mkdir()
    base.write_text("packages: [python3]\n", encoding="utf-8")
    for name, text in {"locks/platform.txt": "thing==1.0\n", "plugins/code.py": "two = 2\n"}.items():
        path = tiny.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tiny


def load(tiny: Tiny) -> Stack:
    """The small stack as it is now."""
    return load_stack(tiny.root, target=KUBERNETES)


@pytest.fixture
def builder(stacked: Tiny, made: list[str], environments: None, tmp_path: Path) -> Callable[..., Builder]:
    """A builder of the stack as it is now, in a cache of a name."""
    del made, environments
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("helm", "kubectl"):
        (programs / name).write_text(f"{name}\n", encoding="utf-8")
    spec = Artifact.model_validate({"build": ["true"]})
    tools = Placed("kubernetes", spec, tmp_path, "0" * 64, programs, ())
    return lambda cache="one": Builder(load(stacked), tmp_path / cache, tools)
