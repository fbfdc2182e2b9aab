"""What the helm program is asked, and what is made of its answers; the program is a script of the shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.targets.kubernetes.releases import Helm, Release

ENDINGS = (".yaml", ".yml", ".json", "")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Writes an object for each ending of a template's name, where it is told to."""
    script = tmp_path / "helm"
    script.write_text(
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = --output-dir ] && out=$2; shift; done\n'
        "mkdir -p $out/c/templates $out/c/charts/sub/templates\n"
        + "".join(
            f'echo \'{{"kind": "K", "metadata": {{"name": "n{i}"}}}}\' > $out/c/charts/sub/templates/a{ending}\n'
            for i, ending in enumerate(ENDINGS)
        ),
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


def test_objects_of_all_templates_are_found_however_these_are_called(program: Path) -> None:
    release = Release("r", "space", "chart", {}, (), "digest")
    found = Helm(str(program)).template(release)
    assert {thing["metadata"]["name"] for thing in found} == {f"n{i}" for i in range(len(ENDINGS))}
    assert {thing["metadata"]["namespace"] for thing in found} == {"space"}
