"""Every module of `data_platform.facets` is a key of component.yaml; a component may work with that of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform import facets
from data_platform.stack.definition import Kubernetes
from data_platform.stack.errors import PlatformError
from data_platform.stack.facet import Facet
from data_platform.stack.facets import FACETS
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.model import Component

if TYPE_CHECKING:
    from tests.conftest import Tiny

METRICS = {"endpoint": "http", "names": ["up"]}
#: Imports each module as the first of all that is ours.
_EACH_FIRST = """
import importlib, sys
for name in sys.argv[1:]:
    for module in [module for module in sys.modules if module.partition(".")[0] == "data_platform"]:
        del sys.modules[module]
    importlib.import_module(name)
    importlib.import_module("data_platform.stack.model")
    print(name)
"""


def test_a_facet_with_an_endpoint_for_others_says_what_they_are_told_of_it() -> None:
    with pytest.raises(TypeError, match=r"Pages says `called`"):

        class Pages(Facet):
            @property
            def called(self) -> str:
                return "http"


def test_a_facet_is_a_module_with_one_model_and_a_key_of_each_file() -> None:
    modules = {path.stem for path in Path(facets.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(FACETS) == modules
    assert {"metrics", "backup"} <= modules
    for name, facet in FACETS.items():
        assert facet.__module__ == f"data_platform.facets.{name}"
        assert Component.model_fields[name].is_required() == facet.required
        assert not Kubernetes.model_fields[name].is_required()
    assert "scrapes" in Component.model_fields
    assert "scrapes" not in Kubernetes.model_fields


def test_each_module_may_be_imported_before_anything_else(root: Path) -> None:
    names = [*(f"data_platform.facets.{name}" for name in FACETS), "data_platform.backup.none"]
    ended = subprocess.run(
        [sys.executable, "-c", _EACH_FIRST, *names],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root / "plugins")},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == names


def test_a_facet_that_nobody_is_told_of_says_so() -> None:
    place = type("Place", (), {"host": "h", "port": 1, "url": "http://h:1"})()
    with pytest.raises(NotImplementedError, match="nobody is told of Facet of reader at http://h:1"):
        Facet().told("reader", place)


def test_who_works_with_a_side_works_with_that_of_all_who_have_it(tiny: Tiny) -> None:
    for name in ("reader", "minio", "portal"):
        tiny.edit(tiny.component(name), lambda c: c.update(metrics=METRICS))
    tiny.edit(tiny.component("portal"), lambda c: c.update(scrapes=True))
    stack = load_stack(tiny.root)
    assert [(other, name) for other, name, _ in stack.worked_with("portal")] == [
        ("minio", "metrics"),
        ("reader", "metrics"),
        ("portal", "metrics"),
    ]
    assert stack.worked_with("reader") == []
    # It needs nobody of them.
    assert "minio" not in (*stack.callees("portal"), *stack.dependencies("portal"))


def on_kubernetes(tiny: Tiny, text: str) -> None:
    for name in ("postgresql", "minio", "weeds", "portal"):
        (tiny.folder(name) / "kubernetes.yaml").write_text("{}\n", encoding="utf-8")
    (tiny.folder("reader") / "kubernetes.yaml").write_text(text, encoding="utf-8")


def test_a_target_may_say_another_one(tiny: Tiny) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c.update(metrics=METRICS))
    on_kubernetes(
        tiny,
        "endpoints: {management: {port: 21031, audience: [operators]}}\n"
        "metrics: {endpoint: management, path: /there, names: [down]}\n",
    )

    def said(target: str) -> tuple[str, object]:
        component = load_stack(tiny.root, target=target).components["reader"].component
        (spec,) = component.all_checks[1:]
        return component.facets["metrics"].called, spec.params["names"]

    assert said("local") == ("http", ("up",))
    assert said(KUBERNETES) == ("management", ("down",))
    assert load_stack(tiny.root, target=KUBERNETES).components["reader"].component.facets.keys() == {
        "metrics",
        "backup",
    }


def test_a_mistake_of_a_target_names_its_file(tiny: Tiny) -> None:
    on_kubernetes(tiny, "metrics: {endpoint: nowhere, names: [up]}\n")
    load_stack(tiny.root)
    with pytest.raises(
        PlatformError, match=r"reader/kubernetes.yaml: metrics.endpoint: there is no endpoint 'nowhere'"
    ):
        load_stack(tiny.root, target=KUBERNETES)
