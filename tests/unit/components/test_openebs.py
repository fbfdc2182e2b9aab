"""OpenEBS: the administrator's unless somebody says so, and its classes are those that production asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs
from data_platform.targets.kubernetes.inventory import Facts, Node
from data_platform.targets.kubernetes.preflight import Verdict, judge
from tests.sizes import claiming

BARE = Facts(
    version=(1, 37),
    storage_classes={},
    denied=(),
    nodes=(Node("lab", cpu=64, memory=512 * 1024, pods=200),),
    unfit={},
    entries=("IngressClass nginx",),
    labels={},
    pending={},
)


def with_openebs(root: Path, **values: object) -> Stack:
    more = {"openebs": values} if values else None
    return load_stack(root, target=KUBERNETES, values=more, cluster_services={"openebs": "deployed"})


def judged(stack: Stack, size: str, storage_class: str = "") -> Verdict:
    return judge(stack, size, claiming(stack), BARE, storage_class=storage_class)


def test_it_is_the_administrators_and_comes_before_what_has_volumes(root: Path) -> None:
    stack = load_stack(root, target=KUBERNETES)
    assert stack.components["openebs"].provided == "administrator"
    assert "openebs" in stack.dependencies("postgresql")
    assert [name for name, item in with_openebs(root).components.items() if item.component.bootstrap] == [
        "openebs",
        "postgresql",
        "airflow",
    ]


def test_its_class_is_one_that_production_asks_for(root: Path) -> None:
    stack = with_openebs(root)
    classes = needs.values_of(stack.components["openebs"], "production")["classes"]
    assert set(classes) < {name for name, _ in needs.volumes(stack, "production", claiming(stack))}


def test_a_class_that_comes_with_it_need_not_be_there_and_others_must(root: Path) -> None:
    found = [problem.what for problem in judged(with_openebs(root), "production").problems]
    assert found == ["there is no StorageClass shared; there is: none"]
    missing = [problem.what for problem in judged(load_stack(root, target=KUBERNETES), "production").problems]
    assert missing == [f"there is no StorageClass {name}; there is: none" for name in ("openebs-hostpath", "shared")]


def test_one_of_its_classes_may_be_the_default(root: Path) -> None:
    plain = judged(with_openebs(root), "small")
    assert [problem.what for problem in plain.problems] == ["no StorageClass is the default; there is: none"]
    with pytest.raises(PlatformError, match="no StorageClass is the default"):
        plain.refuse()
    default = {"openebs-hostpath": {"default": True, "reclaimPolicy": "Delete"}}
    assert judged(with_openebs(root, classes=default), "small").problems == ()
    assert judged(with_openebs(root), "small", "openebs-hostpath").problems == ()
