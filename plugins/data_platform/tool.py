"""`python -m data_platform.tool [--writes FOLDER] COMPONENT TOOL [ARGUMENTS…]`: become a component's tool.

A tool can write to folders of its own, and to that one.

The process is replaced, so signals, output and exit code are the tool's own. For programs that want the path of an
executable; code of the platform uses `Target.run_tool`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from data_platform.stack.errors import PlatformError
from data_platform.targets.current import current

#: What a shell says of a command that cannot be started.
_NOT_FOUND = 127
_USAGE = 2


def main(words: Sequence[str]) -> int:
    """Replace this process by the tool; returns an exit code only where that is not possible."""
    writes: list[Path] = []
    if words[:1] == ["--writes"]:
        writes, words = [Path(word).absolute() for word in words[1:2]], words[2:]
    if len(words) < 2:  # noqa: PLR2004 - component and tool
        print("usage: python -m data_platform.tool [--writes FOLDER] COMPONENT TOOL [ARGUMENTS…]", file=sys.stderr)
        return _USAGE
    component, tool, *arguments = words
    try:
        argv, environment = current().tool_command(component, tool, arguments, writes)
    except PlatformError as error:
        print(error, file=sys.stderr)
        return _USAGE
    try:
        os.execve(argv[0], argv, environment)  # noqa: S606 - no shell is what we want
    except OSError as error:
        print(
            f"{component}.{tool}: {argv[0]}: {error.strerror}; "
            f"bring the component up (python3 -m bootstrap up --only {component}) and run it again",
            file=sys.stderr,
        )
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
