"""Artifacts: fetched or built once into a per-user cache, by the digest of their inputs."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from data_platform.clients import packages, registries
from data_platform.clients.commands import run
from data_platform.stack.definition import Artifact
from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.render import render

#: Time of all files of artifacts and images: 2026-01-01. Java compares the time of a jar with what an archive of
#: classes remembers of it, so it must be the same here and in an image, and whenever either was made.
EPOCH = 1_767_225_600
#: Part of every digest: what is made in another way than before is made again.
_FORMAT = "2"
_BUILD_SECONDS = 3600.0
#: Settings of the caller's that would make something else of the same sources. What a build fetches goes by the others.
_NOT_OF_BUILDS = frozenset(
    {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "LC_ALL", "LC_CTYPE", "MAKEFLAGS", "CFLAGS"}
)
_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_bytes(content: bytes) -> str:
    """Digest of some bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_of(*parts: str) -> str:
    """Digest of some texts, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Placed:
    """An artifact with the digest of its inputs and the folder that holds it, or will."""

    name: str
    spec: Artifact
    source: Path
    digest: str
    folder: Path
    needs: tuple[Placed, ...]

    @property
    def lock(self) -> Path:
        """Lock file of an environment."""
        return _lock(self.spec, self.source)

    @property
    def is_there(self) -> bool:
        """Whether it is in the cache. A folder gets its name in one step, so what is there is whole.

        Of an environment the interpreter must be there too: it is a link to one that may have been removed.
        """
        return self.folder.is_dir() and (self.spec.kind != "environment" or (self.folder / "bin" / "python").exists())


def place(stack: Stack, component: str, cache: Path) -> dict[str, Placed]:
    """All artifacts of a component and the toolchains that it names, by name.

    Raises:
        PlatformError: a source or lock file is missing, or `needs` names no artifact or goes round in a circle.
    """
    item = stack.components[component]
    specs = {name: (stack.toolchains[name], stack.root / "stack") for name in item.definition.toolchains}
    specs |= {name: (spec, item.folder) for name, spec in item.definition.artifacts.items()}
    return place_all(specs, stack.root, item.folder / "local.yaml", cache)


def place_all(specs: Mapping[str, tuple[Artifact, Path]], root: Path, where: Path, cache: Path) -> dict[str, Placed]:
    """Artifacts by name, each with the folder that its sources lie in.

    Args:
        specs: what they are, and the folder that `source` is in.
        root: the checkout.
        where: the file that describes them, for messages.
        cache: the per-user cache.

    Raises:
        PlatformError: see `place`.
    """
    placed: dict[str, Placed] = {}

    def add(name: str, asking: tuple[str, ...]) -> Placed:
        if name in placed:
            return placed[name]
        if name not in specs:
            raise PlatformError(
                f"{where}: {asking[-1]} needs {name!r}, which is no artifact", f"use one of {', '.join(specs)}"
            )
        if name in asking:
            raise PlatformError(
                f"{where}: artifacts need each other in a circle: {' → '.join((*asking, name))}",
                "take one of these names out of a needs",
            )
        spec, folder = specs[name]
        if spec.is_shared:
            folder = root
        needs = tuple(add(needed, (*asking, name)) for needed in spec.needs)
        digest = digest_of(
            _FORMAT,
            json.dumps(spec.model_dump(mode="json", exclude={"megabytes"}), sort_keys=True),
            *_inputs(root, spec, folder),
            *(n.digest for n in needs),
        )
        placed[name] = Placed(name, spec, folder, digest, cache / "artifacts" / f"{name}-{digest[:16]}", needs)
        return placed[name]

    for name in specs:
        add(name, ())
    return placed


def _lock(spec: Artifact, folder: Path) -> Path:
    return folder / (f"locks/{spec.environment}.txt" if spec.is_shared else str(spec.environment))


def _inputs(root: Path, spec: Artifact, folder: Path) -> list[str]:
    """Digests of the files that define an artifact."""
    files: list[Path] = []
    if spec.environment:
        files.append(_lock(spec, folder))
    if spec.maven_lock:
        files.append(folder / spec.maven_lock)
    if spec.source:
        source = folder / spec.source
        # What Python leaves beside a script that was imported is no input.
        inside = sorted(p for p in source.rglob("*") if p.is_file() and p.parent.name != "__pycache__")
        files += inside if source.is_dir() else [source]
    for path in files:
        if not path.is_file():
            raise PlatformError(f"{path} is missing", "is this a whole checkout?")
    digests = [f"{path.relative_to(root)} {sha256_of(path)}" for path in files]
    # How environments are made, for those that were made otherwise; and for which Python, for one cache may serve two.
    return [*digests, "compiled", f"python{sys.version_info[0]}.{sys.version_info[1]}"] if spec.environment else digests


def fetch(artifact: Placed, bindings: Mapping[str, str], cache: Path) -> None:
    """Bring an artifact into the cache, unless it is there.

    Args:
        artifact: what.
        bindings: environment of a `build`.
        cache: the cache's folder.

    Raises:
        PlatformError: not to be had, of another digest, or not to be built.
    """
    for needed in artifact.needs:
        fetch(needed, bindings, cache)
    artifact.folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(artifact.folder.with_suffix(".lock")):
        if artifact.is_there:
            return
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=artifact.folder.parent) as partial:
            content = Path(partial) / "content"
            content.mkdir()
            _make(artifact, content, bindings, cache)
            _settle(content)
            content.chmod(0o755)
            shutil.rmtree(artifact.folder, ignore_errors=True)
            content.rename(artifact.folder)


def _settle(folder: Path) -> None:
    """Give all files the same time, before another artifact is made from them.

    Not Python files: uv shares them with other environments, whose compiled modules remember their time.
    """
    for path in folder.rglob("*"):
        if path.suffix != ".py" and not path.is_symlink():
            os.utime(path, (EPOCH, EPOCH))


def _make(artifact: Placed, folder: Path, bindings: Mapping[str, str], cache: Path) -> None:
    spec = artifact.spec
    match spec.kind:
        case "wheel":
            packages.install_wheel(str(spec.wheel), spec.sha256, folder)
        case "environment":
            packages.make_environment(artifact.lock, folder)
        case "maven":
            packages.fetch_maven([str(spec.maven)], folder, cache)
            (file,) = folder.iterdir()
            _verify(file, spec.sha256, str(spec.maven))
            if spec.unpack:
                unpack(file, folder, spec.strip, spec.keep)
                file.unlink()
        case "maven_lock":
            wanted = read_maven_lock(artifact.source / str(spec.maven_lock))
            packages.fetch_maven(wanted, folder, cache)
            for coordinate, sha256 in wanted.items():
                _verify(folder / maven_file(coordinate), (sha256,), coordinate)
        case "go":
            (go,) = artifact.needs
            output = folder / str(spec.go).rpartition("/")[2]
            packages.build_go(str(spec.go), artifact.source / str(spec.source), go.folder / go.spec.home, output)
        case "build":
            _build(artifact, folder, bindings)


def _build(artifact: Placed, folder: Path, bindings: Mapping[str, str]) -> None:
    needed = {f"ARTIFACT_{n.name.upper()}": str(n.folder / n.spec.home) for n in artifact.needs}
    values = {**bindings, **needed, "OUT": str(folder)}
    with tempfile.TemporaryDirectory(prefix=".build-", dir=artifact.folder.parent) as scratch:
        _run_build(artifact, values, Path(scratch))


def _run_build(artifact: Placed, values: Mapping[str, str], scratch: Path) -> None:
    # Java takes the folder from elsewhere than the environment, and unpacks native libraries there: /tmp may let none
    # run. A flag of the launcher, so that no command line is another one.
    java = f'-Djava.io.tmpdir="{scratch}"'
    run(
        [render(word, values, f"local.yaml: artifact {artifact.name}") for word in artifact.spec.build or ()],
        doing=f"building {artifact.name}",
        remedy="read the lines above; the build is described in the component's local.yaml",
        seconds=_BUILD_SECONDS,
        folder=artifact.source,
        environment={
            **{name: value for name, value in registries.for_clients(os.environ).items() if name not in _NOT_OF_BUILDS},
            **values,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": str(scratch),
            "JDK_JAVA_OPTIONS": java,
        },
    )


def _verify(file: Path, accepted: tuple[str, ...], what: str) -> None:
    if not file.is_file():
        raise PlatformError(f"{what}: the download gave no file {file.name}", "run it again")
    if (found := sha256_of(file)) not in accepted:
        raise PlatformError(
            f"{what}: the downloaded file has the digest sha256:{found}, expected {' or '.join(accepted)}",
            "the download was cut short or the registry serves another file; remove it from Maven's local repository "
            "and run again, and if it persists find out why before you change the digest",
        )


def maven_file(coordinate: str) -> str:
    """File name of a Maven coordinate: `g:a:1:jar:x` is `a-1-x.jar`."""
    _, artifact, version, *rest = coordinate.split(":")
    kind = rest[0] if rest else "jar"
    classifier = f"-{rest[1]}" if len(rest) > 1 else ""
    return f"{artifact}-{version}{classifier}.{kind}"


def read_maven_lock(path: Path) -> dict[str, str]:
    """Coordinates and digests of a lock file; `#` starts a comment.

    Raises:
        PlatformError: a line is not `COORDINATE SHA256`, or there is none.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0].count(":") < 2 or len(words[1]) != 64:  # noqa: PLR2004 - COORDINATE SHA256
            raise PlatformError(f"{path}:{number}: {line!r} is not 'COORDINATE SHA256'", "make the lock again")
        found[words[0]] = words[1]
    if not found:
        raise PlatformError(f"{path} names no file", "make the lock again")
    return found


def unpack(archive: Path, folder: Path, strip: int, keep: tuple[str, ...]) -> None:
    """Unpack a tar or zip into a folder, dropping leading folders, and keep only some paths.

    Everything is unpacked first: a hard link in a tar may lead to a file that is not kept.

    Raises:
        PlatformError: a member would land outside, or nothing is left to keep.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        whole = Path(scratch)
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle:
                bundle.extractall(whole)  # noqa: S202 - the digest was verified; zipfile refuses outside paths
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(whole, filter="data")
        top = whole
        for _ in range(strip):
            (top,) = top.iterdir()
        kept = 0
        for path in sorted(p for p in top.rglob("*") if p.is_file() or p.is_symlink()):
            relative = path.relative_to(top)
            if keep and not any(fnmatch.fnmatch(str(relative), pattern) for pattern in keep):
                continue
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            path.rename(folder / relative)
            kept += 1
        if not kept:
            raise PlatformError(
                f"{archive.name}: nothing in it matches {', '.join(keep)}", "correct `keep` in local.yaml"
            )
        shutil.rmtree(top)
