"""A definition is the same in every environment of a checkout, and what was not proven is named."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data_platform import lifecycle, summary
from data_platform.promotion import Proven, Record, digests, record, refuse_unproven, unproven
from data_platform.records.results import KeptResult
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, LOCAL, load_stack
from data_platform.stack.plan import Resource

if TYPE_CHECKING:
    from tests.conftest import Tiny

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def changed(tiny: Tiny, before: dict[str, str]) -> set[str]:
    """Components whose digest is another one now."""
    return {name for name, digest in digests(load_stack(tiny.root)).items() if before[name] != digest}


def test_digests_are_the_same_on_both_targets_and_in_every_size(root: Path) -> None:
    local, kubernetes = digests(load_stack(root)), digests(load_stack(root, target=KUBERNETES))
    assert set(kubernetes) - set(local) == {"openebs", "spark-operator", "zookeeper"}
    assert {name: kubernetes[name] for name in local} == local


def test_what_an_environment_says_is_no_part_of_them(root: Path) -> None:
    plain = load_stack(root, target=KUBERNETES)
    told = load_stack(
        root, "default", KUBERNETES, {"s3": "minio"}, {"trino": {"workloads": {"worker": {"replicas": 9}}}}
    )
    assert told.components["trino"].values != plain.components["trino"].values
    assert digests(told) == digests(plain)


def test_another_checkout_of_the_same_content_has_the_same(tiny: Tiny, tmp_path: Path) -> None:
    other = shutil.copytree(tiny.root, tmp_path / "other")
    assert digests(load_stack(other)) == digests(load_stack(tiny.root))


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("stack/components/processing/reader/local.yaml", {"reader"}),
        ("stack/components/processing/reader/component.yaml", {"reader"}),
        ("stack/components/processing/reader/source.txt", {"reader"}),
        ("stack/components/processing/reader/etc/more/plain.txt", {"reader"}),
        ("stack/components/processing/reader/values.production.yaml", {"reader"}),
        ("stack/components/processing/reader/README.md", set()),
        ("stack/components/processing/reader/__pycache__/x.pyc", set()),
        ("stack/charts/platform/values.yaml", {"portal"}),
        ("locks/tool.txt", {"portal"}),
        ("stack/components/core/portal/own.txt", {"portal"}),
        ("plugins/data_platform/code.py", {"minio"}),
    ],
)
def test_a_change_of_a_file_changes_what_it_defines(tiny: Tiny, file: str, names: set[str]) -> None:
    (tiny.folder("portal") / "chart").mkdir()
    (tiny.folder("portal") / "chart" / "Chart.yaml").write_text("name: portal\n")
    tiny.edit(tiny.local("portal"), lambda c: c.update(artifacts={"tool": {"environment": "tool"}}))
    tiny.edit(tiny.local("portal"), lambda c: c["artifacts"].update(own={"environment": "own.txt"}))
    (tiny.folder("minio") / "kubernetes.yaml").write_text("image: {platform: true}\n")
    for name in ("locks/tool.txt", "stack/components/core/portal/own.txt", "stack/charts/platform/values.yaml"):
        (tiny.root / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny.root / name).write_text("one\n")
    before = digests(load_stack(tiny.root))
    assert changed(tiny, before) == set()
    (tiny.root / file).parent.mkdir(parents=True, exist_ok=True)
    with (tiny.root / file).open("a") as stream:
        stream.write("# two\n")
    # What holds the platform's code holds the whole stack too.
    code = set() if "__pycache__" in file else {"minio"}
    assert changed(tiny, before) == names | code


def test_a_toolchain_is_part_of_those_that_name_it(tiny: Tiny) -> None:
    before = digests(load_stack(tiny.root))
    tiny.edit(tiny.toolchains_file, lambda c: c["shell"].update(home="sbin"))
    assert changed(tiny, before) == {"reader"}


@pytest.fixture
def place(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A platform on which all is as declared and proven."""
    stack = load_stack(tiny.root)
    monkeypatch.setattr(lifecycle, "observe", lambda *_: lifecycle.Observation([], [], proven=True))
    kept = [
        KeptResult(AT, name, check.name, "passed", 0.1, "", "digest", "health")
        for name, item in stack.components.items()
        for check in item.component.all_checks
    ]
    others = [KeptResult(AT, "fx_rates", "has-rows", "passed", 0.1, "", "digest", "pipeline")]
    monkeypatch.setattr(summary, "latest_results", lambda _: kept + others)
    return SimpleNamespace(stack=stack, name=LOCAL)


def test_a_record_says_what_was_proven_when(place: Any) -> None:
    found = record(place, "staging", "id", "abc", "now")
    assert (found.environment, found.platform, found.commit, found.target) == ("staging", "id", "abc", "local")
    assert {name: entry.digest for name, entry in found.components.items()} == digests(place.stack)
    assert found.components["reader"] == Proven(
        version="1", digest=digests(place.stack)["reader"], checks={"answers-on-its-page": "2026-11-28T12:00:00+00:00"}
    )
    assert Record.model_validate_json(found.model_dump_json()) == found


def test_what_is_not_proven_is_in_no_record(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Resource(kind="process", name="server", digest="b1")
    looks = {
        "reader": lifecycle.Observation([server], [], proven=True),
        "portal": lifecycle.Observation([], [], proven=False),
    }
    fine = lifecycle.Observation([], [], proven=True)
    monkeypatch.setattr(lifecycle, "observe", lambda _, name: looks.get(name, fine))
    with pytest.raises(PlatformError) as caught:
        record(place, "staging", "id", "abc", "now")
    assert caught.value.problem.splitlines()[1:] == [
        "- reader is not as declared: start process server: it is not there",
        "- portal: not all of its checks passed with this definition within the last hour",
    ]


def test_what_the_environment_before_has_not_proven_is_named(place: Any) -> None:
    before = record(place, "staging", "id", "abc", "now")
    wanted = digests(place.stack)
    assert unproven(wanted, before) == []
    assert unproven(wanted | {"reader": "0" * 64, "weeds": "1" * 64}, before) == [
        "reader: its definition there was another one (version 1)",
        "weeds: it was not deployed there",
    ]
    fewer = {name: digest for name, digest in wanted.items() if name != "portal"}
    assert unproven(fewer, before) == [], "what is not deployed need not be proven"


def test_a_record_of_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="components"):
        Record(environment="", platform="", target="local", profile="default", commit="", at="", components={})


def test_the_same_definitions_are_deployed_and_others_are_refused(tiny: Tiny) -> None:
    found = digests(load_stack(tiny.root))
    components = {name: Proven(version="1", digest=digest, checks={"x": "now"}) for name, digest in found.items()}
    kept = Record(
        environment="staging", platform="id", target="local", profile="default", commit="abc", at="now",
        components=components,
    )  # fmt: skip
    settings = {"promotion": kept.model_dump(mode="json")}
    refuse_unproven(load_stack(tiny.root), settings)
    with pytest.raises(PlatformError) as caught:
        refuse_unproven(load_stack(tiny.root, "weeds"), settings)
    assert caught.value.problem.splitlines() == [
        "staging (commit abc) has not proven what would be deployed:",
        "- weeds: it was not deployed there",
    ]
    (tiny.folder("reader") / "source.txt").write_text("patched\n")
    with pytest.raises(PlatformError, match="- reader: its definition there was another one"):
        refuse_unproven(load_stack(tiny.root), settings)
    refuse_unproven(load_stack(tiny.root), {})
