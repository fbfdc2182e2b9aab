"""The verbs, inside the platform's environment."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable

from bootstrap import doctor, images, ingest, report, runs, testing, up
from bootstrap.cluster import lifecycle
from data_platform.stack.errors import PlatformError

_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": up.up,
    "status": report.status,
    "check": report.check,
    "logs": report.logs,
    "doctor": doctor.doctor,
    "ingest": ingest.ingest,
    "run": runs.run,
    "down": up.down,
    "cluster": lifecycle.cluster,
    "images": images.images,
    "test": testing.test,
}

#: Errors of the system that a person can mend, and how.
_MENDABLE = {
    errno.ENOSPC: "free some space and run it again; it goes on where it stopped",
    errno.EDQUOT: "free some of your quota and run it again; it goes on where it stopped",
    errno.EACCES: "run it as the owner of that file, or use --state with a folder of your own",
    errno.EPERM: "run it as the owner of that file, or use --state with a folder of your own",
    errno.EROFS: "use --state with a folder that can be written to",
}


def run_command(arguments: argparse.Namespace) -> int:
    """Run one verb; mistakes that a person can mend become one message and exit code 2."""
    try:
        return _VERBS[arguments.verb](arguments)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _MENDABLE:
            raise
        print(f"error: {error.filename or 'a file'}: {error.strerror}\n  → {_MENDABLE[error.errno]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on where it stopped", file=sys.stderr)
        return 130
