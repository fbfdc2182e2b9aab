"""Build the NARs whose processors and services clients of NiFi can use, from jars, and the one of our own.

`python image/nars/build_nars.py LIB OUT NAR=FOLDER …`: LIB holds the published jars and NARs, OUT gets the result, and
each FOLDER holds jars of one NAR, or the NAR as published (give the NAR again for another folder of it). Of each jar
only what `offered.toml` names is left, see `offer.py`; a NAR of LIB may offer nothing at all. A jar that a parent NAR
or the class path carries is left out: two copies of a class in two class loaders are two classes, and the parent's
version is the one that NiFi was tested with. Same input, same bytes: entries are sorted and carry no time. Standard
library only.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

# Run as a script, its own folder comes first on the path.
import offer

GROUP = "org.apache.nifi"
#: Our own, so that nobody takes it for a part of NiFi.
OWN_GROUP, OWN_NAR = "data-platform", "data-platform-nar"
VERSION = "2.3.0"
#: Each NAR that we build, and the NAR whose class loader is above its own.
PARENTS = {
    "nifi-record-serialization-services-nar": "nifi-standard-shared-nar",
    "nifi-standard-nar": "nifi-standard-shared-nar",
    "nifi-update-attribute-nar": "nifi-standard-shared-nar",
    OWN_NAR: "nifi-standard-shared-nar",
}
BUNDLED = "META-INF/bundled-dependencies/"
_TIME = offer.TIME


def artifact_of(file_name: str) -> str:
    """Artifact of a jar's Maven file name: `slf4j-api-2.0.17.jar` is of `slf4j-api`."""
    return re.sub(r"-\d[^/]*\.jar$", "", file_name)


def parent_of(nar: zipfile.ZipFile) -> str | None:
    """Id of the NAR that a NAR depends on, as its manifest says."""
    # Manifest lines longer than 72 bytes go on in the next line after one space.
    text = nar.read("META-INF/MANIFEST.MF").decode().replace("\r\n", "\n").replace("\n ", "")
    found = re.search(r"^Nar-Dependency-Id: *(\S+)$", text, re.MULTILINE)
    return found[1] if found else None


def inherited(lib: Path, nar_id: str) -> Iterator[str]:
    """Artifacts that a NAR above and all NARs above that carry.

    Args:
        lib: folder with the published NARs.
        nar_id: the first of the chain.

    Raises:
        FileNotFoundError: one of the chain is not in `lib`.
    """
    following: str | None = nar_id
    while following:
        with zipfile.ZipFile(lib / f"{following}-{VERSION}.nar") as nar:
            yield from (artifact_of(PurePosixPath(n).name) for n in nar.namelist() if n.endswith(".jar"))
            following = parent_of(nar)


def manifest(nar_id: str) -> str:
    """The manifest by which NiFi knows a NAR."""
    entries = {
        "Manifest-Version": "1.0",
        "Nar-Id": nar_id,
        "Nar-Group": OWN_GROUP if nar_id == OWN_NAR else GROUP,
        "Nar-Version": VERSION,
        "Nar-Dependency-Group": GROUP,
        "Nar-Dependency-Id": PARENTS[nar_id],
        "Nar-Dependency-Version": VERSION,
        "Clone-During-Instance-Class-Loading": "false",
    }
    return "".join(f"{key}: {value}\r\n" for key, value in entries.items()) + "\r\n"


def jars_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the jars in a folder, and of those that NARs in it carry."""
    for jar in folder.glob("*.jar"):
        yield jar.name, jar.read_bytes()
    for published in folder.glob("*.nar"):
        with zipfile.ZipFile(published) as nar:
            for name in nar.namelist():
                if name.endswith(".jar"):
                    yield PurePosixPath(name).name, nar.read(name)


def build(
    nar_id: str, folders: Iterable[Path], provided: Collection[str], offers: dict[str, offer.Offer], out: Path
) -> tuple[list[str], set[str]]:
    """Write one NAR.

    Args:
        nar_id: a key of `PARENTS`.
        folders: with its jars.
        provided: artifacts to leave out.
        offers: what may be offered.
        out: folder where the NAR goes.

    Returns:
        The names of the jars in it, and the classes that it offers.

    Raises:
        ValueError: no jar is left to put in, or one offers what it may not.
    """
    found = {name: content for folder in folders for name, content in jars_in(folder)}
    chosen = [name for name in sorted(found) if artifact_of(name) not in provided]
    if not chosen:
        raise ValueError(f"{', '.join(map(str, folders))} holds no jar for {nar_id}")
    offered: set[str] = set()
    with zipfile.ZipFile(out / f"{nar_id}-{VERSION}.nar", "w", zipfile.ZIP_STORED) as nar:
        # NiFi's unpacker makes a folder only where the zip has an entry for it, and fails on the files otherwise.
        nar.writestr(zipfile.ZipInfo("META-INF/", _TIME), b"")
        nar.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _TIME), manifest(nar_id))
        nar.writestr(zipfile.ZipInfo(BUNDLED, _TIME), b"")
        for name in chosen:
            content, here = offer.reduced(found[name], offers)
            nar.writestr(zipfile.ZipInfo(BUNDLED + name, _TIME), content)
            offered |= here
    return chosen, offered


def refuse_unlisted(lib: Path) -> None:
    """What is used as it is published must offer nothing: it is not reduced.

    Raises:
        ValueError: a jar or NAR offers something.
    """
    for name, content in jars_in(lib):
        with zipfile.ZipFile(io.BytesIO(content)) as jar:
            if found := [n for names in offer.listed(jar).values() for n in names]:
                raise ValueError(f"{name} in {lib} offers {', '.join(found)}; give its NAR to this script instead")


def main(arguments: Sequence[str]) -> None:
    """Build the NARs named on the command line."""
    lib, out, *wanted = arguments
    folders: dict[str, list[Path]] = {}
    for word in wanted:
        nar_id, _, jars = word.partition("=")
        folders.setdefault(nar_id, []).append(Path(jars))
    if set(folders) != set(PARENTS):
        raise SystemExit(f"name each of {', '.join(PARENTS)}, as NAR=FOLDER")
    refuse_unlisted(Path(lib))
    class_path = {artifact_of(jar.name) for jar in Path(lib).glob("*.jar")}
    offers = offer.load()
    missing = set(offers)
    for nar_id, jar_folders in folders.items():
        provided = class_path | set(inherited(Path(lib), PARENTS[nar_id]))
        names, offered = build(nar_id, jar_folders, provided, offers, Path(out))
        missing -= offered
        print(f"{nar_id}: {len(names)} jars, offers {len(offered)}")
    if missing:
        raise SystemExit(f"{offer.FILE.name} names what is in no NAR: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main(sys.argv[1:])
