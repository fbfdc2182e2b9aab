"""A branch of the table catalog is made, seen and removed."""

from __future__ import annotations

from data_platform.checks.base import CheckFailed, Deadline, Params, Platform
from data_platform.checks.scratch import left_over, scratch_name
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after

_SOURCE = "main"


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Make a branch of main, see that it is at main's commit, remove it, and remove what killed runs left."""
    del params
    name = scratch_name()
    with connect.nessie(platform, deadline.remaining) as nessie:
        commit = nessie.create_branch(name, _SOURCE)
        with removed_after(lambda: nessie.delete_branch(name, commit), f"the branch {name}", required=True):
            seen = nessie.branches()
        if seen.get(name) != commit:
            raise CheckFailed(f"made {name} at {commit}, saw {seen.get(name)}")
        if name in nessie.branches():
            raise CheckFailed(f"{name} is still there after its removal")
        old = left_over(seen)
        for branch in old:
            nessie.delete_branch(branch, seen[branch])
    cleaned = f"; removed {len(old)} left by earlier runs" if old else ""
    return f"branch {name} of {_SOURCE} made at {commit[:12]}, seen among {len(seen)}, removed{cleaned}"
