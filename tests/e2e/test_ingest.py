"""Files go through the real flow: each ends in `raw` or, with the right reason, in `quarantine`."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients import s3
from data_platform.datasets import arrivals, flow
from data_platform.datasets.arrivals import Seen
from data_platform.datasets.landing import landing_of
from data_platform.datasets.landing.names import shown
from data_platform.stack.errors import PlatformError
from tests.ingesting import SECONDS, Ingestion, named, sha256, zipped
from tests.running import Running
from tests.unit.datasets.landing.untakeable import untakeable

pytestmark = pytest.mark.timeout(1200)

GOOD = b"Date,USD,XOF,\n2024-01-02,1.0956,655.957,\n2024-01-03,1.0919,655.957,\n"
BOMB = b"Date,USD\n" + b"\n" * 50_000_000


def unzip_twin(data: bytes) -> bytes:
    """A zip whose table of contents says that the member is short."""
    made = bytearray(zipped({"a.csv": data}))
    at = made.rindex(b"PK\x01\x02")
    struct.pack_into("<I", made, at + 24, 10)
    return bytes(made)


def damaged() -> bytes:
    made = bytearray(zipped({"a.csv": GOOD * 20}))
    made[60] ^= 0xFF
    return bytes(made)


def wrong_checksum() -> bytes:
    made = bytearray(zipped({"a.csv": GOOD}))
    made[made.rindex(b"PK\x01\x02") + 16] ^= 0xFF
    return bytes(made)


def crowd() -> bytes:
    """A zip with so many members that their list alone is a danger."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(20_000):
            archive.writestr(zipfile.ZipInfo(f"a-rather-long-name-of-a-member-{number}.csv"), b"")
    return stream.getvalue()


def symlink() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return stream.getvalue()


#: Name in the landing folder, content, name and content in quarantine where they differ, and the reason.
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "empty": ("empty.csv", b"", r"the file is empty"),
    "empty zip": ("empty.zip", b"", r"the file is empty"),
    "byte order mark only": ("bom.csv", b"\xef\xbb\xbf", r"nothing but a byte order mark"),
    "name of another kind": ("rates.xlsx", GOOD, r"ends in neither \.csv nor \.zip"),
    "no suffix": ("rates", GOOD, r"ends in neither \.csv nor \.zip"),
    "zip called csv": ("packed.csv", zipped({"a.csv": GOOD}), r"is a zip archive, but its name does not end in \.zip"),
    "csv called zip": ("plain.zip", GOOD, r"damaged or cut short, or it is no zip archive"),
    "web page called csv": ("page.csv", b"\n<!DOCTYPE html><html></html>", r"is an HTML page"),
    "web page called zip": ("page.zip", b"<html><body>404</body></html>", r"is an HTML page"),
    "truncated zip": ("cut.zip", zipped({"a.csv": GOOD * 50})[:-40], r"damaged or cut short"),
    "damaged zip": ("damaged.zip", damaged(), r"damaged"),
    "wrong checksum": ("checksum.zip", wrong_checksum(), r"checksum or length is wrong"),
    "lying about its length": ("lying.zip", unzip_twin(GOOD), r"checksum or length is wrong"),
    "two members": ("two.zip", zipped({"a.csv": GOOD, "b.csv": GOOD}), r"holds 2 members \('a\.csv', 'b\.csv'\)"),
    "no member": ("none.zip", zipped({}), r"holds 0 members"),
    "a crowd of members": ("crowd.zip", crowd(), r"too many members"),
    "bomb": ("bomb.zip", zipped({"a.csv": BOMB}), r"more than 100 times its size"),
    "path traversal": ("up.zip", zipped({"../../a.csv": GOOD}), r"'\.\./\.\./a\.csv'; it must be a plain file name"),
    "absolute path": ("root.zip", zipped({"/tmp/a.csv": GOOD}), r"'/tmp/a\.csv'; it must be a plain file name"),
    "backslash": ("back.zip", zipped({"..\\a.csv": GOOD}), r"must be a plain file name"),
    "hidden": ("hidden.zip", zipped({".csv": GOOD}), r"'\.csv'; it must be a plain file name"),
    "drive": ("drive.zip", zipped({"C:a.csv": GOOD}), r"'C:a\.csv'; it must be a plain file name"),
    "folder with content": ("folder.zip", zipped({"a.csv/": GOOD}), r"'a\.csv/'; it must be a plain file name"),
    "archive in an archive": ("nested.zip", zipped({"a.zip": zipped({"a.csv": GOOD})}), r"'a\.zip' is a zip archive"),
    "two members and what a Mac adds": (
        "two of a mac.zip",
        zipped({"a.csv": GOOD, "__MACOSX/._a.csv": b"x", "b.csv": GOOD}),
        r"holds 2 members \('a\.csv'",
    ),
    "nothing but what a Mac adds": ("mac.zip", zipped({".DS_Store": b"x", "__MACOSX/": b""}), r"holds 0 members"),
    "symbolic link": ("link.zip", symlink(), r"'a\.csv' is a symbolic link"),
    "member of another kind": ("exe.zip", zipped({"a.exe": GOOD}), r"'a\.exe'; its name must end in \.csv"),
    "latin-1": ("latin.csv", GOOD + "2024-01-04,1,é\n".encode("latin-1"), r"line 4 is not UTF-8"),
    "utf-16": ("utf16.csv", GOOD.decode().encode("utf-16"), r"UTF-16"),
    "cut in a character": ("cutchar.csv", GOOD + "é".encode()[:1], r"line 4 is not UTF-8"),
    "late in a long file": ("late.csv", GOOD + b"2024-01-02,1\n" * 20_000 + b"\xff\n", r"line 20004 is not UTF-8"),
    "nul": ("nul.csv", GOOD + b"2024\x00,1\n", r"line 4 holds a NUL"),
    "semicolons": ("semi.csv", GOOD.replace(b",", b";"), r"separated by semicolons; they must be separated by commas"),
    "tabs": ("tabs.csv", GOOD.replace(b",", b"\t"), r"separated by tabs"),
    "one column": ("one.csv", b"Date\n2024-01-02\n", r"one column only"),
    "renamed column": ("datum.csv", GOOD.replace(b"Date", b"Datum"), r"called 'Datum'; it must be called 'Date'"),
    "no column": ("nodate.csv", b"USD,XOF\n1,2\n", r"called 'USD'; it must be called 'Date'"),
    "name that looks like json": ('a "quoted" \\ $1 ${x} name.csv', b"?", r"called '\?'"),
}  # fmt: skip

ACCEPTED: dict[str, tuple[str, bytes]] = {
    "plain": ("plain.csv", GOOD),
    "byte order mark": ("with bom.csv", b"\xef\xbb\xbf" + GOOD + b"#bom\n"),
    "carriage returns": ("crlf.csv", GOOD.replace(b"\n", b"\r\n")),
    "spaces and accents": ("Taux été - côté 100% + «été».csv", GOOD + b"2024-01-05,1,1,\n"),
    "capitals": ("SHOUT.CSV", GOOD + b"2024-01-06,1,1,\n"),
    "no line end": ("noend.csv", GOOD.rstrip(b"\n") + b"#"),
    "header only, for the load to judge": ("header.csv", b"Date,USD,\n"),
}
#: Names and contents of all of them.
LANDED = [*((name, content) for name, content, _ in REFUSED.values()), *ACCEPTED.values()]
ZIPPED = GOOD + b"2024-01-08,1,1,\n"
#: Zips that hold one file for who made them, by their name: the members, and what the file is then called.
ONE_FILE: dict[str, tuple[dict[str, bytes], str]] = {
    "of a mac.zip": (
        {
            "rates/": b"",
            "rates/a.csv": GOOD + b"2024-01-09,1,1,\n",
            "rates/.DS_Store": b"x",
            "__MACOSX/": b"",
            "__MACOSX/rates/._a.csv": b"x",
        },
        "a.csv",
    ),
    "of windows.zip": ({"rates\\b.csv": GOOD + b"2024-01-10,1,1,\n", "Thumbs.db": b"x", "desktop.ini": b"x"}, "b.csv"),
    "eurofxref.zip": ({"eurofxref.csv": b"Date, USD, JPY, \n27 November 2026, 1.0578, 161.31, \n"}, "eurofxref.csv"),
}


@pytest.fixture(scope="module")
def ingestion(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingestion]:
    """A dataset of its own with the very definition of fx_rates."""
    made = Ingestion(platform, tmp_path_factory.mktemp("checkout"), "ingest_test")
    made.write(maximum__size="230 MB")
    made.deploy()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def all_landed(ingestion: Ingestion) -> Ingestion:
    """All small cases put into the landing folder at once, and taken in."""
    for name, content in LANDED:
        ingestion.land(name, content)
    ingestion.land("Été 2024.zip", zipped({"données.csv": ZIPPED}))
    for name, (members, _) in ONE_FILE.items():
        ingestion.land(name, zipped(members))
    ingestion.landed()
    return ingestion


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_quarantined_with_its_reason(all_landed: Ingestion, case: str) -> None:
    name, content, reason = REFUSED[case]
    found = all_landed.refused(name, content)
    assert re.search(reason, found["reason"]), found["reason"]
    assert found["dataset"] == all_landed.dataset
    assert (found["source_file"], found["sha256"], found["bytes"]) == (name, sha256(content), len(content))
    datetime.strptime(found["quarantined_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_can_be_read_is_stored_as_it_was_received(all_landed: Ingestion, case: str) -> None:
    from urllib.parse import unquote

    name, content = ACCEPTED[case]
    found = all_landed.raw_metadata(content)
    assert unquote(found["source-file"], errors="strict") == name
    taken = datetime.strptime(found["ingested-at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert re.fullmatch(r".*\.\d{3}Z", found["ingested-at"])
    assert abs((datetime.now(UTC) - taken).total_seconds()) < 3600


def test_a_zip_is_stored_as_its_member(all_landed: Ingestion) -> None:
    from urllib.parse import unquote

    assert unquote(all_landed.raw_metadata(ZIPPED)["source-file"]) == "Été 2024.zip/données.csv"


@pytest.mark.parametrize("archive", ONE_FILE)
def test_what_was_packed_unasked_beside_a_file_does_not_count(all_landed: Ingestion, archive: str) -> None:
    members, name = ONE_FILE[archive]
    (content,) = [content for path, content in members.items() if re.split(r"[/\\]", path)[-1] == name]
    assert all_landed.raw_metadata(content)["source-file"].replace("%20", " ") == f"{archive}/{name}"


def test_every_file_leaves_an_arrival_with_its_time_and_digest(all_landed: Ingestion) -> None:
    contents = [ZIPPED, *(content for _, content in LANDED)]
    found = [name.partition("-") for name in all_landed.arrivals()]
    assert {sha256(content)[:16] for content in contents} <= {digest for *_, digest in found}
    for at, *_ in found:
        put = datetime.strptime(at, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - put).total_seconds()) < 3600


def test_a_watcher_finds_a_file_that_was_stored_and_one_that_was_refused(all_landed: Ingestion) -> None:
    def look(before: Seen | None = None) -> Seen:
        return arrivals.look(all_landed.target, all_landed.dataset, before, datetime.now(UTC), 10)

    seen, told = look(), set(all_landed.arrivals().values())
    assert (seen.new, look(seen).new) == (1, 0)
    good, bad = GOOD + b"2024-07-01,1,1,\n", b"watched"
    all_landed.land("watched.csv", good)
    all_landed.land("watched badly.csv", bad)
    all_landed.landed()
    assert look(seen).new == 2
    assert set(all_landed.arrivals().values()) - told == {
        f"raw/ingest_test/{sha256(good)}.csv",
        f"quarantine/ingest_test/{sha256(bad)}/watched%20badly.csv.reason.json",
    }


def test_nothing_else_is_in_raw(all_landed: Ingestion) -> None:
    assert {sha256(content) for _, content in ACCEPTED.values()} | {sha256(ZIPPED)} <= all_landed.raw()
    assert not {sha256(content) for _, content, _ in REFUSED.values()} & all_landed.raw() - {sha256(GOOD)}


def test_a_refused_member_is_quarantined_under_both_names(ingestion: Ingestion) -> None:
    ingestion.land("outer.zip", zipped({"inner.csv": b"wrong"}))
    ingestion.landed()
    assert ingestion.refused("outer.zip/inner.csv", b"wrong")["source_file"] == "outer.zip/inner.csv"


def test_a_very_long_name_still_finds_its_place_in_quarantine(ingestion: Ingestion) -> None:
    name = "é" * 120 + ".csv"
    ingestion.land(name, b"long")
    ingestion.landed()
    found = ingestion.store.list_objects("quarantine", prefix=f"ingest_test/{sha256(b'long')}/", recursive=True)
    keys = [item.object_name for item in found]
    assert len(keys) == 2
    assert max(len(key.rpartition("/")[2]) for key in keys) <= 255
    (reason,) = [key for key in keys if key.endswith(".reason.json")]
    assert reason.removesuffix(".reason.json") in keys
    told = s3.read(ingestion.store, "quarantine", reason)
    assert told is not None
    assert json.loads(told)["source_file"] == name


def test_the_first_arrival_of_a_content_wins(ingestion: Ingestion) -> None:
    content = GOOD + b"2024-02-01,1,1,\n"
    ingestion.land("first.csv", content)
    ingestion.landed()
    before = ingestion.raw_metadata(content)
    ingestion.land("second.csv", content)
    ingestion.landed()
    assert ingestion.raw_metadata(content) == before
    assert before["source-file"] == "first.csv"
    versions = ingestion.store.list_objects("raw", f"ingest_test/{sha256(content)}.csv", include_version=True)
    assert len(list(versions)) == 1


@pytest.mark.deep
def test_200_megabytes_are_stored(ingestion: Ingestion) -> None:
    line = b"2024-01-02," + b",".join(b"%d.%04d" % (n, n * 7) for n in range(1, 30)) + b"\n"
    content = b"Date," + b",".join(b"A" + bytes([65 + n // 26, 65 + n % 26]) for n in range(29)) + b"\n"
    content += line * (200_000_000 // len(line))
    ingestion.land("big.csv", content)
    ingestion.landed(120)
    assert ingestion.store.stat_object("raw", f"ingest_test/{sha256(content)}.csv").size == len(content)


@pytest.mark.deep
def test_what_is_larger_than_the_limit_is_refused(platform: Running, tmp_path: Path) -> None:
    small = Ingestion(platform, tmp_path, "ingest_test_small")
    small.write(maximum__size="1 MB", maximum__ratio="1000000")
    content = GOOD + b"2024-01-02,1,1,\n" * 100_000
    try:
        small.deploy()
        small.land("large.csv", content)
        small.land("large.zip", zipped({"large.csv": content}))
        small.landed()
        assert "the file has 2 MB; the limit is 1 MB" in small.refused("large.csv", content)["reason"]
        packed = zipped({"large.csv": content})
        assert "unpacks to more than 1 MB" in small.refused("large.zip", packed)["reason"]
        assert small.raw() == set()
    finally:
        small.remove()


@pytest.mark.deep
def test_a_file_that_is_still_being_written_is_taken_once_and_whole(ingestion: Ingestion) -> None:
    landing = Path(landing_of(ingestion.target).made(ingestion.dataset))
    beside = GOOD + b"2024-03-31,1,1,\n"

    def others_are_taken() -> None:
        assert sha256(beside) in ingestion.raw()

    hidden = landing / ".growing.csv"
    with hidden.open("wb", buffering=0) as stream:
        stream.write(b"Date,USD,XOF,\n2024-03-01,1,1,\n")
        # Written just now, for as long as this lasts: on a slow machine two writes are further apart than it may rest.
        later = time.time() + 3600
        os.utime(stream.fileno(), (later, later))
        hidden.rename(landing / "growing.csv")
        ingestion.land("beside.csv", beside)
        Deadline(SECONDS).retry(others_are_taken, on=AssertionError)
        stream.write(b"2024-03-02,1,1,\n")
    ingestion.landed()
    whole = b"Date,USD,XOF,\n2024-03-01,1,1,\n2024-03-02,1,1,\n"
    assert ingestion.raw_metadata(whole)["source-file"] == "growing.csv"


def test_drafts_and_hidden_files_are_left_alone(ingestion: Ingestion) -> None:
    landing = Path(landing_of(ingestion.target).made(ingestion.dataset))
    drafts = [landing / ".hidden.csv", landing / "draft.csv.part", landing / ".both.csv.part"]
    for draft in drafts:
        draft.write_bytes(GOOD + b"2024-04-01,1,1,\n")
    ingestion.land("beside.csv", GOOD + b"2024-04-02,1,1,\n")
    ingestion.landed()
    assert [draft.exists() for draft in drafts] == [True, True, True]
    assert sha256(GOOD + b"2024-04-01,1,1,\n") not in ingestion.raw()
    for draft in drafts:
        draft.unlink()


def test_what_the_flow_never_takes_is_named_and_set_aside_and_stops_no_other(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(landing_of(ingestion.target).made(ingestion.dataset))
    wanted = untakeable(folder)
    good = GOOD + b"2024-04-03,1,1,\n"
    ingestion.land("beside what is never taken.csv", good)
    told = flow.await_landed(ingestion.target, ingestion.dataset, Deadline(SECONDS)).splitlines()
    assert sha256(good) in ingestion.raw()
    assert sorted(line.partition(":")[0] for line in told) == ["not taken"] * len(wanted)
    for name, why in wanted.items():
        assert any(shown(name) in line and why in line for line in told)
    # NiFi has looked many times since and has taken none, as the platform says.
    assert {os.fsencode(path.name) for path in folder.iterdir()} == set(wanted)
    monkeypatch.setattr("data_platform.datasets.landing.lying._RESTS_SECONDS", 0.0)
    told = flow.await_landed(ingestion.target, ingestion.dataset, Deadline(SECONDS)).splitlines()
    assert [line.startswith(f"set aside as {folder}.set-aside/") for line in told] == [True] * len(wanted)
    assert list(folder.iterdir()) == []
    assert {os.fsencode(path.name) for path in Path(f"{folder}.set-aside").glob("*/*")} == set(wanted)
    assert flow.await_landed(ingestion.target, ingestion.dataset, Deadline(SECONDS)) == ""


def test_a_file_from_the_future_that_is_landed_again_is_taken(ingestion: Ingestion) -> None:
    """As the message says; `ingest` gives it the time at which it came."""
    content, file = GOOD + b"2024-04-04,1,1,\n", ingestion.folder / "from the future.csv"
    file.write_bytes(content)
    os.utime(file, (time.time() + 7200,) * 2)
    landing_of(ingestion.target).place(ingestion.dataset, file)
    ingestion.landed()
    assert sha256(content) in ingestion.raw()


def test_a_name_of_250_bytes_goes_all_the_way(ingestion: Ingestion) -> None:
    content, file = GOOD + b"2024-04-05,1,1,\n", ingestion.folder / ("\u00e9" * 123 + ".csv")
    file.write_bytes(content)
    landing_of(ingestion.target).place(ingestion.dataset, file)
    member = "\u20ac" * 80 + ".csv"
    ingestion.land("\u20ac" * 83 + ".zip", zipped({member: GOOD + b"2024-04-06,1,1,\n"}))
    ingestion.landed()
    assert {sha256(content), sha256(GOOD + b"2024-04-06,1,1,\n")} <= ingestion.raw()


def test_files_that_cannot_go_on_are_named_with_the_complaints_of_nifi(ingestion: Ingestion) -> None:
    ingestion.run("Take landed files", "STOPPED")
    ingestion.land("stays here.csv", GOOD)
    with pytest.raises(PlatformError, match=r"in the landing folder: stays here\.csv"):
        ingestion.landed(1)
    assert ingestion.deploy() == "flow ingest_test: started"
    ingestion.landed()


@pytest.mark.deep
def test_what_cannot_be_delivered_is_kept_and_can_be_landed_again(platform: Running, tmp_path: Path) -> None:
    dead = Ingestion(platform, tmp_path, "ingest_test_dead")

    def give_up_soon(contents: dict[str, Any]) -> None:
        put = named(contents, "Put into raw")
        put["retryCount"], put["properties"]["Bucket"] = 1, "no-such-bucket"

    try:
        dead.write(give_up_soon)
        dead.deploy()
        dead.land("été 1.csv", GOOD)
        dead.landed()
        assert dead.raw() == set()
        landing = Path(landing_of(dead.target).made(dead.dataset))
        [letter] = landing.with_name(f"{landing.name}.dead-letters").glob("*/*")
        assert (letter.name, letter.read_bytes()) == ("été 1.csv", GOOD)
        dead.write()
        assert "upgraded" in dead.deploy()
        letter.rename(landing / letter.name)
        dead.landed()
        assert dead.raw() == {sha256(GOOD)}
    finally:
        dead.remove()


# --- upgrades ---------------------------------------------------------------------------------------------------------


def test_deploying_again_changes_nothing(ingestion: Ingestion) -> None:
    for _ in range(2):
        assert ingestion.deploy() == "flow ingest_test: unchanged"


def wait_for(ingestion: Ingestion, destination: str, count: int) -> None:
    def look() -> None:
        assert ingestion.held(destination) == count

    Deadline(SECONDS).retry(look, on=AssertionError)


def hold(ingestion: Ingestion, seed: str, count: int = 5) -> set[str]:
    """Files that wait before the put, which is stopped; returns their digests."""
    ingestion.run("Put into raw", "STOPPED")
    contents = [GOOD + f"{seed},{number},1,\n".encode() for number in range(count)]
    for number, content in enumerate(contents):
        ingestion.land(f"{seed} {number}.csv", content)
    wait_for(ingestion, "Put into raw", count)
    return {sha256(content) for content in contents}


def test_an_upgrade_keeps_what_is_queued(ingestion: Ingestion) -> None:
    wanted = hold(ingestion, "upgrade")

    def change(contents: dict[str, Any]) -> None:
        named(contents, "Put into raw")["penaltyDuration"] = "2 sec"

    ingestion.write(change, maximum__size="230 MB")
    assert "upgraded: its definition changed" in ingestion.deploy()
    ingestion.landed()
    assert wanted <= ingestion.raw()
    assert ingestion.deploy() == "flow ingest_test: unchanged"


def test_an_upgrade_that_would_lose_what_is_queued_is_refused(ingestion: Ingestion) -> None:
    wanted = hold(ingestion, "refused upgrade")

    def change(contents: dict[str, Any]) -> None:
        (held,) = [c for c in contents["connections"] if c["destination"]["name"] == "Put into raw"]
        held["identifier"] = "00000000-0000-4000-8000-000000000000"

    ingestion.write(change, maximum__size="230 MB")
    with pytest.raises(PlatformError, match="no place for flow files that wait: 5 from 'Digest the content'"):
        ingestion.deploy()
    ingestion.run("Put into raw", "RUNNING")
    ingestion.landed()
    assert wanted <= ingestion.raw()
    assert "upgraded" in ingestion.deploy()
    ingestion.write(maximum__size="230 MB")
    assert "upgraded" in ingestion.deploy()


def test_a_change_by_hand_is_taken_back(ingestion: Ingestion) -> None:
    with ingestion.nifi() as (nifi, group):
        (processor,) = [p for p in nifi.status(group.id).processors if p.name == "Check the text"]
        nifi.run(processor.id, "STOPPED")
        found = nifi._json("GET", f"/processors/{processor.id}")
        change = {"id": processor.id, "config": {"properties": {"First Column": "Nonsense"}}}
        nifi._json("PUT", f"/processors/{processor.id}", {"revision": found["revision"], "component": change})
    assert ingestion.deploy() == "flow ingest_test: upgraded: it was changed by hand in NiFi"
    ingestion.land("after.csv", GOOD + b"2024-05-01,1,1,\n")
    ingestion.landed()
    assert sha256(GOOD + b"2024-05-01,1,1,\n") in ingestion.raw()


def test_changed_parameters_are_set(ingestion: Ingestion) -> None:
    ingestion.write(maximum__size="230 MB", first__column="Datum")
    assert ingestion.deploy() == "flow ingest_test: parameters set: first.column"
    content = GOOD.replace(b"Date", b"Datum") + b"2024-06-01,1,1,\n"
    ingestion.land("datum again.csv", content)
    ingestion.landed()
    assert sha256(content) in ingestion.raw()
    ingestion.write(maximum__size="230 MB")
    assert ingestion.deploy() == "flow ingest_test: parameters set: first.column"


# --- the switch -------------------------------------------------------------------------------------------------------


class Source(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, and the last one for ever."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = list(answers), 0

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/daily/rates.zip"


class Handler(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self) -> None:
        self.server.asked += 1
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def fetching(platform: Running, tmp_path: Path) -> Iterator[Ingestion]:
    """A dataset that is asked for once a second, and again a second after a failure."""
    made = Ingestion(platform, tmp_path, "ingest_test_fetch")
    yield made
    made.remove()


def write_fetching(ingestion: Ingestion, source: Source, schedule: str = "* * * * * ?") -> None:
    def soon(contents: dict[str, Any]) -> None:
        named(contents, "Fetch: try again later")["penaltyDuration"] = "1 sec"

    ingestion.write(soon, fetch__url=source.url, fetch__schedule=schedule)


def test_the_address_is_not_asked_unless_fetching_is_on(fetching: Ingestion) -> None:
    with Source((200, zipped({"a.csv": GOOD}))) as source:
        write_fetching(fetching, source)
        fetching.deploy()
        fetching.land("a file.csv", GOOD)
        fetching.landed()
        assert source.asked == 0
        assert not flow.flow_state(fetching.target, fetching.dataset, Deadline(SECONDS)).fetch


@pytest.mark.deep
def test_what_is_fetched_goes_the_same_way_after_failures(fetching: Ingestion) -> None:
    with Source((500, b"<html>busy</html>"), (404, b"<html>gone</html>"), (200, zipped({"a.csv": GOOD}))) as source:
        write_fetching(fetching, source)
        assert fetching.deploy(fetch=True) == "flow ingest_test_fetch: created and started"

        def look() -> None:
            assert fetching.raw() == {sha256(GOOD)}

        Deadline(SECONDS).retry(look, on=AssertionError)
        assert fetching.raw_metadata(GOOD)["source-file"] == "rates.zip/a.csv"
        told = "\n".join(fetching.bulletins())
        assert f"{source.url} gave no file (500" in told
        assert f"{source.url} gave no file (404" in told
        assert fetching.deploy() == "flow ingest_test_fetch: fetching switched off"
        assert fetching.deploy() == "flow ingest_test_fetch: unchanged"
        # The error pages went nowhere.
        found = fetching.store.list_objects("quarantine", prefix="ingest_test_fetch/", recursive=True)
        assert list(found) == []


@pytest.mark.deep
def test_a_page_where_data_should_be_is_refused(fetching: Ingestion) -> None:
    page = b"<!DOCTYPE html><html>We are sorry</html>"
    with Source((200, page)) as source:
        write_fetching(fetching, source)
        fetching.deploy(fetch=True)

        def look() -> None:
            assert "HTML page" in fetching.refused("rates.zip", page)["reason"]

        Deadline(SECONDS).retry(look, on=AssertionError)
        assert fetching.raw() == set()
        fetching.deploy(fetch=False)


@pytest.mark.deep
def test_a_server_that_is_away_does_not_hold_up_the_files(fetching: Ingestion) -> None:
    with Source((200, b"")) as source:
        write_fetching(fetching, source)
    fetching.deploy(fetch=True)

    def look() -> None:
        assert any("gave no file" in line for line in fetching.bulletins())

    Deadline(SECONDS).retry(look, on=AssertionError)
    fetching.land("a file.csv", GOOD)
    fetching.landed()
    assert fetching.raw() == {sha256(GOOD)}
