"""The scripts in NiFi's `image/` folder: its lock files and the NARs that are built."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data_platform.checks import flow_file
from data_platform.stack.definition import Local
from data_platform.stack.load import parse

FOLDER = Path(__file__).parents[3] / "stack/components/integration/nifi"


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"nifi_{Path(path).name}", FOLDER / "image" / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The script imports its neighbour by its plain name, as scripts do.
sys.modules["offer"] = offer = script("nars/offer")
build_nars, lock, java = script("nars/build_nars"), script("lock"), script("java/compile")
PROCESSOR = "org.apache.nifi.processor.Processor"
LOAD = offer.load


def write_nar(folder: Path, nar_id: str, parent: str | None, *jars: str) -> None:
    manifest = "Manifest-Version: 1.0\r\n" + (f"Nar-Dependency-Id: {parent}\r\n" if parent else "")
    with zipfile.ZipFile(folder / f"{nar_id}-{build_nars.VERSION}.nar", "w") as nar:
        nar.writestr("META-INF/MANIFEST.MF", manifest)
        for jar in jars:
            nar.writestr(f"META-INF/bundled-dependencies/{jar}", jar_of())


def jar_of(listed: dict[str, list[str]] | None = None, /, **classes: bytes) -> bytes:
    """A jar with classes of a package `a`, some of which it lists by kind."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as jar:
        for name, content in classes.items():
            jar.writestr(f"a/{name}.class", content)
        for kind, names in (listed or {}).items():
            jar.writestr(offer.SERVICES + kind, "".join(f"{name} # of NiFi\n" for name in names))
    return stream.getvalue()


@pytest.fixture(autouse=True)
def offers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is offered in these tests; the committed file is read by those that are about it."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(offer, "load", lambda: found)
    return found


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    """Two published NARs, one above the other, and a jar of the class path."""
    folder = tmp_path / "lib"
    folder.mkdir()
    write_nar(folder, "nifi-standard-shared-nar", "nifi-standard-services-api-nar", "jackson-core-2.18.3.jar")
    write_nar(folder, "nifi-standard-services-api-nar", None, "nifi-utils-2.3.0.jar")
    (folder / "slf4j-api-2.0.17.jar").write_bytes(jar_of())
    return folder


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in ("b-1.jar", "a-2.0-x.jar", "jackson-core-2.14.3.jar", "nifi-utils-2.3.0.jar", "slf4j-api-1.7.36.jar"):
        (folder / name).write_bytes(jar_of({}, **{name.partition("-")[0]: name.encode()}))
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
        assert nar.read(f"{build_nars.BUNDLED}b-1.jar") == (jars / "b-1.jar").read_bytes()
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
    (tmp_path / "more" / "data-platform-processors-1.jar").write_bytes(jar_of())
    (tmp_path / "out").mkdir()
    words = [f"{nar_id}={jars}" for nar_id in build_nars.PARENTS]
    build_nars.main([str(lib), str(tmp_path / "out"), *words, f"{build_nars.OWN_NAR}={tmp_path / 'more'}"])
    with zipfile.ZipFile(tmp_path / "out" / f"{build_nars.OWN_NAR}-{build_nars.VERSION}.nar") as nar:
        bundled = [n.removeprefix(build_nars.BUNDLED) for n in nar.namelist() if n.endswith(".jar")]
        manifest = nar.read("META-INF/MANIFEST.MF").decode()
    assert bundled == ["a-2.0-x.jar", "b-1.jar", "data-platform-processors-1.jar"]
    assert "Nar-Group: data-platform\r\n" in manifest
    assert f"Nar-Dependency-Group: {build_nars.GROUP}\r\n" in manifest


# --- what is offered --------------------------------------------------------------------------------------------------


def offered_of(nar: Path, jar: str) -> dict[str, bytes]:
    with zipfile.ZipFile(nar) as outer, zipfile.ZipFile(io.BytesIO(outer.read(build_nars.BUNDLED + jar))) as inner:
        return {name: inner.read(name) for name in inner.namelist()}


def test_what_is_not_offered_is_neither_listed_nor_there(
    lib: Path, jars: Path, tmp_path: Path, offers: dict[str, Any]
) -> None:
    """NiFi makes any class of a NAR that a flow definition names, so it is not enough not to list it."""
    names = {"Run": b"", "Run$Output": b"", "Route": b"", "Route$1": b"", "RunHelper": b""}
    (jars / "b-1.jar").write_bytes(jar_of({PROCESSOR: ["a.Run", "a.Route"]}, **names))
    offers["a.Route"] = offer.Offer(PROCESSOR)
    found = offered_of(built(lib, jars, tmp_path / "out"), "b-1.jar")
    assert set(found) == {offer.SERVICES + PROCESSOR, "a/Route$1.class", "a/Route.class", "a/RunHelper.class"}
    assert found[offer.SERVICES + PROCESSOR] == b"a.Route\n"


@pytest.mark.parametrize("kind", offer.KINDS)
def test_nothing_of_any_kind_that_clients_can_make_is_there_unasked(
    kind: str, lib: Path, jars: Path, tmp_path: Path
) -> None:
    (jars / "b-1.jar").write_bytes(jar_of({kind: ["a.Run"]}, Run=b""))
    assert offered_of(built(lib, jars, tmp_path / "out"), "b-1.jar") == {offer.SERVICES + kind: b""}


def test_other_services_of_a_jar_stay(lib: Path, jars: Path, tmp_path: Path) -> None:
    other = {"a.Codec": ["a.Codec1"], PROCESSOR: ["a.Run"]}
    (jars / "b-1.jar").write_bytes(jar_of(other, Run=b"", Codec1=b"c"))
    found = offered_of(built(lib, jars, tmp_path / "out"), "b-1.jar")
    assert found["a/Codec1.class"] == b"c"
    assert found[f"{offer.SERVICES}a.Codec"].startswith(b"a.Codec1")


def test_a_name_that_is_in_no_nar_is_an_error(lib: Path, jars: Path, tmp_path: Path, offers: dict[str, Any]) -> None:
    offers["a.Rout"] = offer.Offer(PROCESSOR)
    with pytest.raises(SystemExit, match=r"offered\.toml names what is in no NAR: a\.Rout"):
        built(lib, jars, tmp_path / "out")


def test_a_class_is_not_offered_as_what_it_is_not(
    lib: Path, jars: Path, tmp_path: Path, offers: dict[str, Any]
) -> None:
    (jars / "b-1.jar").write_bytes(jar_of({offer.KINDS[0]: ["a.Route"]}, Route=b""))
    offers["a.Route"] = offer.Offer(PROCESSOR)
    with pytest.raises(SystemExit, match=r"in no NAR: a\.Route"):
        built(lib, jars, tmp_path / "out")


@pytest.mark.parametrize("mark", offer.WATCHED)
def test_what_reaches_out_of_its_flow_needs_a_reason(
    mark: bytes, lib: Path, jars: Path, tmp_path: Path, offers: dict[str, Any]
) -> None:
    (jars / "b-1.jar").write_bytes(jar_of({PROCESSOR: ["a.Merge"]}, **{"Merge": b"", "Merge$1": b"..." + mark}))
    offers["a.Merge"] = offer.Offer(PROCESSOR)
    with pytest.raises(ValueError, match=r"a\.Merge is offered, but"):
        built(lib, jars, tmp_path / "out")
    offers["a.Merge"] = offer.Offer(PROCESSOR, "its file is below the landing folders")
    assert built(lib, jars, tmp_path / "again").exists()


def test_a_nar_that_is_used_as_published_may_offer_nothing(lib: Path, jars: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(lib / f"nifi-standard-shared-nar-{build_nars.VERSION}.nar", "a") as nar:
        nar.writestr(f"{build_nars.BUNDLED}ssl-1.jar", jar_of({offer.KINDS[0]: ["a.Keys"]}, Keys=b""))
    with pytest.raises(ValueError, match=r"ssl-1\.jar in .* offers a\.Keys"):
        built(lib, jars, tmp_path / "out")


def test_a_published_nar_can_be_reduced_too(lib: Path, jars: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    with zipfile.ZipFile(folder / "x.nar", "w") as nar:
        nar.writestr(f"{build_nars.BUNDLED}c-1.jar", jar_of({offer.KINDS[0]: ["a.Grok"]}, Grok=b""))
    (tmp_path / "out").mkdir()
    words = [f"{nar_id}={jars if nar_id != 'nifi-standard-nar' else folder}" for nar_id in build_nars.PARENTS]
    build_nars.main([str(lib), str(tmp_path / "out"), *words])
    made = tmp_path / "out" / f"nifi-standard-nar-{build_nars.VERSION}.nar"
    assert offered_of(made, "c-1.jar") == {offer.SERVICES + offer.KINDS[0]: b""}


def test_the_committed_file_names_what_our_flows_and_checks_use_and_nothing_that_runs_programs() -> None:
    found = committed()
    used = {
        processor["type"]
        for path in (FOLDER.parents[3] / "nifi_flows").glob("*/flow.json")
        for processor in json.loads(path.read_text(encoding="utf-8"))["flowContents"]["processors"]
    }
    assert len(used) >= 12
    assert used | {flow_file._SOURCE, flow_file._TARGET} <= set(found)
    names = {name.rpartition(".")[2] for name in found}
    assert [name for name in names if name.startswith(("Execute", "Script", "Invoke"))] == ["InvokeHTTP"]
    assert not names & {"GetFile", "PutFile", "FetchFile", "ListFile", "TailFile", "MergeContent", "EvaluateXQuery"}
    assert [name for name, offered in found.items() if offered.restricted] == []


def committed() -> dict[str, Any]:
    found: dict[str, Any] = LOAD()
    return found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('kind = "a.Program"\nwhy = "x"\n', "is none of"),
        (f'kind = "{PROCESSOR}"\nwhy = " "\n', "named twice, or without a reason"),
        (f'kind = "{PROCESSOR}"\nwhy = "x"\n[[offered]]\nkind = "{PROCESSOR}"\nwhy = "x"\n', "named twice"),
    ],
)
def test_a_wrong_file_is_an_error(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "offered.toml"
    groups = text.replace("why", 'package = "a"\ntypes = ["B"]\nwhy')
    path.write_text(f"[[offered]]\n{groups}", encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        LOAD(path)


# --- our own ----------------------------------------------------------------------------------------------------------


def test_every_class_of_ours_is_listed_as_what_it_is_and_no_other_class() -> None:
    processors = ("CheckDelimitedText", "KeepFile", "PutObjectS3", "TakeFile", "UnpackSingleMember")
    assert java.services(java.SOURCES) == {
        "org.apache.nifi.asset.AssetManager": ["dataplatform.nifi.NoAssets"],
        "org.apache.nifi.nar.NarPersistenceProvider": ["dataplatform.nifi.NoNars"],
        PROCESSOR: [f"dataplatform.nifi.{name}" for name in processors],
    }


def test_a_folder_without_processors_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Helper.java").write_text("final class Helper {}", encoding="utf-8")
    with pytest.raises(ValueError, match="no public class"):
        java.services(tmp_path)


def test_the_same_classes_make_the_same_jar(tmp_path: Path) -> None:
    classes = tmp_path / "classes" / "dataplatform"
    classes.mkdir(parents=True)
    for name in ("B.class", "A.class"):
        (classes / name).write_bytes(name.encode())
    java.pack(classes.parent, {PROCESSOR: ["dataplatform.A"]}, tmp_path / "first.jar")
    (classes / "A.class").touch()
    java.pack(classes.parent, {PROCESSOR: ["dataplatform.A"]}, tmp_path / "second.jar")
    assert (tmp_path / "first.jar").read_bytes() == (tmp_path / "second.jar").read_bytes()
    service = java.SERVICES + PROCESSOR
    with zipfile.ZipFile(tmp_path / "first.jar") as jar:
        assert jar.namelist()[1:] == [service, "dataplatform/A.class", "dataplatform/B.class"]
        assert jar.read(service) == b"dataplatform.A\n"


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
    assert {p["type"] for p in ours} == set(java.services(java.SOURCES)[PROCESSOR])
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
    assert poms == {"lib", "standard", "update-attribute", "records", "object-store"}


def test_the_version_is_the_same_everywhere() -> None:
    lines = [line for name in ("lib", "records") for line in (FOLDER / f"{name}.lock").read_text("utf-8").splitlines()]
    nars = [line.split()[0].split(":") for line in lines if ":nar " in line]
    assert {version for _, _, version, _ in nars} == {build_nars.VERSION}
    assert f"version: {build_nars.VERSION}\n" in (FOLDER / "component.yaml").read_text(encoding="utf-8")
    poms = sorted((FOLDER / "image").glob(f"*{lock.POM}"))
    # What our own processors need besides NiFi has versions of its own.
    of_nifi = [pom for pom in poms if pom.name != f"object-store{lock.POM}"]
    assert len(of_nifi) == 4
    for pom in of_nifi:
        assert f"<nifi.version>{build_nars.VERSION}</nifi.version>" in pom.read_text(encoding="utf-8")
