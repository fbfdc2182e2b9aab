"""What differs between two environments is said in plain lines, and nothing else is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bootstrap import environments
from bootstrap.arguments import ROOT
from bootstrap.differences import Difference, describe, diff, differences
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from tests.conftest import Tiny


def words(a: object, b: object, *, as_json: bool = False) -> argparse.Namespace:
    return argparse.Namespace(environment=[str(a), str(b)], json=as_json)


@pytest.fixture
def written(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """Two environments of a small checkout, which a bank has outside of it."""
    monkeypatch.setattr(environments, "ROOT", tiny.root)
    said = {
        "one": {"target": "local"},
        "two": {"target": "local", "capabilities": {"s3": "weeds"}, "domain": "two.example"},
    }
    for name, content in said.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return {name: tmp_path / f"{name}.yaml" for name in said}


def test_what_differs_is_said_in_plain_lines(written: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(words(written["one"], written["two"])) == 0
    assert capsys.readouterr().out.splitlines() == [
        "domain: none in one, two.example in two",
        "capability s3: minio in one, weeds in two",
        "component minio: 1 in one, none in two",
        "component weeds: none in one, 1 in two",
        "4 differences.",
    ]


def test_the_same_is_told_too(written: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(words(written["one"], written["one"])) == 0
    assert capsys.readouterr().out == "one and one would deploy the same.\n"


def test_programs_are_told_all_of_it(written: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    diff(words(written["one"], written["two"], as_json=True))
    found = json.loads(capsys.readouterr().out)
    assert found["a"]["environment"] == "one"
    assert found["differences"][1] == {"what": "capability s3", "a": "minio", "b": "weeds"}
    reader = found["b"]["components"]["reader"]
    assert (reader["version"], len(reader["definition"])) == ("1", 64)


def test_what_cannot_be_deployed_is_refused(written: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("{target: local, profile: moon}")
    with pytest.raises(PlatformError, match="there is no profile 'moon'"):
        diff(words(written["one"], written["two"]))


def component(version: str = "1", definition: str = "a", **values: Any) -> dict[str, Any]:
    return {"version": version, "definition": definition, "values": values}


def described(target: str = "kubernetes", **components: Any) -> dict[str, Any]:
    keys = ("profile", "size", "domain", "authorities", "retention", "promoted_from", "context", "kubeconfig",
            "registry",
            "storage_class")  # fmt: skip
    return {
        "target": target,
        **dict.fromkeys(keys),
        "capabilities": {},
        "cluster_services": {},
        "components": components,
    }


def test_versions_definitions_and_values_are_compared() -> None:
    one = described(trino=component("481", "a", replicas=1, limits={"cpu": 1, "memory": "1Gi"}))
    other = described(trino=component("482", "b", replicas=2, limits={"cpu": 1, "memory": "2Gi"}, new=[1]))
    assert list(differences(one, other)) == [
        Difference("version of trino", "481", "482"),
        Difference("definition of trino", "a", "b"),
        Difference("trino: limits.memory", "1Gi", "2Gi"),
        Difference("trino: new", None, [1]),
        Difference("trino: replicas", 1, 2),
    ]


def test_who_has_a_cluster_service_is_compared() -> None:
    one, other = described(), described()
    one["cluster_services"], other["cluster_services"] = {"an-operator": "deployed"}, {"an-operator": "administrator"}
    assert list(differences(one, other)) == [Difference("cluster service an-operator", "deployed", "administrator")]


def test_values_of_charts_are_no_difference_to_a_target_without_any() -> None:
    found = list(differences(described("local", trino=component()), described(trino=component(replicas=2))))
    assert found == [Difference("target", "local", "kubernetes")]


def test_the_examples_differ_in_what_they_say_and_hold_no_secret() -> None:
    one, other = (describe(environments.load(name)) for name in ("staging", "production"))
    found = {each.what: (each.a, each.b) for each in differences(one, other)}
    assert found["size"] == ("small", "production")
    assert found["trino: workloads.worker.replicas"][1] == 4, "the environment's values are over those of the size"
    assert not [what for what in found if what.startswith(("version of", "definition of", "component "))]
    assert str(ROOT) not in json.dumps([one, other])
