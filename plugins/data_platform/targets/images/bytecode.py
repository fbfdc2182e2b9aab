"""Compiled Python modules for images, whose files nobody may write at run time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data_platform.clients.commands import run
from data_platform.targets.images import compiler
from data_platform.targets.images.layers import Entry

#: What Python writes depends on what its process compiled before. So the files are dealt out to processes by their
#: number alone, however many cores there are, in a fixed order.
_SHARE_FILES, _SHARES = 200, 8
_SECONDS = 1200.0


def compiled(source: Path, to: str, python: str, scratch: Path) -> Iterator[Entry]:
    """Entries of the compiled modules of all Python files in a folder.

    Python does not compare them with their source, which is as immutable as they are.

    Args:
        source: the folder.
        to: its path in the image.
        python: the interpreter that compiles; its version decides which one can use them.
        scratch: an empty folder, from which the entries are read later.

    Raises:
        PlatformError: the compiler ended badly.
    """
    names = sorted(str(path.relative_to(source)) for path in source.rglob("*.py") if path.is_file())
    shares = min(_SHARES, -(-len(names) // _SHARE_FILES))
    listings, out = scratch / "names", scratch / "modules"
    listings.mkdir()
    out.mkdir()

    def compile_share(index: int) -> None:
        listing = listings / str(index)
        listing.write_text("\n".join(names[index::shares]), encoding="utf-8")
        run(
            [python, "-P", "-s", str(compiler.__file__), str(source), str(out), f"/{to}", str(listing)],
            doing=f"compiling the modules of {source.name}",
            remedy="read the lines above",
            seconds=_SECONDS,
            environment={**os.environ, "PYTHONHASHSEED": "0"},
        )

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_share, range(shares)))
    for path in sorted(out.rglob("*.pyc")):
        yield Entry(f"{to}/{path.relative_to(out)}", "file", path)
