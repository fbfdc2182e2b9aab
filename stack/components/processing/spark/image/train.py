"""Make the class archive (CDS) of Spark, Iceberg and the JDK: run one small job, then store what it loaded.

Without the archive Spark works, but starts slower. The environment names the checkout (ROOT).
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_JOB = "spark_jobs/platform_check/write_table.py"
_SECONDS = 600.0


def run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    """Run a command to its end.

    Raises:
        SystemExit: it failed; with its last lines.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        sys.exit("\n".join([*done.stdout.splitlines()[-20:], f"{command[0]} ended with {done.returncode}"]))


def classpath(folders: Sequence[str]) -> str:
    """All jars of some folders, in the order in which the tool has them (local.yaml)."""
    return ":".join(str(jar) for folder in folders for jar in sorted(Path(folder).glob("*.jar")))


def classes(given: argparse.Namespace) -> None:
    """Run one small job and list the classes that it loads. It writes to a folder instead of the object store."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = {
            "spark.master": "local[2]",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            "spark.sql.catalog.training": "org.apache.iceberg.spark.SparkCatalog",
            "spark.sql.catalog.training.type": "hadoop",
            "spark.sql.catalog.training.warehouse": f"{scratch}/warehouse",
        }
        defaults = Path(scratch, "spark-defaults.conf")
        defaults.write_text("".join(f"{key} {value}\n" for key, value in settings.items()), encoding="utf-8")
        environment = {
            **os.environ,
            "PYSPARK_PYTHON": given.python,
            "PYSPARK_DRIVER_PYTHON": given.python,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        record = ["-Xshare:off", f"-XX:DumpLoadedClassList={given.output}", "-cp", classpath(given.jars)]
        submit = ["org.apache.spark.deploy.SparkSubmit", "--properties-file", str(defaults)]
        job = [str(Path(os.environ["ROOT"], _JOB)), "--table", "training.scratch.training", "--rows", "1000"]
        run([f"{given.java}/bin/java", f"@{given.flags}", *record, *submit, *job], environment, Path(scratch))


def archive(given: argparse.Namespace) -> None:
    """Store the listed classes; where a place is given for each folder of jars, as if the jars were there."""
    dump = ["-Xshare:dump", f"-XX:SharedClassListFile={given.classes}", f"-XX:SharedArchiveFile={given.output}", "-cp"]
    java, scratch = [f"{given.java}/bin/java", f"@{given.flags}", *dump], Path(given.output).parent
    if not given.places:
        run([*java, classpath(given.jars)], dict(os.environ), scratch)
        return
    there = [
        f"{place}/{jar.rpartition('/')[2]}"
        for folder, place in zip(given.jars, given.places, strict=True)
        for jar in classpath([folder]).split(":")
    ]
    # A name space of mounts of its own, which ends with the JVM: nobody else sees the jars there.
    outside = [] if os.geteuid() == 0 else ["--map-root-user"]
    lines = [f"mount -t tmpfs none /{Path(given.places[0]).parts[1]}"]
    for folder, place in zip(given.jars, given.places, strict=True):
        lines += [f"mkdir -p {shlex.quote(place)}", f"mount --bind {shlex.quote(folder)} {shlex.quote(place)}"]
    script = "\n".join([*lines, 'exec "$@"'])
    inside = ["unshare", "--mount", *outside, "sh", "-ec", script, "sh"]
    run([*inside, *java, ":".join(there)], dict(os.environ), scratch)


def main() -> None:
    """Do one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["classes", "archive"])
    parser.add_argument("--java", required=True, help="home of the JDK")
    parser.add_argument("--flags", required=True, help="file of JVM options")
    parser.add_argument("--jars", required=True, action="append", help="folders on the class path, in order")
    parser.add_argument("--python", help="classes: interpreter with PySpark")
    parser.add_argument("--classes", help="archive: the list that the other step wrote")
    parser.add_argument("--places", action="append", help="archive: where the folders are when it is used")
    parser.add_argument("--output", required=True, help="file to write")
    given = parser.parse_args()
    (classes if given.step == "classes" else archive)(given)


if __name__ == "__main__":
    main()
