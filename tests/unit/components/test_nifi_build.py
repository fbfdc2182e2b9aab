"""The scripts in NiFi's `image/` folder: its lock files and the NARs that are built."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from data_platform.stack.load import parse
from data_platform.stack.model import Local

FOLDER = Path(__file__).parents[3] / "stack/components/integration/nifi"


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"nifi_{Path(path).name}", FOLDER / "image" / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build_nars, lock, java = script("build_nars"), script("lock"), script("java/compile")


def write_nar(folder: Path, nar_id: str, parent: str | None, *jars: str) -> None:
    manifest = "Manifest-Version: 1.0\r\n" + (f"Nar-Dependency-Id: {parent}\r\n" if parent else "")
    with zipfile.ZipFile(folder / f"{nar_id}-{build_nars.VERSION}.nar", "w") as nar:
        nar.writestr("META-INF/MANIFEST.MF", manifest)
        for jar in jars:
            nar.writestr(f"META-INF/bundled-dependencies/{jar}", b"")


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    """Two published NARs, one above the other, and a jar of the class path."""
    folder = tmp_path / "lib"
    folder.mkdir()
    write_nar(folder, "nifi-standard-shared-nar", "nifi-standard-services-api-nar", "jackson-core-2.18.3.jar")
    write_nar(folder, "nifi-standard-services-api-nar", None, "nifi-utils-2.3.0.jar")
    (folder / "slf4j-api-2.0.17.jar").write_bytes(b"")
    return folder


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in ("b-1.jar", "a-2.0-x.jar", "jackson-core-2.14.3.jar", "nifi-utils-2.3.0.jar", "slf4j-api-1.7.36.jar"):
        (folder / name).write_bytes(name.encode())
    return folder


def built(lib: Path, jars: Path, out: Path) -> Path:
    out.mkdir()
    build_nars.main([str(lib), str(out), *(f"{nar_id}={jars}" for nar_id in build_nars.PARENTS)])
    return out / f"nifi-standard-nar-{build_nars.VERSION}.nar"


def test_a_nar_holds_its_jars_without_those_of_its_parents_and_of_the_class_path(
    lib: Path, jars: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(built(lib, jars, tmp_path / "out")) as nar:
        bundled = [n.removeprefix(build_nars.BUNDLED) for n in nar.namelist() if n.endswith(".jar")]
        assert bundled == ["a-2.0-x.jar", "b-1.jar"]
        assert nar.read(f"{build_nars.BUNDLED}b-1.jar") == b"b-1.jar"
        # NiFi's unpacker fails on a file whose folder has no entry before it.
        assert nar.namelist()[:3] == ["META-INF/", "META-INF/MANIFEST.MF", build_nars.BUNDLED]
        manifest = nar.read("META-INF/MANIFEST.MF").decode()
    assert "Nar-Id: nifi-standard-nar\r\n" in manifest
    assert "Nar-Dependency-Id: nifi-standard-shared-nar\r\n" in manifest


def test_the_same_jars_make_the_same_bytes(lib: Path, jars: Path, tmp_path: Path) -> None:
    first = built(lib, jars, tmp_path / "first").read_bytes()
    for jar in jars.iterdir():
        jar.touch()
    second = built(lib, jars, tmp_path / "second")
    assert second.read_bytes() == first
    with zipfile.ZipFile(second) as nar:
        assert {entry.date_time for entry in nar.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_missing_parent_is_an_error(lib: Path, jars: Path, tmp_path: Path) -> None:
    (lib / f"nifi-standard-services-api-nar-{build_nars.VERSION}.nar").unlink()
    with pytest.raises(FileNotFoundError, match="nifi-standard-services-api-nar"):
        built(lib, jars, tmp_path / "out")


def test_a_nar_without_jars_is_an_error(lib: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="holds no jar"):
        built(lib, tmp_path / "none", tmp_path / "out")


def test_a_nar_that_is_not_asked_for_is_an_error(lib: Path, jars: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nifi-update-attribute-nar"):
        build_nars.main([str(lib), str(tmp_path), f"nifi-standard-nar={jars}"])


def test_our_own_nar_is_made_of_two_folders_and_says_that_it_is_ours(lib: Path, jars: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "data-platform-processors-1.jar").write_bytes(b"ours")
    (tmp_path / "out").mkdir()
    words = [f"{nar_id}={jars}" for nar_id in build_nars.PARENTS]
    build_nars.main([str(lib), str(tmp_path / "out"), *words, f"{build_nars.OWN_NAR}={tmp_path / 'more'}"])
    with zipfile.ZipFile(tmp_path / "out" / f"{build_nars.OWN_NAR}-{build_nars.VERSION}.nar") as nar:
        bundled = [n.removeprefix(build_nars.BUNDLED) for n in nar.namelist() if n.endswith(".jar")]
        manifest = nar.read("META-INF/MANIFEST.MF").decode()
    assert bundled == ["a-2.0-x.jar", "b-1.jar", "data-platform-processors-1.jar"]
    assert "Nar-Group: data-platform\r\n" in manifest
    assert f"Nar-Dependency-Group: {build_nars.GROUP}\r\n" in manifest


def test_every_processor_of_ours_is_listed_and_no_other_class() -> None:
    found = java.processors(java.SOURCES)
    assert found == [f"dataplatform.nifi.{n}" for n in ("CheckDelimitedText", "PutObjectS3", "UnpackSingleMember")]


def test_a_folder_without_processors_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Helper.java").write_text("final class Helper {}", encoding="utf-8")
    with pytest.raises(ValueError, match="no public class"):
        java.processors(tmp_path)


def test_the_same_classes_make_the_same_jar(tmp_path: Path) -> None:
    classes = tmp_path / "classes" / "dataplatform"
    classes.mkdir(parents=True)
    for name in ("B.class", "A.class"):
        (classes / name).write_bytes(name.encode())
    java.pack(classes.parent, ["dataplatform.A"], tmp_path / "first.jar")
    (classes / "A.class").touch()
    java.pack(classes.parent, ["dataplatform.A"], tmp_path / "second.jar")
    assert (tmp_path / "first.jar").read_bytes() == (tmp_path / "second.jar").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.jar") as jar:
        assert jar.namelist()[1:] == [java.SERVICE, "dataplatform/A.class", "dataplatform/B.class"]
        assert jar.read(java.SERVICE) == b"dataplatform.A\n"


def test_sources_that_do_not_compile_end_the_build(tmp_path: Path) -> None:
    for place in ("java/bin", "compiler"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "java/bin/java").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (tmp_path / "java/bin/java").chmod(0o755)
    (tmp_path / "compiler/ecj.jar").touch()
    with pytest.raises(SystemExit, match="does not compile"):
        java.main([str(tmp_path / "java"), str(tmp_path / "compiler"), str(tmp_path)])
    assert not (tmp_path / java.JAR).exists()


def test_the_flow_uses_our_processors_as_they_are_built() -> None:
    flow = json.loads((FOLDER.parents[3] / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8"))
    ours = [p for p in flow["flowContents"]["processors"] if p["type"].startswith("dataplatform.")]
    assert {p["type"] for p in ours} == set(java.processors(java.SOURCES))
    bundle = {"group": build_nars.OWN_GROUP, "artifact": build_nars.OWN_NAR, "version": build_nars.VERSION}
    assert [p["bundle"] for p in ours] == [bundle] * len(ours)


def test_the_parent_of_a_nar_is_read_across_a_folded_manifest_line(tmp_path: Path) -> None:
    write_nar(tmp_path, "x", "nifi-a-very-long-\r\n name-nar")
    with zipfile.ZipFile(tmp_path / f"x-{build_nars.VERSION}.nar") as nar:
        assert build_nars.parent_of(nar) == "nifi-a-very-long-name-nar"


RESOLVED = """
The following files have been resolved:
   org.slf4j:slf4j-api:jar:2.0.17:compile:/r/slf4j-api-2.0.17.jar -- module org.slf4j
   org.apache.nifi:nifi-server-nar:nar:2.3.0:compile:/r/nifi-server-nar-2.3.0.nar
   org.xmlresolver:xmlresolver:jar:data:5.2.2:compile:/r/xmlresolver-5.2.2-data.jar -- module x (auto)
"""


def test_resolved_files_get_their_coordinates() -> None:
    assert lock.parse_resolved(RESOLVED.splitlines()) == {
        "org.slf4j:slf4j-api:2.0.17": Path("/r/slf4j-api-2.0.17.jar"),
        "org.apache.nifi:nifi-server-nar:2.3.0:nar": Path("/r/nifi-server-nar-2.3.0.nar"),
        "org.xmlresolver:xmlresolver:5.2.2:jar:data": Path("/r/xmlresolver-5.2.2-data.jar"),
    }


@pytest.mark.parametrize(("text", "reason"), [("   a:b:/c.jar", "unknown form"), ("   none\n", "no dependency")])
def test_what_maven_did_not_resolve_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        lock.parse_resolved(text.splitlines())


def test_a_lock_is_sorted_and_names_its_pom(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    text = lock.lock_text("lib.pom.xml", {"b:b:1": tmp_path / "x", "a:a:1": tmp_path / "x"})
    assert text == f"# Written by image/lock.py from image/lib.pom.xml\na:a:1 {empty}\nb:b:1 {empty}\n"


def test_every_pom_has_its_lock_and_every_lock_is_an_artifact() -> None:
    artifacts = parse(Local, FOLDER / "local.yaml").artifacts
    poms = {pom.name.removesuffix(lock.POM) for pom in (FOLDER / "image").glob(f"*{lock.POM}")}
    assert {a.maven_lock for a in artifacts.values() if a.maven_lock} == {f"{name}.lock" for name in poms}
    assert poms == {"lib", "standard", "update-attribute", "object-store"}


def test_the_version_is_the_same_everywhere() -> None:
    lines = (FOLDER / "lib.lock").read_text(encoding="utf-8").splitlines()
    nars = [line.split()[0].split(":") for line in lines if ":nar " in line]
    assert {version for _, _, version, _ in nars} == {build_nars.VERSION}
    assert f"version: {build_nars.VERSION}\n" in (FOLDER / "component.yaml").read_text(encoding="utf-8")
    poms = sorted((FOLDER / "image").glob(f"*{lock.POM}"))
    # What our own processors need besides NiFi has versions of its own.
    of_nifi = [pom for pom in poms if pom.name != f"object-store{lock.POM}"]
    assert len(of_nifi) == 3
    for pom in of_nifi:
        assert f"<nifi.version>{build_nars.VERSION}</nifi.version>" in pom.read_text(encoding="utf-8")
