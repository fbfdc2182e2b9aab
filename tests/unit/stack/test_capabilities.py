"""The words by which code asks for components, and stack.yaml, which says who stands for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack import capabilities
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import LOCAL, TARGETS, load_stack

if TYPE_CHECKING:
    from tests.conftest import Tiny

ROOT = Path(__file__).resolve().parents[3]
WORDS = {word for name, word in vars(capabilities).items() if name.isupper()}


@pytest.mark.parametrize("target", TARGETS)
def test_every_word_has_a_component_that_stands_for_it_and_no_other_is_said(target: str) -> None:
    stack = load_stack(ROOT, target=target)
    assert set(stack.file.capabilities) == WORDS
    # Cluster services are of a cluster.
    of_clusters = {capabilities.SPARK_APPLICATIONS, capabilities.VOLUMES} if target == LOCAL else set()
    assert {word for word in WORDS if stack.provider(word) is None} == of_clusters


def test_a_component_that_is_left_out_stands_for_nothing(tiny: Tiny) -> None:
    assert load_stack(tiny.root).provider("s3") == "minio"
    tiny.edit(tiny.stack_file, lambda c: c["profiles"]["default"].update(without=["minio", "reader", "portal"]))
    tiny.edit(tiny.stack_file, lambda c: c.update(identities={}))
    assert load_stack(tiny.root).provider("s3") is None
    assert load_stack(tiny.root).provider("nothing-of-the-kind") is None


@pytest.mark.parametrize(("name", "what"), [("reader", "a component"), ("pipelines", "an identity")])
def test_a_capability_has_a_name_of_its_own(tiny: Tiny, name: str, what: str) -> None:
    identity = {"summary": "Tasks of datasets.", "component": "portal"}
    tiny.edit(tiny.stack_file, lambda c: c.update(identities={"pipelines": identity}))
    tiny.edit(tiny.stack_file, lambda c: c["capabilities"].update({name: "minio"}))
    with pytest.raises(PlatformError, match=f"capabilities: {name} is the name of {what} too") as caught:
        load_stack(tiny.root)
    assert "another name" in caught.value.remedy
