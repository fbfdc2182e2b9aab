"""Make the AOT cache of Trino's own classes: start it once with the component's etc/, ask some queries, end it.

Usage: train.py JAVA_HOME SERVER FLAGS OUTPUT, in the component's folder. No other server is needed: tpch makes its data
on the fly and the other catalogs connect at their first query. Without the cache Trino works, but starts slower.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import requests  # noqa: TID251 - Trino's own client speaks through a session of it
import trino
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

#: Iceberg without a catalog's server and an object store, for the training alone.
_LAKE = """connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
hive.metastore.catalog.dir=local:///
fs.native-local.enabled=true
local.location={folder}
"""
TABLES = (
    "create schema lake.marts",
    "create table lake.marts.daily as select orderdate, orderpriority, totalprice, custkey from tpch.tiny.orders",
)
#: What the first queries of a user need: scan, filter, aggregation, join, sort, window, information_schema; and what
#: many people ask of a mart: some months, a list, an aggregate.
QUERIES = (
    "select count(*) from tpch.tiny.nation",
    "select n.name, sum(c.acctbal) from tpch.tiny.customer c join tpch.tiny.nation n using (nationkey) group by 1",
    "select orderkey, row_number() over (partition by custkey order by orderdate) from tpch.tiny.orders limit 10",
    "select table_name from tpch.information_schema.tables where table_schema = 'tiny'",
    "show catalogs",
    "select totalprice from lake.marts.daily where custkey = 370 and orderdate > date '1996-01-01' order by 1",
    "select * from lake.marts.daily where custkey = 370 order by orderdate",
    "select distinct orderpriority from lake.marts.daily order by orderpriority",
    "select orderpriority, avg(totalprice) from lake.marts.daily where custkey > 9 group by 1 order by 2",
)
#: How often they are asked: the cache keeps which of Trino's methods were hot, so they are compiled sooner.
_ROUNDS = 40
_READY_SECONDS = 240.0
_END_SECONDS = 300.0
_NOT_YET = (trino.exceptions.Error, requests.RequestException)
_LOOPBACK = "127.0.0.1"


def stand_ins(etc: Path, port: int) -> dict[str, str]:
    """A value for each environment variable that the configuration names; only Trino's own port is a real one."""
    text = "".join(p.read_text(encoding="utf-8") for p in sorted(etc.rglob("*.properties")))
    values = {}
    for name in re.findall(r"\$\{ENV:(\w+)\}", text):
        kinds = {"PORT": str(port), "URL": f"http://{_LOOPBACK}:{port}"}
        kinds |= dict.fromkeys(("HOST", "ADDRESS", "BIND"), _LOOPBACK)
        values[name] = kinds.get(name.rpartition("_")[2], "training")
    return values


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((_LOOPBACK, 0))
        return int(listener.getsockname()[1])


def ask(port: int, runs: Callable[[], bool]) -> None:
    """Make the tables, asking again while a server that runs takes none yet, and ask the queries in rounds."""
    with requests.Session() as session:
        session.trust_env = False
        connection = trino.dbapi.connect(_LOOPBACK, port, "training", http_session=session)  # type: ignore[no-untyped-call]
        cursor = connection.cursor()
        again = Retrying(
            stop=stop_after_delay(_READY_SECONDS),
            wait=wait_fixed(0.2),
            retry=retry_if_exception(lambda error: isinstance(error, _NOT_YET) and runs()),
            reraise=True,
        )
        for query in TABLES:
            again(lambda query=query: cursor.execute(query).fetchall())
        for query in QUERIES * _ROUNDS:
            cursor.execute(query).fetchall()


def main(java: Path, server: Path, flags: Path, output: Path) -> None:
    """Start, ask, end; the JVM writes the cache when it ends.

    Raises:
        SystemExit: the server did not start, or left no cache; with its last lines.
    """
    port = free_port()
    # In the order in which the process has it, see local.yaml.
    classpath = ":".join(str(jar) for jar in sorted((server / "lib").glob("*.jar")))
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        # Not `etc`, where Trino would look for more than it is given here.
        etc, lake = Path(scratch, "configuration"), Path(scratch, "lake")
        shutil.copytree("etc", etc)
        lake.mkdir()
        (etc / "catalog" / "lake.properties").write_text(_LAKE.format(folder=lake), encoding="utf-8")
        process = subprocess.Popen(  # noqa: TID251 - a server that lives for this build, ended below
            [
                str(java / "bin" / "java"), f"@{flags}", f"-XX:AOTCacheOutput={output}", "-cp", classpath,
                f"-Dconfig={etc}/config.properties", f"-Dlog.levels-file={etc}/log.properties",
                f"-Dcatalog.config-dir={etc}/catalog", f"-Dplugin.dir={server}/plugin", "io.trino.server.TrinoServer",
            ],
            cwd=scratch, env={**os.environ, **stand_ins(etc, port)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            ask(port, lambda: process.poll() is None)
            problem = ""
        except _NOT_YET as error:
            problem = str(error)
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if problem or not output.is_file():
            log.seek(0)
            said = [line for line in log if "[aot]" not in line]
            sys.exit(f"{''.join(said[-40:])}\nno AOT cache was made: {problem}")


if __name__ == "__main__":
    main(*(Path(argument).absolute() for argument in sys.argv[1:5]))
