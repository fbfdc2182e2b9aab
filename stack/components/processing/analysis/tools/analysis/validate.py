"""`validate`: judge tables by a suite.

The last line of its output is `RESULT {…}`. Exit code 0: no critical rule failed; 1: one did; 2: nothing was judged.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trino.exceptions import TrinoUserError

from analysis.lake import Lake
from analysis.suites import SuiteError, load
from analysis.verdict import UnaskableError, judge, lines

_NOT_JUDGED = 2


def main(words: Sequence[str] | None = None) -> int:
    """Run a suite against a catalog, tell what came of it, and publish the Data Docs if asked to."""
    parser = argparse.ArgumentParser(prog="validate", description="Judge tables by a suite of expectations/.")
    parser.add_argument("--dataset", required=True, help="folder of expectations/")
    parser.add_argument("--suite", required=True, help="file in that folder, without .yaml")
    parser.add_argument("--catalog", required=True, help="Trino's catalog that holds the tables")
    parser.add_argument("--publish", action="store_true", help="put the Data Docs into the bucket reports")
    parser.add_argument(
        "--accepted",
        action="append",
        default=[],
        metavar="FILE",
        help="a rule that only rows of these break is a warning",
    )
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.ERROR)
    try:
        suite = load(arguments.dataset, arguments.suite)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return _NOT_JUDGED

    # Great Expectations takes seconds to import: a wrong argument is answered at once.
    from analysis import docs
    from analysis.gx import Project

    with tempfile.TemporaryDirectory(prefix="validate-") as folder, Lake(arguments.catalog) as lake:
        if missing := [table for table in suite.tables if not lake.columns(table)]:
            print(
                f"the catalog {arguments.catalog} has no table {', '.join(missing)}; "
                f"run the task that writes it, or name another catalog",
                file=sys.stderr,
            )
            return _NOT_JUDGED
        project = Project(Path(folder))
        history = docs.History(suite.dataset, project) if arguments.publish else None
        if history:
            history.fetch()
        results = project.run(suite, arguments.catalog)

        def ask(sql: str) -> list[dict[str, Any]]:
            try:
                return lake.records(sql)
            except TrinoUserError as error:
                raise UnaskableError(error.message) from error

        verdict = judge(results, ask, docs.index_key(suite.dataset), arguments.accepted)
        if history:
            history.publish(verdict)
    print(*lines(verdict), sep="\n")
    print("RESULT", json.dumps(verdict, ensure_ascii=False), flush=True)
    return 0 if verdict["success"] else 1


if __name__ == "__main__":
    sys.exit(main())
