"""Which Secrets with configuration are there, which are needed, and which may go. Judged as data."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.stack.plan import Resource, Seen, plan
from data_platform.targets.kubernetes import configuration
from data_platform.targets.kubernetes.definition import Content
from data_platform.targets.kubernetes.releases import Record

NOW = Content("shop-etc", {"a.conf": b"now"})
BEFORE = NOW._replace(data={"a.conf": b"before"})
FIXED = "shop-etc"


def revision(number: int, *contents: Content, manifest: str = "") -> Record:
    """A revision whose values name these Secrets."""
    values = {"secrets": {content.name: content.stored for content in contents}}
    return Record(number, "deployed", "", "", manifest, values=values)


def pod(name: str, phase: str = "Running", *, going: bool = False) -> dict[str, Any]:
    spec = {"volumes": [{"name": "etc", "secret": {"secretName": name}}]}
    return {"metadata": {"deletionTimestamp": "now"} if going else {}, "spec": spec, "status": {"phase": phase}}


def environment(source: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "shop", "envFrom": [source]}]}}


def test_other_content_has_another_name_and_the_same_has_the_same() -> None:
    assert NOW.stored != BEFORE.stored
    assert NOW.stored == Content("shop-etc", {"a.conf": b"now"}).stored
    assert NOW.stored.startswith("shop-etc-")
    assert len(NOW.stored) == len("shop-etc-") + 10


@pytest.mark.parametrize(
    ("revisions", "pods", "expected"),
    [
        ([revision(1, BEFORE), revision(2, NOW)], [], {NOW.stored, BEFORE.stored}),
        ([revision(2, NOW)], [], {NOW.stored}),
        ([revision(2, NOW)], [pod(BEFORE.stored)], {NOW.stored, BEFORE.stored}),
        # A chart of the field's own is told no list; its objects name what its pods need.
        ([Record(1, "deployed", "", "", f"secretName: {BEFORE.stored}")], [], {BEFORE.stored}),
        # Of a release that stored them under fixed names: only as long as a pod of then may start again.
        ([Record(1, "deployed", "", "", "secretName: shop-etc"), revision(2, NOW)], [], {NOW.stored}),
        ([revision(2, NOW)], [pod(FIXED)], {FIXED, NOW.stored}),
        ([revision(2, NOW)], [pod(f"work{FIXED}")], {NOW.stored}),
        ([revision(2, NOW)], [{"spec": {"serviceAccountName": FIXED, "containers": [{"name": FIXED}]}}], {NOW.stored}),
        ([revision(2, NOW)], [environment({"secretRef": {"name": FIXED}})], {FIXED, NOW.stored}),
        ([revision(2, NOW)], [environment({"secretKeyRef": {"key": "a", "name": FIXED}})], {FIXED, NOW.stored}),
        ([revision(2, NOW)], [pod(FIXED, phase="Succeeded"), pod(BEFORE.stored, going=True)], {NOW.stored}),
        ([], [], set()),
    ],
    ids=[
        "kept",
        "forgotten",
        "a pod",
        "a chart of others",
        "earlier release",
        "its pod",
        "a longer name",
        "an account",
        "environment",
        "a variable",
        "ended pods",
        "never installed",
    ],
)
def test_a_secret_is_needed_as_long_as_a_kept_revision_or_a_pod_names_it(
    revisions: list[Record], pods: list[dict[str, Any]], expected: set[str]
) -> None:
    assert configuration.needed({FIXED, NOW.stored, BEFORE.stored}, revisions, pods) == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], ["write secret shop-etc: it is not there"]),
        ([NOW], []),
        ([BEFORE], ["write secret shop-etc: its definition changed"]),
        ([NOW, BEFORE], []),
    ],
    ids=["nothing", "noop", "another", "both"],
)
def test_a_plan_calls_a_secret_as_the_component_does(kept: list[Content], expected: list[str]) -> None:
    there = {content.stored: content for content in kept}
    seen = configuration.observe([NOW], there, there.keys())
    wanted = [Resource(kind="secret", name=NOW.name, digest=NOW.digest)]
    assert [str(step) for step in plan(wanted, seen)] == expected


def test_one_with_a_fixed_name_is_not_taken_for_the_one_that_is_wanted() -> None:
    there = {FIXED: NOW}
    assert configuration.observe([NOW], there, {FIXED}) == [Seen(kind="secret", name=FIXED)]
    # It goes when the next one has been deployed; a plan would call both the same.
    assert configuration.observe([NOW], {**there, NOW.stored: NOW}, set()) == [
        Seen(kind="secret", name=FIXED, digest=NOW.digest)
    ]


def test_what_nothing_needs_is_left_over_and_credentials_never_are() -> None:
    there = {BEFORE.stored: BEFORE, "shop-credentials": NOW, "shop-old-0123456789": NOW}
    seen = configuration.observe([NOW], there, {BEFORE.stored})
    assert [step.name for step in plan([], seen) if step.verb == "remove"] == ["shop-etc", "shop-old-0123456789"]
    assert configuration.unneeded([NOW], there, {BEFORE.stored}) == ["shop-old-0123456789"]


def test_what_a_revision_has_lost_is_named() -> None:
    assert configuration.lost(revision(1, NOW), {NOW.stored: NOW}) == []
    assert configuration.lost(revision(1, NOW), {BEFORE.stored: BEFORE}) == [NOW.stored]
