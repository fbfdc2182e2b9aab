"""The archive: which files it holds, what each is, what is missing and why; written 0600 in one step."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from bootstrap.cache import shown
from bootstrap.support.redaction import Redactor
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.disk import drafted, full, is_full

#: Endings of a file that `--output` may name.
ENDINGS = (".tar.gz", ".tgz")
#: Bytes of all files together: what can be sent by mail, packed.
TOTAL = 32 << 20
MANIFEST, README = "manifest.json", "README.md"


class Entry(NamedTuple):
    """A file of the archive, before it is redacted.

    Attributes:
        name: path in the archive.
        what: it is, in words.
        content: of the file.
        left_out: bytes before it that were left out.
    """

    name: str
    what: str
    content: str
    left_out: int = 0


class Part(NamedTuple):
    """What became of a part.

    Attributes:
        name: of the part.
        what: it is, in words.
        entries: its files; those that were there in time.
        seconds: that it took.
        lacks: why it is not whole; empty where it is.
    """

    name: str
    what: str
    entries: Sequence[Entry]
    seconds: float
    lacks: str = ""


class Packed(NamedTuple):
    """An archive that was written.

    Attributes:
        path: of it.
        size: in bytes.
        files: how many it holds.
        redacted: how often each secret was replaced.
    """

    path: Path
    size: int
    files: int
    redacted: Counter[str]


def as_json(content: Any) -> str:
    """Content as a file of the archive; what JSON does not know (times, paths) as text."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"


def place_for(path: Path) -> Path:
    """The file that an archive is to be written to; looked at before anything is gathered for it.

    Raises:
        PlatformError: it is there already, or cannot be made there.
    """
    path = path.absolute()
    if not path.name.endswith(ENDINGS):
        raise PlatformError(f"--output {path} does not end in {' or '.join(ENDINGS)}", "give it one of these endings")
    if os.path.lexists(path):
        raise PlatformError(f"--output {path} is there already", "give another name, or remove it")
    if not path.parent.is_dir():
        raise PlatformError(f"--output {path}: there is no folder {path.parent}", "make it, or give another one")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PlatformError(
            f"--output {path}: you may not write to {path.parent}", "give a file in a folder of your own by --output"
        )
    return path


def write(path: Path, parts: Iterable[Part], redactor: Redactor, at: datetime, about: dict[str, Any]) -> Packed:
    """Redact what was gathered and write it.

    Args:
        path: which must not be there.
        parts: what was gathered.
        redactor: takes secrets out, of names and reasons too.
        at: when; of all files.
        about: what the manifest says of the platform.

    Raises:
        PlatformError: the disk is full.
    """
    files, listed, gathered, total = dict[str, bytes](), list[dict[str, Any]](), list[dict[str, Any]](), 0
    counts: Counter[str] = Counter()
    for part in parts:
        beyond = []
        for entry in part.entries:
            name, found = redactor(entry.name).text, redactor(entry.content)
            content = found.text.encode(errors="replace")
            if total + len(content) > TOTAL:
                beyond.append(name)
                continue
            total += len(content)
            counts += found.counts
            name = _another(name, files)
            files[name] = content
            listed.append(
                {"name": name, "what": entry.what, "bytes": len(content)}
                | ({"bytes_before_it_left_out": entry.left_out} if entry.left_out else {})
                | ({"redacted": dict(sorted(found.counts.items()))} if found.counts else {})
            )
        lacks = [part.lacks] if part.lacks else []
        lacks += [f"left out, for the archive holds {shown(TOTAL)} at most: {', '.join(beyond)}"] if beyond else []
        told = {"part": part.name, "what": part.what, "seconds": round(part.seconds, 1)}
        gathered.append(told | ({"lacks": "; ".join(lacks)} if lacks else {}))
    manifest = about | {
        "made": at.isoformat(timespec="seconds"),
        "parts": gathered,
        "files": listed,
        "redacted": dict(sorted(counts.items())),
        "not_searched_for": redactor.unsearched,
    }
    # What is said of parts may quote a server.
    manifest = _told(manifest, redactor)
    files = {README: _readme(manifest).encode(), MANIFEST: as_json(manifest).encode(), **files}
    top = path.name.removesuffix(".tgz").removesuffix(".tar.gz")
    _write_new(path, _packed(top, files, at))
    return Packed(path, path.stat().st_size, len(files), counts)


def _told(said: Any, redactor: Redactor) -> Any:
    """The same without secrets in its texts."""
    if isinstance(said, dict):
        return {key: _told(value, redactor) for key, value in said.items()}
    if isinstance(said, list):
        return [_told(each, redactor) for each in said]
    return redactor(said).text if isinstance(said, str) else said


def _another(name: str, there: dict[str, bytes]) -> str:
    """A name that no other file has: two may be the same once they are redacted."""
    found, number = name, 1
    while found in there:
        number += 1
        found = f"{name}.{number}"
    return found


def _packed(top: str, files: dict[str, bytes], at: datetime) -> bytes:
    """A tar archive whose bytes depend on its files alone: no owner, no name, no time of this machine."""
    packed = io.BytesIO()
    seconds = int(at.timestamp())
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=seconds) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mode, member.mtime = len(content), 0o600, seconds
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _write_new(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with drafted(path), os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
    except FileExistsError:
        raise PlatformError(f"--output {path} is there already", "give another name, or remove it") from None
    except OSError as error:
        if is_full(error):
            raise full(path, error, f"the archive ({len(content):,} bytes)") from None
        raise PlatformError(
            f"--output {path} cannot be written: {error.strerror}", "give a file in a folder of your own by --output"
        ) from None


def _readme(manifest: dict[str, Any]) -> str:
    lacking = [
        f"- **{part['part']}** ({part['what']}): {' '.join(part['lacks'].split())}"
        for part in manifest["parts"]
        if "lacks" in part
    ]
    lines = [
        "# What a data platform looks like, for who helps from afar",
        "",
        f"Made {manifest['made']} by `python3 -m bootstrap support`. `{MANIFEST}` says the same for",
        "programs, with what was redacted in each file and how often.",
        "",
        "**Redacted** are known secrets (`«secret: <whose>/<name>»`) and what looks like one (`«redacted: …»`);",
        "the name of the machine is `host`, a user's folder `~`. No row and no file of data was put in; a log may",
        "quote a value.",
        "",
        "## What is missing",
        "",
        *(lacking or ["Nothing."]),
        "",
        "## What is where",
        "",
        "| file | bytes | what |",
        "|---|---|---|",
        *(f"| `{each['name']}` | {each['bytes']:,} | {each['what']} |" for each in manifest["files"]),
    ]
    return "\n".join(lines) + "\n"
