"""The verbs, inside the platform's environment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bootstrap import doctor, ingest, report, runs, testing, up
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
    "test": testing.test,
}


def run_command(arguments: argparse.Namespace) -> int:
    """Run one verb; mistakes that a person can mend become one message and exit code 2."""
    try:
        return _VERBS[arguments.verb](arguments)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on where it stopped", file=sys.stderr)
        return 130
