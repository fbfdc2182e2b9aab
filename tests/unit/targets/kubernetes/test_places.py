"""Names, paths and users inside of pods: charts and definitions, which cannot read them from the code, say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_platform.stack.load import Stack
from data_platform.targets.kubernetes import places, pods

ROOT = Path(__file__).resolve().parents[4]
LIBRARY, COMPONENTS = ROOT / "stack" / "charts" / "platform", ROOT / "stack" / "components"
NIFI, POSTGRESQL, SPARK, MINIO, AIRFLOW = (
    COMPONENTS / path
    for path in ("integration/nifi", "storage/postgresql", "processing/spark", "storage/minio", "core/airflow")
)
#: What a file says, and where in it.
HELD = (
    (places.DATA, LIBRARY / "templates/_pod.tpl", r"\{name: data, mountPath: (\S+?)\}"),
    (places.DATA, LIBRARY / "templates/_pod.tpl", r'workingDir: .+ default "(.+?)"'),
    (places.LOGS, LIBRARY / "templates/_pod.tpl", r"\{name: logs, mountPath: (\S+?)\}"),
    (places.TMP, LIBRARY / "templates/_pod.tpl", r"\{name: tmp, mountPath: (\S+?)\}"),
    (places.ETC, LIBRARY / "templates/_pod.tpl", r'printf "(.+?)/%s" \$.root.Values.component'),
    (places.LOGS, AIRFLOW / "chart/values.yaml", r"^  logs:\n    mountPath: (\S+)"),
    (places.CREDENTIALS, AIRFLOW / "chart/values.yaml", r"secretName: airflow-pages, mountPath: (\S+?)\}"),
    (places.DATA / "drive", MINIO / "chart/templates/all.yaml", r'\$places := "(.+?)"'),
    (places.ARTIFACTS, SPARK / "kubernetes.yaml", r"--places=(\S+?)/(?:home|jars)"),
    (places.LANDING, NIFI / "kubernetes.yaml", r"-Ddata.platform.landing=(\S+)"),
    (places.LANDING, NIFI / "chart/values.yaml", r"mountPath: (/landing\S*)"),
)


@pytest.mark.parametrize(
    ("path", "file", "pattern"), HELD, ids=[f"{path} in {file.parent.name}" for path, file, _ in HELD]
)
def test_charts_and_definitions_say_the_same_paths(path: Path, file: Path, pattern: str) -> None:
    assert set(re.findall(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)) == {str(path)}


def test_pods_run_as_who_owns_the_files_of_images(stack: Stack) -> None:
    said = pods.security(stack)["pod"]
    assert {said[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {places.USER}


def test_the_pool_is_looked_at_where_it_listens() -> None:
    files = {
        POSTGRESQL / "chart/values.yaml": r"ports: \{pgbouncer: (\d+)\}",
        POSTGRESQL / "etc-kubernetes/pgbouncer.ini.j2": r"^listen_port = (\d+)",
        POSTGRESQL / "kubernetes.yaml": r'-p, "(\d+)", -U, pgbouncer',
    }
    found = [re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE) for path, pattern in files.items()]
    assert [len(each) for each in found] == [1, 1, 1]
    assert len({port for (port,) in found}) == 1


def test_where_flows_take_files_from_is_the_landing_folder_of_the_state() -> None:
    from data_platform.targets.local.state import LANDING

    text = (NIFI / "local.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\{\{ STATE \}\}/(\w+)", text)) == {LANDING}
