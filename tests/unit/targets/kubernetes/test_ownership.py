"""Whose an object is, its labels say; what a person put into a namespace of ours is seen."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.ownership import Owner, is_of_components, objection, owner, refuse_others
from data_platform.targets.kubernetes.releases import DIGEST_LABEL

OURS, ANOTHER = "0123456789abcdef", "fedcba9876543210"
MANAGED = {places.MANAGED_BY: places.MANAGER, places.PART_OF: "data-platform"}


def thing(kind: str = "Namespace", name: str = "data-platform-core", **labels: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "labels": labels}}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, Owner.SOMEBODY),
        ({places.PART_OF: "data-platform"}, Owner.SOMEBODY),
        ({places.MANAGED_BY: "Helm", places.PLATFORM_ID: OURS}, Owner.SOMEBODY),
        (MANAGED, Owner.UNTOLD),
        (MANAGED | {places.PLATFORM_ID: OURS}, Owner.OURS),
        (MANAGED | {places.PLATFORM_ID: ANOTHER}, Owner.ANOTHER),
    ],
)
def test_labels_say_whose_an_object_is(labels: dict[str, str], expected: Owner) -> None:
    assert owner(thing(**labels), OURS) is expected


def test_an_object_without_labels_is_somebodys() -> None:
    assert owner({"kind": "Namespace", "metadata": {"name": "x"}}, OURS) is Owner.SOMEBODY


def test_a_platform_without_an_id_takes_any_mark_for_its_own() -> None:
    """Installed by hand, by GitOps: nobody made a state folder."""
    assert owner(thing(**MANAGED), "") is Owner.OURS
    assert owner(thing(**MANAGED, **{places.PLATFORM_ID: ANOTHER}), "") is Owner.OURS
    assert owner(thing(), "") is Owner.SOMEBODY


def test_what_an_earlier_version_made_is_taken_over_and_what_others_made_is_not() -> None:
    for mine in (MANAGED, MANAGED | {places.PLATFORM_ID: OURS}):
        assert objection(thing(**mine), "data-platform", OURS) is None
        refuse_others(thing(**mine), "data-platform", OURS)
    with pytest.raises(PlatformError, match="the namespace data-platform-core is there and was not made by") as caught:
        refuse_others(thing(), "data-platform", OURS)
    assert caught.value.remedy.endswith(
        "kubectl label namespace data-platform-core app.kubernetes.io/managed-by=data-platform"
    )
    other = thing("ClusterRole", "data-platform-deployer", **MANAGED, **{places.PLATFORM_ID: ANOTHER})
    with pytest.raises(PlatformError, match=f"data-platform-deployer belongs to another platform.*{ANOTHER}"):
        refuse_others(other, "data-platform", OURS)


@pytest.mark.parametrize(
    "thing",
    [
        {"metadata": {"labels": {places.NAME: "nessie"}}},
        {"metadata": {"labels": {"release": "minio"}}},
        {"metadata": {"labels": {places.INSTANCE: "minio"}}},
        {"metadata": {"annotations": {"meta.helm.sh/release-name": "minio"}}},
        {"metadata": {"labels": MANAGED}},
        {"metadata": {"ownerReferences": [{"kind": "Job"}]}},
        {"metadata": {}, "type": "kubernetes.io/service-account-token"},
        {"metadata": {"labels": {"owner": "helm", "name": "nessie", DIGEST_LABEL: "a1"}}},
    ],
)
def test_what_comes_with_a_component_is_no_strangers(thing: dict[str, Any]) -> None:
    assert is_of_components(thing, frozenset({"nessie", "minio"}))


@pytest.mark.parametrize(
    "thing",
    [
        {"metadata": {}},
        {"metadata": {"labels": {"app": "jupyter", places.MANAGED_BY: "Helm"}}},
        {"metadata": {"annotations": {"meta.helm.sh/release-name": "jupyter"}}},
        {"metadata": {"labels": {"owner": "helm", "name": "jupyter", "version": "1"}}},
        # Of a component's name, and not by us: no mark.
        {"metadata": {"labels": {"owner": "helm", "name": "nessie", "version": "1"}}},
    ],
)
def test_what_a_person_brought_is_seen(thing: dict[str, Any]) -> None:
    assert not is_of_components(thing, frozenset({"nessie", "minio"}))
