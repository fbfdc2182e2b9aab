"""Compile our own processors into a jar, by Eclipse's compiler: the Java runtime that NiFi runs on has none.

`python image/java/compile.py JAVA COMPILER OUT FOLDER …`: JAVA is the runtime's folder, COMPILER the folder of the
compiler's jar, OUT gets the jar, and each FOLDER holds jars of the class path; of two versions the first counts. Every
public class in this folder is a processor and is listed for NiFi. Same input, same bytes: entries are sorted and carry
no time. Standard library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
JAR = "data-platform-processors-1.jar"
SERVICE = "META-INF/services/org.apache.nifi.processor.Processor"
#: What the classes run on at least.
RELEASE = "21"
_SECONDS = 300
#: The oldest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_PUBLIC = re.compile(r"^public (?:final )?class (\w+)", re.MULTILINE)


def processors(sources: Path) -> list[str]:
    """Full names of the public classes below a folder, sorted.

    Raises:
        ValueError: there is none.
    """
    found = [
        ".".join((*path.relative_to(sources).parent.parts, name))
        for path in sources.rglob("*.java")
        for name in _PUBLIC.findall(path.read_text(encoding="utf-8"))
    ]
    if not found:
        raise ValueError(f"{sources} holds no public class")
    return sorted(found)


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


def pack(classes: Path, services: Iterable[str], jar: Path) -> None:
    """Write the jar of all compiled classes."""
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_STORED) as out:
        out.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _TIME), "Manifest-Version: 1.0\r\n\r\n")
        out.writestr(zipfile.ZipInfo(SERVICE, _TIME), "".join(f"{name}\n" for name in services))
        for path in sorted(classes.rglob("*.class")):
            out.writestr(zipfile.ZipInfo(path.relative_to(classes).as_posix(), _TIME), path.read_bytes())


def main(arguments: Sequence[str]) -> None:
    """Compile and pack."""
    java, compiler, out, *folders = (Path(word) for word in arguments)
    services = processors(SOURCES)
    class_path = [jar for folder in folders for jar in sorted(folder.glob("*.jar"))]
    with tempfile.TemporaryDirectory() as scratch:
        compile_sources(java, compiler, class_path, Path(scratch))
        pack(Path(scratch), services, out / JAR)
    print(f"{JAR}: {', '.join(services)}")


if __name__ == "__main__":
    main(sys.argv[1:])
