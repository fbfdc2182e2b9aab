"""`python3 -m bootstrap …`: find or make the platform's environment, then go on inside it."""

import sys

OLDEST_PYTHON = (3, 11)

if sys.version_info < OLDEST_PYTHON:  # before any import that an older Python cannot read
    sys.stderr.write(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old; the platform needs "
        f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer.\n"
        "  → install it (Debian 12: apt-get install python3) and run it again with that python3\n"
    )
    sys.exit(2)

from bootstrap.arguments import parse_arguments  # noqa: E402 - the version is checked first
from bootstrap.environment import enter  # noqa: E402


def main() -> int:
    """Run the command line; returns the exit code."""
    arguments = parse_arguments(sys.argv[1:])
    enter(arguments)
    # From here on this is the platform's own environment.
    from bootstrap.commands import run_command

    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
