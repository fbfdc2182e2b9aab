"""Make the class archive (CDS) of Spark, Iceberg and the JDK: run one small job and store what it loaded.

Usage: train.py JAVA_HOME FLAGS CLASSPATH PYTHON OUTPUT; the environment names the checkout (ROOT).
The job writes to a folder instead of the object store. Without the archive Spark works, but starts slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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


def main(java_home: str, flags: str, classpath: str, python: str, output: str) -> None:
    """List the classes of a job, then store them."""
    java = [f"{java_home}/bin/java", f"@{flags}"]
    with tempfile.TemporaryDirectory() as scratch:
        classes = f"{scratch}/classes"
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
            "PYSPARK_PYTHON": python,
            "PYSPARK_DRIVER_PYTHON": python,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        submit = ["org.apache.spark.deploy.SparkSubmit", "--properties-file", str(defaults)]
        job = [str(Path(os.environ["ROOT"], _JOB)), "--table", "training.scratch.training", "--rows", "1000"]
        record = ["-Xshare:off", f"-XX:DumpLoadedClassList={classes}"]
        run([*java, *record, "-cp", classpath, *submit, *job], environment, Path(scratch))
        dump = ["-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={output}"]
        run([*java, *dump, "-cp", classpath], environment, Path(scratch))


if __name__ == "__main__":
    main(*sys.argv[1:6])
