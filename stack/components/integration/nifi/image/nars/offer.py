"""Which processors, services and tasks the NARs offer to NiFi's clients: those of `offered.toml`, and no others.

Not listing a class is not enough: a flow definition may name any class of a NAR, and NiFi makes it. So the classes of
what is not offered are left out as well. Standard library only.
"""

from __future__ import annotations

import io
import re
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("offered.toml")
SERVICES = "META-INF/services/"
#: What clients of NiFi can make, by the name under which jars list it.
KINDS = (
    "org.apache.nifi.controller.ControllerService",
    "org.apache.nifi.flowanalysis.FlowAnalysisRule",
    "org.apache.nifi.parameter.ParameterProvider",
    "org.apache.nifi.processor.Processor",
    "org.apache.nifi.registry.flow.FlowRegistryClient",
    "org.apache.nifi.reporting.ReportingTask",
)
#: How a class file shows that NiFi, or the file itself, takes it for one that reaches out of its flow.
WATCHED = {
    b"Lorg/apache/nifi/annotation/behavior/Restricted;": "NiFi marks it as restricted",
    b"identifiesExternalResource": "a property of it names a file or an address that NiFi reads",
}
#: The oldest time that a zip can hold.
TIME = (1980, 1, 1, 0, 0, 0)
_VERSIONED = re.compile(r"META-INF/versions/\d+/")


class Offer(NamedTuple):
    """One thing that is offered."""

    kind: str
    #: Why, where it reaches out of its flow.
    restricted: str = ""


def load(path: Path = FILE) -> dict[str, Offer]:
    """What is offered, by class name.

    Raises:
        ValueError: a kind that clients cannot make, a class named twice, or a group without a reason.
    """
    found: dict[str, Offer] = {}
    for group in tomllib.loads(path.read_text(encoding="utf-8"))["offered"]:
        if group["kind"] not in KINDS:
            raise ValueError(f"{path}: {group['kind']} is none of {', '.join(KINDS)}")
        for name in group["types"]:
            whole = f"{group['package']}.{name}"
            if whole in found or not group["why"].strip():
                raise ValueError(f"{path}: {whole} is named twice, or without a reason")
            found[whole] = Offer(group["kind"], group.get("restricted", ""))
    return found


def listed(jar: zipfile.ZipFile) -> dict[str, list[str]]:
    """The classes that a jar lists, by the kinds that clients can make."""
    names = set(jar.namelist())
    return {kind: _names(jar.read(SERVICES + kind)) for kind in KINDS if SERVICES + kind in names}


def _names(service: bytes) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in service.decode().splitlines())
    return [line for line in lines if line]


def class_of(entry: str) -> str:
    """The outermost class that a file of a jar belongs to; empty where it is no class."""
    path = _VERSIONED.sub("", entry)
    return path.removesuffix(".class").partition("$")[0].replace("/", ".") if path.endswith(".class") else ""


def reduced(content: bytes, offers: Mapping[str, Offer]) -> tuple[bytes, set[str]]:
    """A jar with what is offered of it.

    Args:
        content: the jar.
        offers: what `load` gave.

    Returns:
        The jar, byte for byte the same where it lists nothing else, and the offered classes that it lists.

    Raises:
        ValueError: a class is offered as what it is not, or reaches out of its flow and nothing says why it may.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as jar:
        here = listed(jar)
        kept = {kind: [n for n in names if n in offers and offers[n].kind == kind] for kind, names in here.items()}
        offered = {name for names in kept.values() for name in names}
        dropped = {name for names in here.values() for name in names} - offered
        _refuse_unexplained(jar, {name for name in offered if not offers[name].restricted})
        if not dropped:
            return content, offered
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
            for entry in sorted(jar.namelist()):
                if class_of(entry) in dropped:
                    continue
                kind = entry.removeprefix(SERVICES)
                lines = "".join(f"{name}\n" for name in kept[kind]).encode() if kind in kept else jar.read(entry)
                made.writestr(zipfile.ZipInfo(entry, TIME), lines)
    return out.getvalue(), offered


def _refuse_unexplained(jar: zipfile.ZipFile, names: Iterable[str]) -> None:
    wanted = set(names)
    for entry in sorted(jar.namelist()):
        if (name := class_of(entry)) in wanted:
            content = jar.read(entry)
            for mark, reason in WATCHED.items():
                if mark in content:
                    raise ValueError(f"{name} is offered, but {reason}: leave it out of {FILE.name}, or say why it may")
