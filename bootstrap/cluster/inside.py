"""Make the new namespaces a node, then become the supervisor of its servers.

Run as `unshare --mount --net --propagation slave python -I inside.py FILE`. Standard library only. All that is done
here ends with the last process inside: nothing of it is seen by the machine, and nothing is left of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

_SECONDS = 30


class Plan(TypedDict):
    """What is to be done."""

    entrance: str
    temporary: list[str]
    binds: list[tuple[str, str]]
    link: str
    address: str
    services: str
    settings: dict[str, str]
    fixed: dict[str, str]
    fixed_folder: str
    command: list[str]


def _run(*words: str, text: str | None = None) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True, input=text, timeout=_SECONDS)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")


def _mount(plan: Plan) -> None:
    # Slave of the machine: what is mounted there is seen here, what is mounted here is not seen there. Shared among
    # ourselves, for volumes that a container mounts for others.
    _run("mount", "--make-rshared", "/")
    for path in plan["temporary"]:
        _run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path)
    for source, path in plan["binds"]:
        _run("mount", "--bind", source, path)
    for name, value in plan["fixed"].items():
        # The kubelet sets kernel settings of the whole machine, unless they are as it wants them. It sees them so.
        setting = Path("/proc/sys", name)
        if setting.read_text(encoding="ascii").strip() != value:
            instead = Path(plan["fixed_folder"], name.replace("/", "."))
            instead.write_text(value + "\n", encoding="ascii")
            _run("mount", "--bind", str(instead), str(setting))


def _connect(plan: Plan) -> None:
    node = plan["address"].partition("/")[0]
    # The parent process is outside; its end of the link is the machine's.
    commands = (
        f"link add eth0 type veth peer name {plan['link']} netns {os.getppid()}",
        f"address add {plan['address']} dev eth0",
        "link set eth0 up",
        "link set lo up",
        # A packet needs a route before the address of a service is translated. There is no default route: who asks
        # for an address outside hears at once that there is no way.
        f"route add {plan['services']} dev lo src {node}",
    )
    _run("ip", "-batch", "-", text="\n".join(commands) + "\n")
    for name, value in plan["settings"].items():
        Path("/proc/sys", name).write_text(value, encoding="ascii")


def main(path: Path) -> None:
    """Do what the plan says."""
    plan: Plan = json.loads(path.read_text(encoding="utf-8"))
    Path(plan["entrance"]).write_text(str(os.getpid()), encoding="ascii")
    _mount(plan)
    _connect(plan)
    os.execv(plan["command"][0], plan["command"])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(Path(sys.argv[1]))
