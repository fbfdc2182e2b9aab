"""The processors of the flow: their Java, compiled as a deploy does and run without a NiFi."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from data_platform.stack.load import load_stack
from data_platform.targets.local.artifacts import Placed, fetch, place
from data_platform.targets.local.cache import cache_folder

HERE = Path(__file__).parent
#: Runs a class of this folder in a folder, with words; returns what it says.
Java = Callable[..., str]


def jars_and_java(root: Path) -> dict[str, Placed]:
    """What the processors are compiled with, fetched as a deploy does."""
    artifacts = place(load_stack(root), "nifi", cache_folder())
    wanted = {need.name: need for need in artifacts["processors"].needs}
    for artifact in wanted.values():
        fetch(artifact, {}, cache_folder())
    return wanted


def compiled(root: Path, found: dict[str, Placed], classes: Path) -> str:
    """The class path of the processors and of `Judge`, compiled together."""
    script = root / "stack/components/integration/nifi/image/java/compile.py"
    spec = importlib.util.spec_from_file_location("nifi_compile", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    jars = [jar for name in ("lib", "object_store", "standard") for jar in sorted(found[name].folder.glob("*.jar"))]
    java = found["java25"].folder / found["java25"].spec.home
    module.compile_sources(java, found["ecj"].folder, jars, classes)
    class_path = ":".join(str(path) for path in (classes, *jars))
    (ecj,) = found["ecj"].folder.glob("*.jar")
    words = [
        "-source", module.RELEASE, "-target", module.RELEASE, "--system", java, "-encoding", "UTF-8", "-failOnWarning",
    ]  # fmt: skip
    argv = [
        java / "bin" / "java",
        "-jar",
        ecj,
        *words,
        "-classpath",
        class_path,
        "-d",
        classes,
        *sorted(HERE.glob("*.java")),
    ]
    subprocess.run(argv, check=True, timeout=300)
    return class_path


@pytest.fixture(scope="session")
def java(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Java:
    """The compiled classes."""
    found = jars_and_java(root)
    class_path = compiled(root, found, tmp_path_factory.mktemp("classes"))
    program = found["java25"].folder / found["java25"].spec.home / "bin" / "java"

    def run(name: str, folder: Path, *words: str) -> str:
        argv = [program, f"-Ddata.platform.landing={folder}", "-cp", class_path, f"dataplatform.nifi.{name}", *words]
        subprocess.run(argv, cwd=folder, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=True, timeout=300)
        return (folder / "said").read_text(encoding="utf-8")

    return run
