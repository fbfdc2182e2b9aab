"""The images of a stack: the same from the same, built once, and only what changed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from data_platform.clients import debian
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.targets.images.build import Builder, build_images, known_images
from data_platform.targets.local.state import read_json
from tests.unit.targets.images.conftest import SYSTEM, write_system

if TYPE_CHECKING:
    from tests.conftest import Tiny

Make = Callable[..., Builder]


def test_two_builds_in_two_caches_give_the_same_images(builder: Make) -> None:
    one, two = builder("one").build(), builder("two").build()
    assert {name: (i.reference, i.manifest) for name, i in one.items()} == {
        name: (i.reference, i.manifest) for name, i in two.items()
    }
    assert set(one) == {"reader", "portal"}


def test_what_changed_is_another_image_and_the_rest_is_not(builder: Make, stacked: Tiny) -> None:
    before = builder().build()
    (stacked.folder("reader") / "source.txt").write_text("other\n", encoding="utf-8")
    after = builder().build()
    assert after["reader"].reference != before["reader"].reference
    # The checkout is in the platform's image, and the source is a file of it.
    assert after["portal"].reference != before["portal"].reference
    (stacked.root / "plugins" / "code.py").write_text("three = 3\n", encoding="utf-8")
    last = builder().build()
    assert last["reader"].reference == after["reader"].reference
    assert last["portal"].reference != after["portal"].reference


def test_a_second_build_makes_nothing(builder: Make, made: list[str]) -> None:
    builder().build()
    assert made == ["bookworm python3"]
    assert {image.seconds for image in builder().build().values()} == {0.0}
    assert made == ["bookworm python3"]
    builder().build(new_base=True)
    assert made == ["bookworm python3"] * 2


def test_a_new_base_with_other_packages_gives_other_images(builder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    before = builder().build()
    same = builder().build(new_base=True)
    assert {i.reference for i in same.values()} == {i.reference for i in before.values()}
    newer = [(name, mode, "a newer program\n" if name.endswith("/su") else content) for name, mode, content in SYSTEM]
    monkeypatch.setattr(debian, "make_system", lambda *arguments: write_system(arguments[3], newer))
    after = builder().build(new_base=True)
    assert {i.reference for i in after.values()}.isdisjoint(i.reference for i in before.values())
    assert builder().known() == {name: image.reference for name, image in after.items()}


def test_what_a_component_says_of_itself_is_part_of_its_image(builder: Make, stacked: Tiny) -> None:
    before = builder().build()
    stacked.edit(stacked.component("reader"), lambda content: content.update(version="2"))
    assert "reader" not in builder().known()
    assert builder().build()["reader"].reference != before["reader"].reference


def test_references_are_known_without_a_build_as_long_as_nothing_changed(builder: Make, stacked: Tiny) -> None:
    assert builder().known() == {}
    built = {name: image.reference for name, image in builder().build().items()}
    assert builder().known() == built
    assert build_images(*_inputs(builder())) == built
    (stacked.root / "plugins" / "code.py").write_text("three = 3\n", encoding="utf-8")
    assert builder().known() == {"reader": built["reader"]}
    with pytest.raises(PlatformError, match="the images of portal are not built"):
        known_images(*_inputs(builder()))


def _inputs(made: Builder) -> tuple[object, ...]:
    return made.stack, made.cache, made.tools


def test_an_image_whose_blob_is_gone_is_not_known_and_built_again(builder: Make) -> None:
    built = builder().build()
    # What a killed build leaves is no layer, and goes.
    (builder().folder / ".partial-killed" / "scratch").mkdir(parents=True)
    layout = builder().layout
    lost = layout.blobs_of(built["reader"].manifest)[-1]
    layout.path(lost.digest).unlink()
    assert "reader" not in builder().known()
    assert builder().build()["reader"].reference == built["reader"].reference
    assert layout.has(lost.digest)
    assert not list(builder().folder.glob(".partial-*"))


def test_images_run_as_an_ordinary_user_and_share_their_first_layers(builder: Make) -> None:
    made = builder()
    built = made.build()
    reader, portal = (made.layout.manifest(built[name].manifest) for name in ("reader", "portal"))
    assert reader["layers"][0] == portal["layers"][0]
    config = read_json(made.layout.path(portal["config"]["digest"]))
    assert config["config"]["User"] == "1000:1000"
    assert config["config"]["Env"][0].startswith("PATH=/opt/data-platform/bin:/opt/data-platform/platform/bin:")
    assert [item["created_by"] for item in config["history"]][-1] == "the checkout"
    assert built["reader"].reference.startswith("localhost/tiny/reader:")


def test_an_index_names_only_the_newest_image_of_a_component(builder: Make, stacked: Tiny) -> None:
    builder().build()
    (stacked.root / "plugins" / "code.py").write_text("three = 3\n", encoding="utf-8")
    built = builder().build()
    assert set(builder().layout.images()) == {image.reference for image in built.values()}
    bills = {path.name for path in (builder().folder / "sbom").iterdir()}
    assert bills == {f"{image.reference.rpartition('/')[2].replace(':', '-')}.cdx.json" for image in built.values()}


STARTER = """
name: starter
namespace: core
version: "1"
summary: "It starts what another one runs."
resources: {cpu: 1, memory_mib: 100}
checks: [{name: answers-on-its-page, kind: http, with: {component: portal, path: /}}]
backup: {kind: none, reason: it is a test}
"""


def standing_on(stacked: Tiny, over: str) -> None:
    """Add a component whose image stands on that of another one."""
    folder = stacked.folder("portal").parent / "starter"
    folder.mkdir()
    (folder / "component.yaml").write_text(STARTER, encoding="utf-8")
    (folder / "program").write_text("a program\n", encoding="utf-8")
    build = ["sh", "-c", "cp program $OUT"]
    said: dict[str, object] = {"artifacts": {"program": {"build": build, "source": "program"}}}
    said["image"] = {"over": over, "artifacts": ["program"]}
    (folder / "kubernetes.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")


def test_an_image_on_top_of_another_has_its_layers_and_is_the_same_whatever_the_checkout(
    builder: Make, stacked: Tiny
) -> None:
    standing_on(stacked, "portal")
    before = builder().build()
    layers = {name: [layer.name for layer in image.layers] for name, image in builder().images.items()}
    assert "the checkout" in layers["portal"]
    assert layers["starter"] == [*(name for name in layers["portal"] if name != "the checkout"), "program"]
    (stacked.root / "plugins" / "code.py").write_text("three = 3\n", encoding="utf-8")
    after = builder().build()
    assert after["portal"].reference != before["portal"].reference
    assert after["starter"].reference == before["starter"].reference


def test_an_image_can_stand_on_no_component_without_one(builder: Make, stacked: Tiny) -> None:
    standing_on(stacked, "minio")
    with pytest.raises(PlatformError, match=r"starter/kubernetes\.yaml: image\.over: minio has no image") as caught:
        builder()
    assert "portal" in caught.value.remedy


def test_a_bill_of_materials_that_is_gone_is_written_again(builder: Make) -> None:
    builder().build()
    bills = list((builder().folder / "sbom").iterdir())
    before = {path: path.read_text(encoding="utf-8") for path in bills}
    assert len(before) == 2
    bills[0].unlink()
    builder().build()
    assert {path: path.read_text(encoding="utf-8") for path in bills} == before


def test_an_artifact_that_the_component_does_not_have_is_refused(builder: Make, stacked: Tiny) -> None:
    file = stacked.folder("reader") / "kubernetes.yaml"
    stacked.edit(file, lambda content: content.update(image={"artifacts": ["shell", "elsewhere"]}))
    with pytest.raises(PlatformError, match=r"reader/kubernetes\.yaml: image\.artifacts names elsewhere"):
        builder()


def test_a_stack_of_another_target_has_no_images(builder: Make) -> None:
    made = builder()
    with pytest.raises(PlatformError, match="images belong to the target kubernetes, not local"):
        Builder(load_stack(made.stack.root), made.cache, made.tools)


def test_a_failed_layer_leaves_nothing_and_its_cause_is_told(
    builder: Make, stacked: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PlatformError("the disk is full", "free some")

    with monkeypatch.context() as patch:
        patch.setattr("data_platform.targets.images.content.environment_entries", fail)
        with pytest.raises(PlatformError, match="the disk is full"):
            builder().build()
    del stacked
    folder: Path = builder().folder
    assert not list(folder.glob(".partial-*"))
    assert builder().known() == {}
    assert set(builder().build()) == {"reader", "portal"}
