"""Verdicts of a drill come from pytest's report into the record, and are stale when what they depend on has changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from bootstrap.proof import verdicts
from bootstrap.proof.inputs import Graph, tracked
from bootstrap.proof.verdicts import PROPERTY, Case
from tests.unit.bootstrap.proof.conftest import commit

MODULE = "tests/drills/test_store.py"
SLOW, CUT = Case("reader-store", "slow"), Case("reader-store", "cut")


def report(folder: Path, *said: tuple[Case, str]) -> Path:
    """A report of pytest with a test for each verdict, and one that tells none."""
    suites = ET.Element("testsuites")
    for case, verdict in said:
        test = ET.SubElement(suites, "testcase", classname="tests.drills.test_store", time="1")
        value = json.dumps({"way": case.way, "fault": case.fault, "verdict": verdict, "why": "it was seen"})
        ET.SubElement(ET.SubElement(test, "properties"), "property", name=PROPERTY, value=value)
        ET.SubElement(test[0], "property", name="of somebody else", value="x")
    ET.SubElement(suites, "testcase", classname="tests.drills.test_rates", time="1")
    path = folder / "report.xml"
    ET.ElementTree(suites).write(path)
    return path


def again(graph: Graph) -> Graph:
    return Graph(graph.root, tracked(graph.root))


def test_a_verdict_is_written_with_where_and_when(graph: Graph, tmp_path: Path) -> None:
    assert verdicts.write(graph, report(tmp_path, (SLOW, "Resilient"))) == graph.root / "proof/networks.json"
    found = verdicts.read(graph.root)
    assert found.keys() == {SLOW}
    one = found[SLOW]
    assert (one.verdict, one.why, one.module, len(one.commit)) == ("Resilient", "it was seen", MODULE, 12)


def test_what_a_run_leaves_out_stays_and_what_it_has_is_replaced(graph: Graph, tmp_path: Path) -> None:
    verdicts.write(graph, report(tmp_path, (SLOW, "Resilient"), (CUT, "Failed")))
    verdicts.write(graph, report(tmp_path, (CUT, "Degraded")))
    assert {case: one.verdict for case, one in verdicts.read(graph.root).items()} == {
        SLOW: "Resilient",
        CUT: "Degraded",
    }


def test_a_run_without_verdicts_writes_nothing(graph: Graph, tmp_path: Path) -> None:
    assert verdicts.write(graph, report(tmp_path)) is None
    assert verdicts.read(graph.root) == {}
    assert not (graph.root / "proof").exists()


def test_verdicts_are_stale_when_what_their_module_depends_on_has_changed(graph: Graph, tmp_path: Path) -> None:
    verdicts.write(graph, report(tmp_path, (SLOW, "Resilient")))
    kept = verdicts.read(graph.root)
    commit(graph.root)
    assert verdicts.stale(again(graph), kept) == set()
    (graph.root / "tests/helping.py").write_text('STORE = "minio"  # changed\n', encoding="utf-8")
    assert verdicts.stale(again(graph), kept) == {SLOW}


def test_verdicts_of_a_module_that_is_gone_are_stale(graph: Graph, tmp_path: Path) -> None:
    verdicts.write(graph, report(tmp_path, (SLOW, "Resilient")))
    (graph.root / MODULE).unlink()
    assert verdicts.stale(again(graph), verdicts.read(graph.root)) == {SLOW}


def test_pytest_puts_a_property_of_a_failed_test_into_its_report(graph: Graph, tmp_path: Path) -> None:
    """A verdict that makes its test fail is in the record too."""
    said = json.dumps({"way": CUT.way, "fault": CUT.fault, "verdict": "Failed", "why": "it hangs"})
    text = f"def test_it(record_property):\n    record_property({PROPERTY!r}, {said!r})\n    assert False\n"
    (graph.root / MODULE).write_text(text, encoding="utf-8")
    path = tmp_path / "report.xml"
    words = ["-p", "no:cacheprovider", f"--rootdir={graph.root}", MODULE, f"--junit-xml={path}"]
    command = [sys.executable, "-m", "pytest", *words]
    done = subprocess.run(command, cwd=graph.root, check=False, capture_output=True, timeout=300)
    assert done.returncode == 1, done.stdout
    verdicts.write(again(graph), path)
    assert verdicts.read(graph.root)[CUT].verdict == "Failed"
