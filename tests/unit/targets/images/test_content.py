"""Environments are moved to the image's Python; the checkout is what git knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data_platform.clients import packages
from data_platform.stack.definition import Artifact
from data_platform.stack.errors import PlatformError
from data_platform.targets.images.content import (
    environment_entries,
    in_image,
    project_digest,
    project_entries,
    project_files,
)
from data_platform.targets.images.layers import write_layer
from data_platform.targets.kubernetes import places
from data_platform.targets.local.artifacts import Placed
from tests.unit.targets.images.conftest import MINOR


@pytest.fixture
def environment(environments: None, tmp_path: Path) -> Placed:
    del environments
    folder = tmp_path / "environment-0123"
    packages.make_environment(tmp_path / "platform.txt", folder)
    return Placed("platform", Artifact.model_validate({"environment": "platform"}), tmp_path, "0", folder, ())


def test_an_environment_is_moved_to_the_python_of_the_image(environment: Placed, tmp_path: Path) -> None:
    found = {e.path: e for e in environment_entries(environment, "opt/env", MINOR, tmp_path)}
    assert found["opt/env/bin/python"].content == f"/usr/bin/python{MINOR}"
    assert "home = /usr/bin\n" in str(found["opt/env/pyvenv.cfg"].content)
    assert "opt/env/bin/activate" not in found
    site = f"opt/env/lib/python{MINOR}/site-packages"
    assert f"{site}/thing.py" in found
    assert f"{site}/__pycache__/thing.{sys.implementation.cache_tag}.pyc" in found


def test_an_environment_of_another_python_is_refused(environment: Placed, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=rf"made with python{MINOR}, the base of the images has python2\.7"):
        list(environment_entries(environment, "opt/env", "2.7", tmp_path))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in ("plugins/code.py", "plugins/.airflowignore", "dags/one.py", "docs/page.md", "tests/test_it.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n", encoding="utf-8")
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (root / ".gitignore").write_text("*.secret\n", encoding="utf-8")
    return root


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in project_files(root)}


WANTED = {"plugins/code.py", "plugins/.airflowignore", "dags/one.py", "pyproject.toml"}


def test_the_checkout_is_what_runs_without_tests_and_documentation(checkout: Path) -> None:
    assert names(checkout) == WANTED


def test_what_git_ignores_is_not_in_the_image_and_what_it_would_add_is(checkout: Path) -> None:
    (checkout / "plugins" / "key.secret").write_text("hush\n", encoding="utf-8")
    assert "plugins/key.secret" in names(checkout), "the twin: without git nobody says that it is none"
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    assert names(checkout) == WANTED
    subprocess.run(["git", "-C", str(checkout), "add", "dags/one.py"], check=True)
    (checkout / "dags" / "one.py").unlink()
    assert names(checkout) == WANTED - {"dags/one.py"}


def test_a_changed_file_changes_the_digest_and_a_test_does_not(checkout: Path) -> None:
    before = project_digest(checkout)
    (checkout / "tests" / "test_it.py").write_text("other\n", encoding="utf-8")
    assert project_digest(checkout) == before
    (checkout / "dags" / "one.py").write_text("other\n", encoding="utf-8")
    assert project_digest(checkout) != before


def test_the_checkouts_layer_is_the_same_each_time_and_what_is_no_python_is_not_compiled(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "dags" / "template.py").write_text("{{ not }} python\n", encoding="utf-8")
    blobs = []
    for name in ("one", "two"):
        scratch = tmp_path / name
        scratch.mkdir()
        entries = list(project_entries(checkout, scratch))
        blobs.append(write_layer(entries, tmp_path / f"{name}.tar"))
        compiled = [entry.path for entry in entries if entry.path.endswith(".pyc")]
        assert len(compiled) == 2
        assert not [path for path in compiled if "template" in path]
        (link,) = [entry for entry in entries if entry.kind == "link"]
        assert (f"/{link.path}", link.content) == (str(places.ROOT), "checkout/project")
        assert all(path.startswith(in_image(places.ROOT.parent / str(link.content))) for path in compiled)
    assert blobs[0] == blobs[1]


def test_a_link_of_the_checkout_stays_a_link_and_its_aim_counts(checkout: Path, tmp_path: Path) -> None:
    link = checkout / "stack" / "charts"
    link.parent.mkdir()
    link.symlink_to("../plugins")
    (tmp_path / "scratch").mkdir()
    before = project_digest(checkout)
    entries = {entry.path: entry for entry in project_entries(checkout, tmp_path / "scratch")}
    (found,) = (entry for path, entry in entries.items() if path.endswith("/stack/charts"))
    assert (found.kind, found.content) == ("link", "../plugins")
    link.unlink()
    link.symlink_to("../dags")
    assert project_digest(checkout) != before


def test_an_image_has_every_folder_that_a_platform_is_made_of() -> None:
    from bootstrap.proof import inputs
    from data_platform.targets.images import content

    assert set(content._PROJECT) >= {*inputs._PLATFORM, "stack", "pyproject.toml"}
    assert "datasets" in inputs._PLATFORM
