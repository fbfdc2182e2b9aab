"""Names of files as people have them, and as they may lie in a landing folder. Pure."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from data_platform.stack.errors import PlatformError

#: What the flow leaves alone: files that are being written (`TakeFile` and its file filter).
HIDDEN, DRAFT = ".", ".part"
#: Java puts it in the place of bytes that are no UTF-8: such a name could not be told again, and is left alone.
REPLACEMENT = "\ufffd"
#: What file systems take.
_LONGEST = 255
#: Control characters, halves of characters, ends of lines and paragraphs.
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")


def landing_name(file: Path) -> str:
    """Name under which a file lands: without blanks at its ends, and with an accent and its letter as one character.

    Systems differ in how they write accents (Unicode's forms), so that two names look alike and are not.

    Raises:
        PlatformError: the flow would leave it alone, or nobody could write it again.
    """
    told = shown(os.fsencode(file))
    if why := _wrong(file.name):
        raise PlatformError(f"{told} cannot land under its name: {why}", "rename it, or copy it under another name")
    return _tidy(file.name)


def shown(path: bytes) -> str:
    """A path for people and logs: what is no UTF-8, and what a terminal would act upon, as escapes."""
    text = path.decode("utf-8", errors="backslashreplace")
    return "".join(c if unicodedata.category(c) not in _CONTROLS else ascii(c)[1:-1] for c in text)


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())


def _wrong(name: str) -> str:
    tidy = _tidy(name)
    size = len(tidy.encode(errors="surrogateescape"))
    found = {
        "it is not UTF-8": any("\udc80" <= c <= "\udcff" for c in name) or REPLACEMENT in name,
        "it holds control characters or ends of lines": any(unicodedata.category(c) in _CONTROLS for c in name),
        "it is blank": not tidy,
        "it begins with a dot; the flow leaves hidden files alone, which may be half written": tidy.startswith(HIDDEN),
        f"it ends in {DRAFT}; the flow leaves such files alone, which may be half written": tidy.endswith(DRAFT),
        f"it has {size} bytes, and {_LONGEST} are the most": size > _LONGEST,
    }
    return next((why for why, is_so in found.items() if is_so), "")
