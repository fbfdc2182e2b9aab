"""Write the lock files of NiFi's parts from the poms in this folder.

`python image/lock.py` asks Maven what each `NAME.pom.xml` resolves to and writes `../NAME.lock`, one line
`GROUP:ARTIFACT:VERSION[:TYPE[:CLASSIFIER]] SHA256` a file, sorted. Names of locks may be given to write only those.
`--folder` is another component's `image/` folder. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
HERE = Path(__file__).resolve().parent
POM = ".pom.xml"


def parse_resolved(lines: Iterable[str]) -> dict[str, Path]:
    """Coordinates and files in the output of Maven's `dependency:list` with absolute file names.

    Args:
        lines: such as `   org.slf4j:slf4j-api:jar:2.0.17:compile:/repository/slf4j-api-2.0.17.jar -- module org.slf4j`.

    Raises:
        ValueError: a line is of another form, or there is none.
    """
    found: dict[str, Path] = {}
    for line in lines:
        words = line.split(" -- module ")[0].strip()
        if ":" not in words or words.endswith(":"):
            continue  # the headline
        before, slash, path = words.partition(":/")
        match before.split(":"):
            case [group, artifact, kind, version, _scope] if slash:
                rest = [] if kind == "jar" else [kind]
            case [group, artifact, kind, classifier, version, _scope] if slash:
                rest = [kind, classifier]
            case _:
                raise ValueError(f"Maven printed a line of an unknown form: {line!r}")
        found[":".join((group, artifact, version, *rest))] = Path("/" + path)
    if not found:
        raise ValueError("Maven printed no dependency")
    return found


def resolve(pom: Path) -> dict[str, Path]:
    """Ask Maven for all runtime dependencies of a pom, transitive ones included, and fetch them.

    Raises:
        subprocess.CalledProcessError: Maven cannot resolve one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "resolved.txt"
        subprocess.run(
            ["mvn", "--batch-mode", "--no-transfer-progress", "--quiet", "-f", str(pom), f"{MAVEN_PLUGIN}:list",
             "-DincludeScope=runtime", "-DoutputAbsoluteArtifactFilename=true", f"-DoutputFile={output}"],
            check=True,
            stdout=sys.stderr,
            timeout=1800,
        )  # fmt: skip
        return parse_resolved(output.read_text(encoding="utf-8").splitlines())


def lock_text(pom_name: str, files: dict[str, Path]) -> str:
    """Content of a lock file.

    Args:
        pom_name: the pom that it comes from.
        files: coordinates and their files, to be digested.
    """
    lines = [f"{coordinate} {hashlib.sha256(file.read_bytes()).hexdigest()}" for coordinate, file in files.items()]
    return "\n".join([f"# Written by image/lock.py from image/{pom_name}", *sorted(lines), ""])


def main(arguments: list[str]) -> None:
    """Write the lock files named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all when none is named")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the poms are; by default where this file is")
    given = parser.parse_args(arguments)
    folder: Path = given.folder.resolve()
    names = sorted(pom.name.removesuffix(POM) for pom in folder.glob(f"*{POM}"))
    if not names:
        parser.error(f"{folder} holds no *{POM}")
    if unknown := sorted(set(given.names) - set(names)):
        parser.error(f"there is no pom for {', '.join(unknown)}; there is {', '.join(names)}")
    for name in given.names or names:
        pom = folder / f"{name}{POM}"
        files = resolve(pom)
        lock = folder.parent / f"{name}.lock"
        lock.write_text(lock_text(pom.name, files), encoding="utf-8")
        print(f"{lock.name}: {len(files)} files, {sum(f.stat().st_size for f in files.values()) / 1e6:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
