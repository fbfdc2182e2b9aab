"""What a component's chart is told, and bindings that are values of it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from data_platform.stack.definition import Process, Ready
from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.definition import _probe, chart_files, etc_of, value_bindings


def test_a_value_of_the_chart_and_a_fact_of_the_component_are_bindings(stack: Stack) -> None:
    paths = {"REPLICAS": "workload.replicas", "MEMORY_MIB": "resources.memoryMi"}
    found = value_bindings(stack.components["spark"], paths, {"workload": {"replicas": 3}})
    assert found == {"REPLICAS": "3", "MEMORY_MIB": "1200"}


@pytest.mark.parametrize("path", ["workload.replica", "workload", "workload.replicas.more"])
def test_a_path_to_no_single_value_is_refused_with_its_place(stack: Stack, path: str) -> None:
    with pytest.raises(PlatformError, match=rf"kubernetes\.yaml: bindings\.REPLICAS: .* {path}\n") as caught:
        value_bindings(stack.components["spark"], {"REPLICAS": path}, {"workload": {"replicas": 3}})
    assert "chart/values.yaml" in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "probe"),
    [
        ("{{ URL }}/ready?a=1", {"port": 8440, "path": "/ready?a=1"}),
        ("{{ TLS_URL }}/ready", {"port": 8440, "path": "/ready", "scheme": "HTTPS"}),
    ],
)
def test_a_probe_speaks_as_the_endpoint_does(url: str, probe: dict[str, object]) -> None:
    values = {"URL": "http://trino.svc:8440", "TLS_URL": "https://trino.svc:8440"}
    assert _probe(Ready(http=url, within=5), values, "trino") == {"http": probe, "within": 5}


def test_a_process_that_is_given_some_files_is_given_the_certificates_too(stack: Stack) -> None:
    process = Process(command=("run",), files=("a.conf",), ready=Ready(command=("true",)))
    files = {"a.conf": b"a", "b.conf": b"b", "ca.pem": b"c"}
    given = etc_of(stack.components["trino"], "server", process, files)
    assert given is not None
    assert given.data == {"a.conf": b"a", "ca.pem": b"c"}


def packed(folder: Path, content: str) -> Path:
    """A chart as an archive."""
    (folder / "Chart.yaml").write_text(content, encoding="utf-8")
    with tarfile.open(folder / "sub-1.0.tgz", "w:gz") as archive:
        archive.add(folder / "Chart.yaml", "sub/Chart.yaml")
    (folder / "Chart.yaml").unlink()
    return folder / "sub-1.0.tgz"


def test_a_chart_may_hold_archives_and_pictures_and_files_without_an_ending(tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "charts").mkdir(parents=True)
    packed(chart / "charts", "name: sub")
    (chart / "icon.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    (chart / "LICENSE").write_text("words", encoding="utf-8")
    before = chart_files(tmp_path, chart)
    assert [name for name, _ in before] == ["chart/LICENSE", "chart/charts/sub-1.0.tgz", "chart/icon.png"]
    assert before[0][1] == "words"
    packed(chart / "charts", "name: other")
    changed = [new[0] for new, old in zip(chart_files(tmp_path, chart), before, strict=True) if new != old]
    assert changed == ["chart/charts/sub-1.0.tgz"]


def test_a_packed_chart_is_known_by_what_it_holds(tmp_path: Path) -> None:
    before = chart_files(tmp_path, packed(tmp_path, "version: 1"))
    assert [name for name, _ in before] == ["sub-1.0.tgz"]
    assert chart_files(tmp_path, packed(tmp_path, "version: 2")) != before
