"""Compile a list of Python files. A program of its own, of the standard library alone: see bytecode.py.

Usage: compiler.py FOLDER OUT PLACE LIST: the files of FOLDER that LIST names, to OUT, as if FOLDER were at PLACE.
"""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path


def main(folder: Path, out: Path, place: str, names: list[str]) -> None:
    """Compile what is Python of this version; templates and examples of other versions are left out."""
    for name in names:
        path = Path(name)
        try:
            py_compile.compile(
                str(folder / path),
                str(out / path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"),
                dfile=f"{place}/{name}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            continue


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]).read_text(encoding="utf-8").splitlines())
