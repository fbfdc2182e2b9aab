"""What a module of tests depends on is found in what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.proof.inputs import Graph, digest, tracked

READER = "tests/e2e/test_reader.py"


@pytest.mark.parametrize(
    ("module", "components"),
    [
        (READER, {"reader"}),
        ("tests/drills/test_store.py", {"minio"}),
        ("tests/drills/test_rates.py", {"reader"}),
        ("tests/cluster/test_database.py", {"postgresql"}),
        ("tests/e2e/test_all.py", {"airflow", "minio", "portal", "postgresql", "reader", "weeds"}),
        ("tests/unit/test_words.py", {"airflow", "minio", "portal", "postgresql", "reader", "weeds"}),
    ],
    ids=["by name", "by a helper's name", "by the way of a dataset", "by a process", "all of them", "none named"],
)
def test_a_module_is_about_the_components_that_it_names(graph: Graph, module: str, components: set[str]) -> None:
    assert graph.concerned(module) == components


def test_what_is_imported_by_what_is_imported_counts(graph: Graph) -> None:
    assert graph.imported("bootstrap/up.py") == {
        "bootstrap/up.py",
        "plugins/data_platform/clients/__init__.py",
        "plugins/data_platform/clients/store.py",
    }


@pytest.mark.parametrize(
    ("changed", "modules"),
    [
        ("tests/helping.py", ["drills/test_store.py"]),
        ("tests/helping/data.yaml", ["drills/test_store.py"]),
        ("plugins/data_platform/clients/store.py", "all"),
        ("plugins/data_platform/targets/base.py", "all"),
        ("plugins/data_platform/targets/local/target.py", ["drills", "e2e"]),
        ("plugins/data_platform/targets/kubernetes/target.py", ["cluster"]),
        ("stack/charts/Chart.yaml", ["cluster"]),
        ("stack/components/processing/reader/component.yaml", ["drills/test_rates.py", "e2e"]),
        ("stack/components/storage/postgresql/component.yaml", "all"),
        ("stack/components/core/portal/local.yaml", ["e2e/test_all.py"]),
        ("nifi_flows/names/flow.json", ["cluster", "drills/test_store.py", "e2e"]),
        ("datasets/names/contract.odcs.yaml", ["cluster", "drills/test_store.py", "e2e"]),
        ("dags/pipelines/rates.py", "all"),
        ("pyproject.toml", "all"),
        ("README.md", []),
        ("benchmarks/up.py", []),
    ],
)
def test_a_change_touches_what_depends_on_it(graph: Graph, changed: str, modules: list[str] | str) -> None:
    everything = [f"{room}/{name}" for room, names in TESTS.items() for name in names]
    wanted = [one for one in everything if modules == "all" or any(one.startswith(place) for place in modules)]
    assert [one for one in everything if graph.touched(f"tests/{one}", {changed})] == wanted


TESTS = {
    "cluster": ["test_database.py"],
    "drills": ["test_rates.py", "test_store.py"],
    "e2e": ["test_all.py", "test_reader.py"],
}


def test_what_was_removed_touches_what_it_was_part_of(graph: Graph) -> None:
    assert graph.touched(READER, {"plugins/data_platform/clients/gone.py"})
    assert not graph.touched(READER, {"stack/components/core/portal/gone.yaml"})
    assert not graph.touched("tests/unit/test_words.py", {"plugins/data_platform/clients/gone.py"})


def test_a_unit_test_depends_on_what_it_imports_alone(graph: Graph) -> None:
    assert graph.inputs("tests/unit/test_words.py") == {"tests/unit/test_words.py"}


def test_a_digest_is_of_names_and_content(checkout: Path) -> None:
    names = tracked(checkout)
    before = digest(checkout, names)
    assert digest(checkout, reversed(names)) == before
    assert digest(checkout, names[1:]) != before
    (checkout / "README.md").write_text("other words", encoding="utf-8")
    assert digest(checkout, names) != before


def test_files_that_git_does_not_know_are_nobodys(checkout: Path) -> None:
    (checkout / "mine.py").write_text("", encoding="utf-8")
    assert "mine.py" not in tracked(checkout)
    (checkout / "README.md").unlink()
    assert "README.md" not in tracked(checkout)
