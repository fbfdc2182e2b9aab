"""`files`: files of a dataset, and what people decide about them."""

from __future__ import annotations

import argparse
import getpass
import platform
from contextlib import closing
from datetime import UTC, datetime

from bootstrap.arguments import ROOT
from bootstrap.place import open_target
from data_platform import times
from data_platform.datasets import review
from data_platform.stack.datasets import contract
from data_platform.targets.base import Target

_SECONDS = 60.0
#: So much of a digest is shown; it names the file in the other actions.
_SHOWN = 12


def files(arguments: argparse.Namespace) -> int:
    """List the files of a dataset, accept one that broke a rule or a bound, or take one back.

    Raises:
        PlatformError: there is no such dataset or file, or there is nothing to decide about it.
    """
    contract(ROOT, arguments.dataset)
    with closing(open_target(arguments)) as target:
        if arguments.action == "list":
            _list(target, arguments.dataset)
            return 0
        act = review.accept if arguments.action == "accept" else review.take_back
        word = review.Word(f"{getpass.getuser()} on {platform.node()}", arguments.why)
        made = act(target, arguments.dataset, arguments.file, word, _SECONDS)
    print(f"{made.name} ({made.subject[:_SHOWN]}) is {made.reason}")
    print(f"pipelines_{arguments.dataset} starts by itself and audits what that changes.")
    return 0


def _list(target: Target, dataset: str) -> None:
    """Print every file with its digest, when it came and what became of it, the newest last."""
    known = review.known_files(target, dataset, _SECONDS)
    if not known:
        print(f"{dataset} has received no file; put one there: python3 -m bootstrap ingest {dataset} FILE")
        return
    # A line a file, however long: for eyes and for grep.
    width = max(len(one.file.source_file) for one in known)
    now = datetime.now(UTC)
    received = [times.local(one.file.ingested_at, now) for one in known]
    space = max(len(at) for at in received)
    print(f"{'digest':{_SHOWN}}  {'received':{space}}  {'file':{width}}  state")
    for one, at in zip(known, received, strict=True):
        print(f"{one.file.sha256[:_SHOWN]}  {at:{space}}  {one.file.source_file:{width}}  {one.state}")
