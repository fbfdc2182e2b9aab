"""Compile our own processors into a jar, by Eclipse's compiler: the Java runtime that NiFi runs on has none.

`python image/java/compile.py JAVA COMPILER OUT FOLDER …`: JAVA is the runtime's folder, COMPILER the folder of the
compiler's jar, OUT gets the jar, and each FOLDER holds jars of the class path; of two versions the first counts. Every
public class in this folder is listed for NiFi: as a processor, or as what it implements. Same input, same bytes:
entries are sorted and carry no time. Standard library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
JAR = "data-platform-processors-1.jar"
SERVICES = "META-INF/services/"
PROCESSOR = "org.apache.nifi.processor.Processor"
#: What NiFi looks for by another name than a processor, by the interface that a class implements.
INTERFACES = {
    "AssetManager": "org.apache.nifi.asset.AssetManager",
    "NarPersistenceProvider": "org.apache.nifi.nar.NarPersistenceProvider",
}
#: What the classes run on at least.
RELEASE = "21"
_SECONDS = 300
#: The oldest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_PUBLIC = re.compile(r"^public (?:final )?class (\w+)(?: implements (\w+))?", re.MULTILINE)


def services(sources: Path) -> dict[str, list[str]]:
    """Full names of the public classes below a folder, sorted, by what NiFi finds them as.

    Raises:
        ValueError: there is none.
        KeyError: one implements something that NiFi does not look for.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(sources.rglob("*.java")):
        for name, interface in _PUBLIC.findall(path.read_text(encoding="utf-8")):
            service = INTERFACES[interface] if interface else PROCESSOR
            found.setdefault(service, []).append(".".join((*path.relative_to(sources).parent.parts, name)))
    if not found:
        raise ValueError(f"{sources} holds no public class")
    return {service: sorted(names) for service, names in sorted(found.items())}


def compile_sources(java: Path, compiler: Path, class_path: Iterable[Path], classes: Path) -> None:
    """Compile everything below `SOURCES` into the folder `classes`.

    Raises:
        SystemExit: it does not compile; the compiler has printed why.
        ValueError: `compiler` does not hold exactly one jar.
    """
    (jar,) = compiler.glob("*.jar")
    done = subprocess.run(
        [java / "bin" / "java", "-XX:TieredStopAtLevel=1", "-jar", jar,
         # The runtime has no list of older releases' classes, which --release would need.
         "-source", RELEASE, "-target", RELEASE, "--system", java,
         "-encoding", "UTF-8", "-warn:-serial", "-failOnWarning", "-proc:none",
         "-classpath", ":".join(str(path) for path in class_path), "-d", classes, SOURCES],
        check=False,
        timeout=_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{SOURCES} does not compile")


def pack(classes: Path, listed: Mapping[str, Iterable[str]], jar: Path) -> None:
    """Write the jar of all compiled classes.

    Args:
        classes: folder with them.
        listed: what `services` gave.
        jar: where it goes.
    """
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_STORED) as out:
        out.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _TIME), "Manifest-Version: 1.0\r\n\r\n")
        for service, names in listed.items():
            out.writestr(zipfile.ZipInfo(SERVICES + service, _TIME), "".join(f"{name}\n" for name in names))
        for path in sorted(classes.rglob("*.class")):
            out.writestr(zipfile.ZipInfo(path.relative_to(classes).as_posix(), _TIME), path.read_bytes())


def main(arguments: Sequence[str]) -> None:
    """Compile and pack."""
    java, compiler, out, *folders = (Path(word) for word in arguments)
    listed = services(SOURCES)
    class_path = [jar for folder in folders for jar in sorted(folder.glob("*.jar"))]
    with tempfile.TemporaryDirectory() as scratch:
        compile_sources(java, compiler, class_path, Path(scratch))
        pack(Path(scratch), listed, out / JAR)
    print(f"{JAR}: {', '.join(name for names in listed.values() for name in names)}")


if __name__ == "__main__":
    main(sys.argv[1:])
