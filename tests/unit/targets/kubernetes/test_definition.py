"""Bindings that are values of a component's chart."""

from __future__ import annotations

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import Stack
from data_platform.targets.kubernetes.definition import value_bindings


def test_a_value_of_the_chart_and_a_fact_of_the_component_are_bindings(stack: Stack) -> None:
    paths = {"REPLICAS": "workload.replicas", "MEMORY_MIB": "resources.memoryMi"}
    found = value_bindings(stack.components["spark"], paths, {"workload": {"replicas": 3}})
    assert found == {"REPLICAS": "3", "MEMORY_MIB": "1200"}


@pytest.mark.parametrize("path", ["workload.replica", "workload", "workload.replicas.more"])
def test_a_path_to_no_single_value_is_refused_with_its_place(stack: Stack, path: str) -> None:
    with pytest.raises(PlatformError, match=rf"kubernetes\.yaml: bindings\.REPLICAS: .* {path}\n") as caught:
        value_bindings(stack.components["spark"], {"REPLICAS": path}, {"workload": {"replicas": 3}})
    assert "chart/values.yaml" in caught.value.remedy
