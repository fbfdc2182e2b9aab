"""What the flow's own processors make of a file.

That the flow leads each file to them, and what it says to where, is in tests/e2e/test_ingest.py.
"""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from tests.integration.nifi.conftest import Java

GOOD = b"Date,USD\n2024-01-02,1.0956\n"
#: As the European Central Bank's eurofxref.zip holds it.
DAILY = b"Date, USD, JPY, \n27 November 2026, 1.0578, 161.31, \n"


def zipped(*members: tuple[str, bytes], system: int = 3) -> bytes:
    """A zip; a name that ends in a slash is a folder."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo("x")
            # The constructor makes slashes of backslashes on some systems, and cuts at a NUL.
            info.filename, info.create_system = name, system
            archive.writestr(info, content)
    return stream.getvalue()


def in_bytes(name: bytes) -> bytes:
    """A zip whose member has a name of these bytes, in no encoding that it says."""
    stand_in = "n" * len(name)
    return zipped((stand_in, GOOD)).replace(stand_in.encode(), name)


def encrypted() -> bytes:
    """A zip that says of its member that it is encrypted."""
    made = bytearray(zipped(("a.csv", GOOD)))
    for at in (made.index(b"PK\x03\x04") + 6, made.rindex(b"PK\x01\x02") + 8):
        made[at] |= 1
    return bytes(made)


_MAC = [("__MACOSX/", b""), ("__MACOSX/._a.csv", b"\x00\x05\x16\x07"), (".DS_Store", b"\x00\x00\x00\x01Bud1")]
#: Members beside the one file, which nobody who made the archive would call a file of it.
ADDED = {
    "a folder": [("data/", b"")],
    "an empty folder with a backslash": [("data\\", b"")],
    "what a Mac adds": _MAC,
    "a Mac's folder of a folder": [("__MACOSX/data/._a.csv", b"x"), ("__MACOSX/data/._.DS_Store", b"x")],
    "a Mac's note beside the file": [("._a.csv", b"x")],
    "what Windows adds": [("Thumbs.db", b"x"), ("desktop.ini", b"x"), ("data/DESKTOP.INI", b"x")],
    "what KDE adds": [(".directory", b"x")],
    "a Mac's folder picture": [("Icon\r", b"")],
}
NAMES = {
    "plain": ("a.csv", "a.csv"),
    "in a folder": ("data/a.csv", "a.csv"),
    "in folders": ("data/2026/a.csv", "a.csv"),
    "in a folder, by a program that writes backslashes": ("data\\a.csv", "a.csv"),
    "from here": ("./a.csv", "a.csv"),
    "in capitals": ("A.CSV", "A.CSV"),
    "with accents": ("données été.csv", "données été.csv"),
}
BYTES = {
    "of code page 437": ("donn\u00e9es.csv".encode("cp437"), "données.csv"),
    "of UTF-8 that nothing says to be": ("données.csv".encode(), "données.csv"),
    "of code page 437, with a folder": ("\u00e9t\u00e9/\u00b1.csv".encode("cp437"), "±.csv"),
}
REFUSED = {
    "two files": (zipped(("a.csv", GOOD), ("b.csv", GOOD)), r"holds 2 members \('a\.csv', 'b\.csv'\)"),
    "two files in folders": (zipped(("x/a.csv", GOOD), ("y/a.csv", GOOD)), r"2 members \('x/a\.csv', 'y/a\.csv'\)"),
    "a file and a text about it": (zipped(("a.csv", GOOD), ("readme.txt", b"x")), r"\('a\.csv', 'readme\.txt'\)"),
    "two files and what a Mac adds": (zipped(("a.csv", GOOD), *_MAC, ("b.csv", GOOD)), r"2 members \('a\.csv', 'b"),
    "nothing": (zipped(), r"holds 0 members; it must hold exactly one"),
    "nothing but what a Mac adds": (zipped(*_MAC), r"holds 0 members; it must hold exactly one"),
    "a folder alone": (zipped(("a.csv/", b"")), r"holds 0 members"),
    "a folder with content": (zipped(("a.csv/", GOOD)), r"'a\.csv/'; it must be a plain file name"),
    "a way up": (zipped(("../a.csv", GOOD)), r"'\.\./a\.csv'; it must be a plain file name"),
    "a way up in the middle": (zipped(("data/../../a.csv", GOOD)), r"must be a plain file name"),
    "a way up with backslashes": (zipped(("..\\a.csv", GOOD)), r"must be a plain file name"),
    "a way up with backslashes, by Windows": (zipped(("..\\a.csv", GOOD), system=0), r"must be a plain file name"),
    "an absolute path": (zipped(("/tmp/a.csv", GOOD)), r"'/tmp/a\.csv'; it must be a plain file name"),
    "an absolute path with backslashes": (zipped(("\\tmp\\a.csv", GOOD)), r"must be a plain file name"),
    "a share": (zipped(("\\\\server\\share\\a.csv", GOOD)), r"must be a plain file name"),
    "a drive": (zipped(("C:\\a.csv", GOOD)), r"must be a plain file name"),
    "a drive without a slash": (zipped(("C:a.csv", GOOD)), r"'C:a\.csv'; it must be a plain file name"),
    "a hidden file": (zipped((".csv", GOOD)), r"'\.csv'; it must be a plain file name"),
    "a line feed": (zipped(("a\nb.csv", GOOD)), r"must be a plain file name"),
    "an archive": (zipped(("a.zip", zipped(("a.csv", GOOD)))), r"'a\.zip' is a zip archive itself; pack the file"),
    "another kind": (zipped(("a.xlsx", GOOD)), r"'a\.xlsx'; its name must end in \.csv"),
    "a secret": (encrypted(), r"'a\.csv' is encrypted"),
    "a name of too many characters": (zipped(("a" * 200 + ".csv", GOOD)), r"204 characters in 204 bytes; the limit"),
    "a name of too many bytes": (zipped(("\u20ac" * 90 + ".csv", GOOD)), r"94 characters in 274 bytes; the limit"),
    "no zip": (GOOD, r"damaged or cut short, or it is no zip archive"),
}  # fmt: skip
TEXTS = {
    "plain": (GOOD, "good"),
    "the bank's file of a day": (DAILY, "good"),
    "a blank before the first column": (b" Date ,USD\n", "good"),
    "a no-break space": ("Date\u00a0,USD\n".encode(), "good"),
    "another first column": (b"Datum, USD\n", "refused: the first column is called 'Datum'; it must be called 'Date'"),
    "tabs": (b"Date\tUSD\n", "refused: the columns are separated by tabs"),
}


def cases() -> dict[str, bytes]:
    """Contents by file name."""
    found = {f"added {case}.zip": zipped(*members, ("a.csv", GOOD)) for case, members in ADDED.items()}
    found |= {f"named {case}.zip": zipped((name, GOOD)) for case, (name, _) in NAMES.items()}
    found |= {f"bytes {case}.zip": in_bytes(name) for case, (name, _) in BYTES.items()}
    found |= {f"refused {case}.zip": content for case, (content, _) in REFUSED.items()}
    found |= {f"text {case}.csv": content for case, (content, _) in TEXTS.items()}
    return found


@pytest.fixture(scope="module")
def said(java: Java, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each case, by its file's name."""
    folder, contents = tmp_path_factory.mktemp("cases"), cases()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return dict(zip(contents, java("Judge", folder, *contents).splitlines(), strict=True))


@pytest.mark.parametrize("case", ADDED)
def test_a_zip_with_what_was_added_unasked_holds_one_file(said: dict[str, str], case: str) -> None:
    assert said[f"added {case}.zip"] == f"good a.csv with {len(GOOD)} bytes"


@pytest.mark.parametrize("case", NAMES)
def test_a_file_in_a_zip_is_called_by_the_last_part_of_its_path(said: dict[str, str], case: str) -> None:
    assert said[f"named {case}.zip"] == f"good {NAMES[case][1]} with {len(GOOD)} bytes"


@pytest.mark.parametrize("case", BYTES)
def test_a_name_in_a_zip_is_read_in_the_encoding_that_it_has(said: dict[str, str], case: str) -> None:
    assert said[f"bytes {case}.zip"] == f"good {BYTES[case][1]} with {len(GOOD)} bytes"


@pytest.mark.parametrize("case", REFUSED)
def test_a_zip_that_is_not_one_file_is_refused_by_name(said: dict[str, str], case: str) -> None:
    assert re.match(rf"refused: .*{REFUSED[case][1]}", said[f"refused {case}.zip"]), said[f"refused {case}.zip"]


@pytest.mark.parametrize("case", TEXTS)
def test_the_first_column_is_known_with_blanks_around_it(said: dict[str, str], case: str) -> None:
    assert said[f"text {case}.csv"].startswith(TEXTS[case][1]), said[f"text {case}.csv"]
