"""What software a layer holds, by the databases of Debian, and what Python packages, jars and Go programs say."""

from __future__ import annotations

import io
import mmap
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from data_platform.stack.definition import Artifact
from data_platform.targets.images.layers import Entry
from data_platform.targets.local.artifacts import Placed, read_maven_lock

_DPKG_STATUS = "var/lib/dpkg/status"
#: https://pkg.go.dev/debug/buildinfo: a header of 32 bytes, then the version and the modules, each after its length.
_GO_MAGIC, _GO_HEADER, _GO_SENTINEL = b"\xff Go buildinf:", 32, 16
_ELF = b"\x7fELF"
#: NiFi's archives are jars with jars in them.
_JARS = (".jar", ".nar")


@dataclass(frozen=True)
class Part:
    """A piece of software.

    Attributes:
        purl: its package URL, which says what kind it is too. https://github.com/package-url/purl-spec
        name: of the package.
        version: of the package.
        sha256: of the file that it came in, where a lock says so.
    """

    purl: str
    name: str
    version: str
    sha256: str = ""

    def to_dict(self) -> dict[str, str]:
        """As it is remembered."""
        return {key: str(value) for key, value in asdict(self).items()}


def parts_of(entries: Iterable[Entry], artifact: Placed | None) -> list[dict[str, str]]:
    """The software in a layer, sorted, each once.

    Args:
        entries: of the layer.
        artifact: what the layer is made of.
    """
    found: dict[str, Part] = {}
    if artifact is not None:
        found = {part.purl: part for part in _locked(artifact.spec, artifact.source)}
    for entry in entries:
        for part in _inside(entry):
            found.setdefault(part.purl, part)
    return [found[purl].to_dict() for purl in sorted(found)]


def _inside(entry: Entry) -> Iterator[Part]:
    if entry.kind != "file" or not isinstance(entry.content, Path):
        return
    if entry.path == _DPKG_STATUS:
        yield from _debian(entry.content.read_text(encoding="utf-8"))
    elif entry.path.endswith(".dist-info/METADATA"):
        yield _python(entry.content.read_text(encoding="utf-8", errors="replace"))
    elif entry.path.endswith(_JARS):
        yield from _jar(entry.content)
    elif entry.mode & 0o111:
        yield from _go(entry.content)


def _purl(kind: str, group: str | None, name: str, version: str, **qualifiers: str) -> str:
    from packageurl import PackageURL

    return PackageURL(kind, group, name, version, qualifiers or None).to_string()


def _locked(spec: Artifact, source: Path) -> Iterator[Part]:
    coordinates: dict[str, str] = {}
    if spec.maven_lock:
        coordinates = read_maven_lock(source / spec.maven_lock)
    elif spec.maven:
        # Several digests are those of several platforms.
        coordinates = {spec.maven: spec.sha256[0] if len(spec.sha256) == 1 else ""}
    for coordinate, sha256 in coordinates.items():
        group, name, version, *rest = coordinate.split(":")
        more = dict(zip(("type", "classifier"), rest, strict=False))
        if more == {"type": "jar"}:
            # What a package URL of this kind means anyway, and what jars themselves do not say.
            more = {}
        yield Part(_purl("maven", group, name, version, **more), name, version, sha256)


def _debian(status: str) -> Iterator[Part]:
    for paragraph in status.split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        name, version = fields.get("Package"), fields.get("Version")
        if name and version and "installed" in fields.get("Status", ""):
            purl = _purl("deb", "debian", name, version, arch=fields.get("Architecture", ""))
            yield Part(purl, name, version)


def _python(metadata: str) -> Part:
    fields = HeaderParser().parsestr(metadata)
    name, version = fields.get("Name", "unknown"), fields.get("Version", "")
    return Part(_purl("pypi", None, name, version), name, version)


def _jar(file: Path | io.BytesIO) -> Iterator[Part]:
    """A jar names itself, and the jars that it was merged from or that lie in it."""
    with zipfile.ZipFile(file) as jar:
        for name in jar.namelist():
            if name.endswith(".jar"):
                yield from _jar(io.BytesIO(jar.read(name)))
            elif name.startswith("META-INF/maven/") and name.endswith("/pom.properties"):
                lines = jar.read(name).decode(errors="replace").splitlines()
                values = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
                if {"groupId", "artifactId", "version"} <= values.keys():
                    purl = _purl("maven", values["groupId"], values["artifactId"], values["version"])
                    yield Part(purl, values["artifactId"], values["version"])


def _go(path: Path) -> Iterator[Part]:
    """The modules that a Go program was linked from."""
    with path.open("rb") as stream:
        if stream.read(len(_ELF)) != _ELF:
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = content.find(_GO_MAGIC)
            if start < 0:
                return
            version, after = _counted(content, start + _GO_HEADER)
            modules, _ = _counted(content, after)
    if version.startswith(b"go"):
        go = version.split()[0].removeprefix(b"go").decode()
        yield Part(_purl("golang", None, "stdlib", go), "stdlib", go)
    for line in modules[_GO_SENTINEL:-_GO_SENTINEL].decode(errors="replace").splitlines():
        words = line.split("\t")
        # `mod` is the program itself, `dep` a dependency, `=>` what stands in the place of the one before.
        if words[0] in ("mod", "dep", "=>") and len(words) > 2 and words[2]:  # noqa: PLR2004 - kind, path, version
            group, _, name = words[1].rpartition("/")
            yield Part(_purl("golang", group or None, name, words[2]), words[1], words[2])


def _counted(content: Any, place: int) -> tuple[bytes, int]:
    """Bytes after their length (7 bits a byte, the lowest first), and the place after them."""
    length = shift = 0
    while True:
        byte = content[place]
        place += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - no more bytes follow
            return content[place : place + length], place + length
