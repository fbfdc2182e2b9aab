"""What a cluster service may say of itself: rights are named, and none gives others away."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from data_platform.stack.service import ClusterService, Grant, Right, ServedKind

KIND = {"group": "apps.example", "version": "v1", "kind": "Thing", "resource": "things"}


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ({"resources": ["*"], "verbs": ["get"]}, "resources"),
        ({"resources": ["pods"], "verbs": ["*"]}, "verbs"),
        ({"group": "*", "resources": ["pods"], "verbs": ["get"]}, "group"),
        ({"resources": [], "verbs": ["get"]}, "resources"),
        ({"resources": ["roles"], "verbs": ["get", "bind"]}, "bind: who may do that can give himself everything"),
        ({"resources": ["roles"], "verbs": ["escalate"]}, "escalate"),
        ({"resources": ["users"], "verbs": ["impersonate"]}, "impersonate"),
    ],
)
def test_a_right_names_what_may_be_done_and_gives_no_others(right: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Right.model_validate(right)


def test_a_right_of_some_objects_is_one() -> None:
    right = Right.model_validate({"resources": ["pods/log"], "verbs": ["get"], "names": ["one"]})
    assert (right.group, right.names) == ("", ("one",))


def test_a_grant_says_what_it_is_for() -> None:
    rights = [{"resources": ["pods"], "verbs": ["get"]}]
    with pytest.raises(ValidationError, match="reason"):
        Grant.model_validate({"rights": rights})
    assert Grant.model_validate({"reason": "it looks at them", "rights": rights}).to == "own"


def test_a_kind_knows_its_definition_and_how_objects_name_it() -> None:
    kind = ServedKind.model_validate(KIND)
    assert (kind.api_version, kind.definition) == ("apps.example/v1", "things.apps.example")
    assert str(kind) == "Thing (apps.example/v1)"


def test_its_kinds_are_checked_whoever_has_it() -> None:
    (check,) = ClusterService.model_validate({"kinds": [KIND]}).checks()
    assert (check.kind, check.params) == (
        "served_kinds",
        {"kinds": [{"api_version": "apps.example/v1", "kind": "Thing"}]},
    )
    assert ClusterService.model_validate({}).checks() == ()


def test_definitions_are_of_kinds() -> None:
    with pytest.raises(ValidationError, match="definitions needs kinds"):
        ClusterService.model_validate({"definitions": {"artifact": "a", "folder": "crds"}})


def test_nobody_but_these_has_one() -> None:
    with pytest.raises(ValidationError, match="provided"):
        ClusterService.model_validate({"provided": "somebody"})
