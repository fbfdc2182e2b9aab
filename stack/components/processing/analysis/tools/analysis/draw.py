"""`draw`: make a dataset's page for analysts and put it into the bucket `reports`.

The page comes from `reports/<dataset>/page.py`, function `draw`. The last line is `RESULT {"page": KEY, "bytes": N}`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from analysis.lake import Lake
from analysis.suites import ROOT

_NOT_DRAWN = 2


def main(words: Sequence[str] | None = None) -> int:
    """Draw the page from a catalog's tables, and publish it or write it to a file."""
    parser = argparse.ArgumentParser(prog="draw", description="Draw the page of reports/<dataset>/.")
    parser.add_argument("--dataset", required=True, help="folder of reports/")
    parser.add_argument("--catalog", required=True, help="Trino's catalog that holds the tables")
    parser.add_argument("--output", type=Path, help="write the page to this file and publish nothing")
    arguments = parser.parse_args(words)
    if not (ROOT / "reports" / arguments.dataset / "page.py").is_file():
        there = ", ".join(sorted(p.parent.name for p in (ROOT / "reports").glob("*/page.py")))
        print(
            f"there is no reports/{arguments.dataset}/page.py; there are pages of: {there or 'none'}", file=sys.stderr
        )
        return _NOT_DRAWN
    # By its own path: to look for it in the checkout, the tool would have to list that.
    pages = types.ModuleType("reports")
    pages.__path__ = [str(ROOT / "reports")]
    sys.modules.setdefault("reports", pages)
    page = importlib.import_module(f"reports.{arguments.dataset}.page")
    with Lake(arguments.catalog) as lake:
        content = page.draw(lake).encode()
    key = f"{arguments.dataset}/index.html"
    if arguments.output:
        arguments.output.write_bytes(content)
    else:
        from analysis.store import Reports

        Reports().write(key, content)
    print("RESULT", json.dumps({"page": key, "bytes": len(content)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
