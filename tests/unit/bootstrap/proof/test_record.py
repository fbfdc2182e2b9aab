"""The record says what was proven, and is stale when that has changed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.proof import record
from bootstrap.proof.inputs import Graph, tracked
from bootstrap.proof.record import Outcome
from tests.conftest import ROOT
from tests.unit.bootstrap.proof.conftest import commit

READER, ALL = "tests/e2e/test_reader.py", "tests/e2e/test_all.py"
#: Modules of tests; what `test_reader` takes from another room is run by it.
MODULES = {
    "tests/drills/test_taken.py": "def test_taken(): assert False\ndef test_left(): pass",
    READER: "from tests.drills.test_taken import test_taken\ndef test_own(): pass",
    ALL: "import pytest\nclass TestClass:\n  def test_in_it(self): pytest.skip('no')\ndef test_own(): sum(range(9**6))",
    "tests/e2e/test_broken.py": "import nothing_of_that_name",
}


def again(graph: Graph) -> Graph:
    return Graph(graph.root, tracked(graph.root))


def records(graph: Graph) -> dict[str, record.Record]:
    return {f"{one.room}/{one.component}": one for one in record.read(graph.root)}


def test_a_report_is_read_by_the_module_that_ran_a_test(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    words = ["-p", "no:cacheprovider", f"--rootdir={tmp_path}", "--continue-on-collection-errors", "tests/e2e"]
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", *words, f"--junit-xml={report}"]
    subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, timeout=300)
    found = {name: replace(outcome, seconds=0) for name, outcome in record.outcomes(report).items()}
    assert found == {
        READER: Outcome(passed=1, failed=1),
        ALL: Outcome(passed=1, skipped=1),
        "tests/e2e/test_broken.py": Outcome(failed=1),
    }
    assert sum(outcome.seconds for outcome in record.outcomes(report).values()) > 0


def test_a_test_may_record_what_it_has_measured(tmp_path: Path) -> None:
    # By the project's own settings, for which a warning is an error.
    (tmp_path / "test_gap.py").write_text("def test_gap(record_property): record_property('seconds', 2.4)")
    report = tmp_path / "report.xml"
    words = ["-p", "no:cacheprovider", f"--confcutdir={tmp_path}", f"--junit-xml={report}", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), *words],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert '<property name="seconds" value="2.4"' in report.read_text(encoding="utf-8")


def test_there_is_a_record_for_each_room_and_component(graph: Graph) -> None:
    written = record.write(graph, {READER: Outcome(2.0, 3), ALL: Outcome(4.0, 5, skipped=1)})
    assert len(written) == 6
    found = records(graph)
    assert set(found) == {f"e2e/{name}" for name in graph.components}
    reader = found["e2e/reader"]
    assert reader.totals == Outcome(6.0, 8, 0, 1)
    assert (reader.outcome, len(reader.commit), "cores" in reader.machine) == ("passed", 12, True)
    assert list(found["e2e/portal"].modules) == [ALL]


def test_a_module_that_failed_makes_the_record_one_that_failed(graph: Graph) -> None:
    record.write(graph, {READER: Outcome(2.0, 3), ALL: Outcome(4.0, 5, failed=1)})
    assert {one.outcome for one in records(graph).values()} == {"failed"}


def test_what_another_part_has_run_stays_as_long_as_nothing_changes(graph: Graph) -> None:
    record.write(graph, {ALL: Outcome(4.0, 5)})
    record.write(again(graph), {READER: Outcome(2.0, 3)})
    assert set(records(graph)["e2e/reader"].modules) == {READER, ALL}
    (graph.root / READER).write_text('URL = ("reader", "other")\n', encoding="utf-8")
    record.write(again(graph), {READER: Outcome(2.0, 3)})
    assert set(records(graph)["e2e/reader"].modules) == {READER}
    assert set(records(graph)["e2e/portal"].modules) == {ALL}


def test_the_commit_says_whether_there_were_changes_beside_the_record(graph: Graph) -> None:
    record.write(graph, {ALL: Outcome(4.0, 5)})
    commit(graph.root)
    record.write(again(graph), {ALL: Outcome(4.0, 6)})
    record.write(again(graph), {ALL: Outcome(4.0, 7)})
    assert not records(graph)["e2e/portal"].commit.endswith("+")
    (graph.root / "README.md").write_text("changed", encoding="utf-8")
    record.write(again(graph), {ALL: Outcome(4.0, 5)})
    assert records(graph)["e2e/portal"].commit.endswith("+")


def test_what_was_chosen_by_words_is_no_proof(graph: Graph) -> None:
    assert record.write(graph, {ALL: Outcome(4.0, 5)}, complete=False) == []
    assert record.read(graph.root) == []


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("stack/components/core/portal/local.yaml", True),
        ("stack/charts/Chart.yaml", False),
        ("README.md", False),
    ],
)
def test_a_record_is_stale_when_what_it_depended_on_has_changed(graph: Graph, changed: str, stale: bool) -> None:
    record.write(graph, {ALL: Outcome(4.0, 5)})
    kept = records(graph)["e2e/portal"]
    with (graph.root / changed).open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    assert (record.inputs_of(again(graph), "e2e", "portal") != kept.inputs) == stale


def test_seconds_are_those_of_the_last_run(graph: Graph) -> None:
    record.write(graph, {ALL: Outcome(4.0, 5), READER: Outcome(1.0, 1)})
    path = graph.root / "proof/e2e/portal.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["when"] = "2999-01-01"
    said["modules"][ALL]["seconds"] = 9.0
    path.write_text(json.dumps(said), encoding="utf-8")
    assert record.seconds(record.read(graph.root)) == {ALL: 9.0, READER: 1.0}
