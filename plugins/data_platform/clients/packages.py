"""Fetch and build from package registries with their ordinary clients: uv, mvn, go.

Which registry is asked is the clients' own configuration (a company's mirror in pip.conf, settings.xml, GOPROXY);
no address is written here.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from data_platform.clients import registries
from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError

_NETWORK = "look at the network and the registry settings (docs/how-to/behind-a-mirror.md), then run it again"
_MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
#: Downloads of some hundred megabytes on a slow line.
_DOWNLOAD_SECONDS = 1800.0
_BUILD_SECONDS = 3600.0
#: How Go calls processors.
_GO_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}


def install_wheel(requirement: str, sha256: Sequence[str], folder: Path) -> None:
    """Unpack one wheel, without its dependencies, after checking its digest.

    Args:
        requirement: NAME==VERSION.
        sha256: accepted digests (one a platform).
        folder: where to; made.

    Raises:
        PlatformError: not to be had, or of another digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder.with_suffix(".requirement")
    wanted.write_text(f"{requirement} {' '.join(f'--hash=sha256:{d}' for d in sha256)}\n", encoding="utf-8")
    try:
        _uv(
            "pip",
            "install",
            "--python",
            sys.executable,
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--target",
            str(folder),
            "-r",
            str(wanted),
        )
    finally:
        wanted.unlink(missing_ok=True)


def make_environment(lock: Path, folder: Path) -> None:
    """Make a Python environment of exactly what a lock file names, compiled: its programs start in half the time.

    Raises:
        PlatformError: a package is not to be had, or of another digest.
    """
    # Relocatable: its scripts find the interpreter beside them, so the folder may get its name when it is whole.
    _uv("venv", "--quiet", "--allow-existing", "--relocatable", "--python", sys.executable, str(folder))
    python = str(folder / "bin" / "python")
    # Compiled modules do not look at the times of their sources, which nobody changes.
    _uv(
        *("pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", python, str(lock)),
        environment={
            "PYC_INVALIDATION_MODE": "UNCHECKED_HASH",
            # A machine that is busy with other builds may take longer over a file than uv's minute.
            "UV_COMPILE_BYTECODE_TIMEOUT": "600",
        },
    )


def _uv(*arguments: str, environment: Mapping[str, str] | None = None) -> None:
    # The bootstrap puts uv beside the environments and names it here.
    run(
        [os.environ.get("DATA_PLATFORM_UV", "uv"), *arguments],
        doing=f"uv {' '.join(arguments[:2])}",
        remedy=_NETWORK,
        seconds=_DOWNLOAD_SECONDS,
        environment={**registries.for_clients(os.environ), **(environment or {})},
    )


def fetch_maven(coordinates: Iterable[str], folder: Path, cache: Path) -> None:
    """Copy files named by Maven coordinates, without what they depend on, into a folder.

    Args:
        coordinates: GROUP:ARTIFACT:VERSION[:TYPE[:CLASSIFIER]].
        folder: where to; each under its Maven file name.
        cache: for the lock that keeps two Mavens from filling an empty repository at the same time.

    Raises:
        PlatformError: Maven is missing, or a file is not to be had.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise PlatformError("Maven (mvn) is not on the PATH", "run: python3 -m bootstrap doctor")
    folder.mkdir(parents=True, exist_ok=True)
    pom = folder / ".pom.xml"
    items = "".join(_maven_item(coordinate) for coordinate in coordinates)
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>data-platform</groupId><artifactId>fetch</artifactId>"
        f"<version>1</version><packaging>pom</packaging><build><plugins><plugin>{_maven_plugin()}<configuration>"
        f"<artifactItems>{items}</artifactItems></configuration></plugin></plugins></build></project>",
        encoding="utf-8",
    )
    # Maven's local repository is not safe for two writers of the same file: the first run, which fetches the plugin
    # itself, has it alone; later ones share it, since no two artifacts of ours are the same file.
    with FileLock(cache / "maven.lock"):
        warm = cache / f"maven-plugin-{_MAVEN_PLUGIN.replace(':', '_')}"
        if not warm.exists():
            _mvn(maven, f"{_MAVEN_PLUGIN}:help", folder=folder)
            warm.touch()
    try:
        settings = [f"-DoutputDirectory={folder}", "-Dmdep.overWriteReleases=false", "-Dmdep.useBaseVersion=true"]
        _mvn(maven, f"{_MAVEN_PLUGIN}:copy", "-f", str(pom), *settings, folder=folder)
    finally:
        pom.unlink(missing_ok=True)


def _maven_plugin() -> str:
    group, artifact, version = _MAVEN_PLUGIN.split(":")
    return f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"


def _maven_item(coordinate: str) -> str:
    keys = ("groupId", "artifactId", "version", "type", "classifier")
    parts = zip(keys, coordinate.split(":"), strict=False)
    return f"<artifactItem>{''.join(f'<{key}>{value}</{key}>' for key, value in parts)}</artifactItem>"


def _mvn(maven: str, *arguments: str, folder: Path) -> None:
    run(
        [maven, "--batch-mode", "--no-transfer-progress", *arguments],
        doing="Maven",
        remedy=_NETWORK,
        seconds=_DOWNLOAD_SECONDS,
        folder=folder,
        environment=registries.for_clients(os.environ),
    )


def build_go(package: str, module: Path, go: Path, output: Path) -> None:
    """Build a Go program from the versions and digests of a go.mod and go.sum.

    Args:
        package: import path of the program.
        module: folder with go.mod and go.sum.
        go: root of the Go toolchain.
        output: file to write.

    Raises:
        PlatformError: a module is not to be had, of another digest, or does not compile.
    """
    run(
        [
            *(str(go / "bin" / "go"), "build", "-trimpath", "-o", str(output)),
            # Nothing for debuggers is made, which `-s -w` would leave out at the end.
            *("-gcflags=all=-dwarf=false", "-ldflags", "-s -w"),
            package,
        ],
        doing=f"building {package}",
        remedy=_NETWORK,
        seconds=_BUILD_SECONDS,
        folder=module,
        environment={
            **registries.for_clients(os.environ),
            # Said, for `go env -w` may say otherwise.
            "GOOS": "linux",
            "GOARCH": _GO_PROCESSORS.get(platform.machine(), platform.machine()),
            "GO111MODULE": "on",
            "GOWORK": "off",
            "GOFLAGS": "-mod=readonly -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOROOT": str(go),
            # The compiler collects its garbage more seldom: MinIO in 254 CPU seconds instead of 324, with the above.
            "GOGC": "400",
        },
    )
