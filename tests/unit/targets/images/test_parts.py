"""What is in a layer is found by what the software says of itself."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from data_platform.stack.definition import Artifact
from data_platform.stack.model import Component
from data_platform.targets.images import sbom
from data_platform.targets.images.layers import Blob, Entry
from data_platform.targets.images.parts import parts_of
from data_platform.targets.local.artifacts import Placed
from tests.unit.targets.images.conftest import STATUS


def purls(entries: list[Entry], artifact: Placed | None = None) -> list[str]:
    return [part["purl"] for part in parts_of(entries, artifact)]


def file(path: Path, content: bytes | str, name: str, mode: int = 0o644) -> Entry:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Entry(name, "file", path, mode)


def test_debian_packages_that_are_installed(tmp_path: Path) -> None:
    assert purls([file(tmp_path / "status", STATUS, "var/lib/dpkg/status")]) == [
        "pkg:deb/debian/libc6@2.36-9?arch=amd64"
    ]
    assert purls([file(tmp_path / "status", STATUS, "var/lib/dpkg/status-old")]) == []


def test_python_distributions(tmp_path: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: Flask_Thing\nVersion: 1.2\n\nName: not this one\n"
    assert purls([file(tmp_path / "m", metadata, "lib/site-packages/flask_thing-1.2.dist-info/METADATA")]) == [
        "pkg:pypi/flask-thing@1.2"
    ]


def test_jars_name_themselves_and_what_was_merged_into_them(tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    with zipfile.ZipFile(jar, "w") as bundle:
        for name in ("one", "two"):
            text = f"#made\ngroupId=org.example\nartifactId={name}\nversion=3\n"
            bundle.writestr(f"META-INF/maven/org.example/{name}/pom.properties", text)
        bundle.writestr("META-INF/maven/org.example/none/pom.properties", "groupId=org.example\n")
    both = ["pkg:maven/org.example/one@3", "pkg:maven/org.example/two@3"]
    assert purls([Entry("lib/a.jar", "file", jar)]) == both
    nar = tmp_path / "a.nar"
    with zipfile.ZipFile(nar, "w") as bundle:
        bundle.write(jar, "META-INF/bundled-dependencies/a.jar")
    assert purls([Entry("nars/a.nar", "file", nar)]) == both
    assert purls([Entry("nars/a.txt", "file", nar)]) == []


def go_program(modules: str) -> bytes:
    """A file that looks like a Go program to those who ask for its modules."""
    listed = b"0" * 16 + modules.encode() + b"0" * 16
    version = b"go1.27.3"
    assert len(version) < 128 <= len(listed) < 16384
    length = bytes([len(listed) & 0x7F | 0x80, len(listed) >> 7])
    header = b"\xff Go buildinf:" + bytes([8, 2])
    return b"\x7fELF" + b"x" * 60 + header.ljust(32, b"\0") + bytes([len(version)]) + version + length + listed


def test_go_programs_list_the_modules_that_they_were_linked_from(tmp_path: Path) -> None:
    modules = (
        "path\texample.org/cmd\nmod\texample.org/main\t(devel)\t\ndep\tgithub.com/a/b\tv1.2.3\th1:abc=\n"
        "dep\tgopkg.in/yaml.v3\tv3.0.1\n=>\tgithub.com/fork/yaml\tv3.0.2\th1:def=\nbuild\tCGO_ENABLED=0\n"
    )
    program = file(tmp_path / "program", go_program(modules), "bin/program", 0o755)
    assert purls([program]) == [
        "pkg:golang/example.org/main@%28devel%29",
        "pkg:golang/github.com/a/b@v1.2.3",
        "pkg:golang/github.com/fork/yaml@v3.0.2",
        "pkg:golang/gopkg.in/yaml.v3@v3.0.1",
        "pkg:golang/stdlib@1.27.3",
    ]
    assert purls([file(tmp_path / "other", b"\x7fELF" + b"x" * 100, "bin/other", 0o755)]) == []
    assert purls([file(tmp_path / "script", "#!/bin/sh\n", "bin/script", 0o755)]) == []


def test_what_a_lock_names_has_the_digest_of_the_lock(tmp_path: Path) -> None:
    (tmp_path / "lib.lock").write_text(f"org.example:server:1.0:jar {'a' * 64}\n", encoding="utf-8")
    spec = Artifact.model_validate({"maven_lock": "lib.lock"})
    (part,) = parts_of([], Placed("lib", spec, tmp_path, "0", tmp_path, ()))
    assert part == {"purl": "pkg:maven/org.example/server@1.0", "name": "server", "version": "1.0", "sha256": "a" * 64}


@pytest.fixture
def component(root: Path) -> Component:
    from data_platform.stack.load import load_stack

    return load_stack(root).components["trino"].component


def test_a_bill_of_materials_is_the_same_for_the_same_image(component: Component, tmp_path: Path) -> None:
    parts = [
        {"purl": "pkg:pypi/b@1", "name": "b", "version": "1", "sha256": ""},
        {"purl": "pkg:maven/g/a@2", "name": "a", "version": "2", "sha256": "b" * 64},
    ]
    for name, manifest, given in (
        ("one", "sha256:" + "1" * 64, parts),
        ("again", "sha256:" + "1" * 64, [*reversed(parts), parts[0]]),
        ("other", "sha256:" + "2" * 64, parts),
    ):
        sbom.write(tmp_path / name, component, "localhost/data-platform/trino:1", Blob(manifest, 1), given)
    one = json.loads((tmp_path / "one").read_text(encoding="utf-8"))
    assert one["bomFormat"] == "CycloneDX"
    assert {item["purl"] for item in one["components"]} == {"pkg:pypi/b@1", "pkg:maven/g/a@2"}
    assert one["metadata"]["component"]["name"] == "localhost/data-platform/trino"
    assert (tmp_path / "one").read_text(encoding="utf-8") == (tmp_path / "again").read_text(encoding="utf-8")
    assert (tmp_path / "one").read_text(encoding="utf-8") != (tmp_path / "other").read_text(encoding="utf-8")
