"""The verbs, inside the platform's environment."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_platform.stack.errors import PlatformError
from data_platform.targets.local.disk import disk_of


@dataclass(frozen=True)
class Verb:
    """Where a verb's function is. It is imported when it is called: some modules take seconds."""

    module: str
    name: str

    def load(self) -> Callable[[argparse.Namespace], int]:
        """The function."""
        found: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(self.module), self.name)
        return found

    def __call__(self, arguments: argparse.Namespace) -> int:
        """Do what the arguments say; the exit code."""
        return self.load()(arguments)


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": Verb("bootstrap.up", "up"),
    "status": Verb("bootstrap.report", "status"),
    "check": Verb("bootstrap.report", "check"),
    "forward": Verb("bootstrap.forward", "forward"),
    "logs": Verb("bootstrap.report", "logs"),
    "support": Verb("bootstrap.support.verb", "support"),
    "doctor": Verb("bootstrap.doctor", "doctor"),
    "ingest": Verb("bootstrap.ingest", "ingest"),
    "files": Verb("bootstrap.files", "files"),
    "run": Verb("bootstrap.runs", "run"),
    "rotate": Verb("bootstrap.rotate", "rotate"),
    "down": Verb("bootstrap.up", "down"),
    "proven": Verb("bootstrap.promote", "proven"),
    "diff": Verb("bootstrap.differences", "diff"),
    "cluster": Verb("bootstrap.cluster.lifecycle", "cluster"),
    "cache": Verb("bootstrap.cache", "cache"),
    "images": Verb("bootstrap.images", "images"),
    "test": Verb("bootstrap.testing", "test"),
}

#: Verbs that put things into the per-user cache.
_MAKERS = ("up", "images", "cluster", "test")
#: Errors of the system that a person can mend, and how.
_MENDABLE = {
    errno.ENOSPC: "free some space and run it again; it goes on where it stopped",
    errno.EDQUOT: "free some of your quota and run it again; it goes on where it stopped",
    errno.EACCES: "run it as the owner of that file, or use --state with a folder of your own",
    errno.EPERM: "run it as the owner of that file, or use --state with a folder of your own",
    errno.EROFS: "use --state with a folder that can be written to",
    errno.ENAMETOOLONG: "use --state with a shorter path, or give the file a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run it again",
    errno.ELOOP: "mend that link, which leads to itself",
}


def _remedy(error: OSError) -> str:
    remedy = _MENDABLE[error.errno or 0]
    if error.errno != errno.ENOSPC or not isinstance(error.filename, (str, bytes, os.PathLike)):
        return remedy
    disk, free = disk_of(Path(os.fsdecode(error.filename)))
    return remedy.replace("some space", f"some space on the disk {disk}, which has {free:,} bytes free,")


def _note_uses() -> None:
    """Note in the cache what this checkout needs, before another one may prune it."""
    from bootstrap.uses import note
    from data_platform.targets.local.cache import cache_folder

    # What is wrong with the definition, or the disk, is told by the verb itself.
    with suppress(PlatformError, OSError):
        note(cache_folder())


def run_command(arguments: argparse.Namespace) -> int:
    """Run one verb; mistakes that a person can mend become one message and exit code 2."""
    try:
        if arguments.verb in _MAKERS:
            _note_uses()
        code = _VERBS[arguments.verb](arguments)
        # A disk that is full under what we were to say is a failure too.
        if sys.stdout is not None:
            sys.stdout.flush()
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _MENDABLE:
            raise
        print(f"error: {error.filename or 'a file'}: {error.strerror}\n  → {_remedy(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on where it stopped", file=sys.stderr)
        return 130
    return code
