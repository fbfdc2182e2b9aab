"""What a command says reaches whoever can read it, and nothing that it does depends on that. Standard library only."""

from __future__ import annotations

import codecs
import io
import locale
import os
import stat
import sys
from typing import TextIO

#: What we say with signs that not every terminal has.
_PLAIN = {"→": "->", "…": "...", "✓": "ok", "✗": "failed", "·": ".", "↻": "again"}
_HANDLER = "data-platform-plain"


def prepare() -> None:
    """Have streams that are never in the way of what is done.

    A sign that the terminal's encoding lacks is written in other signs, and who reads through a pipe may go away
    (`| head`): the exit code is that of the verb. A closed stream leads to nowhere, so that no file that is opened
    later gets its number.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    codecs.register_error(_HANDLER, _plain)
    sys.stdout, sys.stderr = _prepared(sys.stdout), _prepared(sys.stderr)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def _prepared(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper) or isinstance(getattr(stream.buffer, "raw", None), _Outlet):
        return stream
    # In Python's UTF-8 mode, in which we are, the terminal may still have another one.
    spoken = locale.getencoding()
    said = stream.encoding if "PYTHONIOENCODING" in os.environ or _is_unicode(spoken) else spoken
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return stream
    if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
        stream.reconfigure(encoding=said, errors=_HANDLER)
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlet(stream.fileno())),
        encoding=said,
        errors=_HANDLER,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _is_unicode(encoding: str) -> bool:
    # In the locale C Python writes UTF-8 (PEP 540).
    return codecs.lookup(encoding).name in ("utf-8", "ascii")


class _Outlet(io.RawIOBase):
    """The writing end of a pipe. What nobody reads any more is dropped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        content = memoryview(data)  # type: ignore[arg-type]
        try:
            return os.write(self._descriptor, content)
        except BrokenPipeError:
            return content.nbytes
