"""`cluster up` when its programs are there: seconds of each phase, CPU, memory, and `down`.

python3 -m bootstrap cluster up --state /tmp/bench   # as root; builds what is missing
python3 -m bootstrap cluster down --state /tmp/bench
python benchmarks/cluster.py [RUNS]                  # with the platform's Python
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bootstrap.arguments import ROOT
from bootstrap.cluster import cgroups, machine, report
from bootstrap.cluster.layout import Layout

_PHASE = re.compile(r"^\s*[\d.]+ s  (\w[\w ]*?)  (?:ready after )?([\d.]+) s", re.MULTILINE)
_TICKS = 100


def bootstrap(state: Path, *words: str) -> tuple[float, str]:
    """Seconds and output of a command."""
    started = time.monotonic()
    command = [sys.executable, "-m", "bootstrap", "cluster", "--state", str(state), *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=3600)
    return time.monotonic() - started, done.stdout


def cpu_seconds(pids: set[int]) -> float:
    """CPU that processes have used."""
    found = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        found += int(fields[11]) + int(fields[12])
    return found / _TICKS


def measure(state: Path, level: str) -> None:
    """One cluster, up and down."""
    whole, said = bootstrap(state, "--level", level, "up")
    phases = ", ".join(f"{name} {seconds}" for name, seconds in _PHASE.findall(said))
    record = machine.read(Layout(state))
    if record is None:
        sys.exit("the cluster left no record")
    pids = cgroups.processes(record.group)
    cpu, memory = cpu_seconds(pids), sum(report.pss_mib(pid) for pid in pids)
    again, _ = bootstrap(state, "--level", level, "up")
    down, _ = bootstrap(state, "down")
    print(
        f"{level}: {whole:.1f} s ({phases}); CPU {cpu:.1f} s; PSS {memory} MiB; again {again:.1f} s; down {down:.1f} s"
    )


def main() -> None:
    """All runs of both levels."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
            for level in ("api", "full"):
                try:
                    measure(Path(folder) / "state", level)
                finally:
                    bootstrap(Path(folder) / "state", "down")


if __name__ == "__main__":
    main()
