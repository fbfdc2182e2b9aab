"""Downloads and builds that later rooms of tests want, made beside the rooms that use one core.

`python -m bootstrap.ahead ROOM…`. What fails here is tried again, and reported, by the room that needs it.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bootstrap.cluster.binaries import programs
from bootstrap.place import make_target
from data_platform.lifecycle import observe
from data_platform.targets.local.cache import cache_folder

_CLUSTER, _PLATFORM = {"docs", "render", "cluster"}, {"e2e", "drills"}


def prepare(rooms: set[str]) -> None:
    """Fill the per-user cache with what these rooms need.

    Args:
        rooms: names of rooms of tests.

    Raises:
        PlatformError: something is not to be had, or does not compile.
    """
    cache = cache_folder()
    if rooms & _CLUSTER:
        programs(cache).fetch(cache)
    if rooms & _PLATFORM:
        with tempfile.TemporaryDirectory() as scratch, closing(make_target(Path(scratch), {})) as target:
            for name in target.stack.components:
                steps = [step for step in observe(target, name).steps if step.kind == "artifact"]
                target.fetch(name, steps)


if __name__ == "__main__":
    prepare(set(sys.argv[1:]))
