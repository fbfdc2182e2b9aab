"""`python3 -m bootstrap …`: find or make the platform's environment, then go on inside it."""

import sys

#: The versions for which locks/ names packages, as in pyproject.toml: the first, and the one after the last.
OLDEST_PYTHON, TOO_NEW_PYTHON = (3, 11), (3, 14)

if sys.version_info < OLDEST_PYTHON:  # before any import that an older Python cannot read
    sys.stderr.write(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old; the platform needs "
        f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer.\n"
        "  → install it (Debian 12: apt-get install python3) and run it again with that python3\n"
    )
    sys.exit(2)

if sys.version_info >= TOO_NEW_PYTHON:
    import shutil

    _FIT = [f"python3.{minor}" for minor in range(TOO_NEW_PYTHON[1] - 1, OLDEST_PYTHON[1] - 1, -1)]
    _THERE = next((name for name in _FIT if shutil.which(name)), "")
    sys.stderr.write(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is too new; the platform runs with {', '.join(_FIT)}.\n"
        + (f"  → run: {_THERE} -m bootstrap" if _THERE else "  → install one of them, and run it with that one")
        + "\n"
    )
    sys.exit(2)

from pathlib import Path  # noqa: E402 - the version is checked first

from bootstrap import streams, surroundings  # noqa: E402


def main() -> int:
    """Run the command line; returns the exit code."""
    surroundings.begin(Path(__file__).resolve().parent.parent)
    streams.prepare()
    # After the beginning, for they ask for the user's folders.
    from bootstrap.arguments import parse_arguments
    from bootstrap.environment import enter

    arguments = parse_arguments(sys.argv[1:])
    enter(arguments)
    # From here on this is the platform's own environment.
    from bootstrap.commands import run_command

    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
