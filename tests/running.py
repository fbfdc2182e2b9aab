"""A real platform for the tests: brought up by the command that users run, in a scratch state folder."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from bootstrap.place import connect, open_target
from data_platform.clients.airflow import Airflow
from data_platform.stack.load import DEFAULT_PROFILE, LOCAL, load_stack
from data_platform.targets.base import Target
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
#: A first `up` downloads and builds everything.
UP_SECONDS = 45 * 60
VERB_SECONDS = 15 * 60


@dataclass
class Started:
    """A command that is going on."""

    process: subprocess.Popen[str]  # noqa: TID251 - as in `Running.start`

    def lines(self) -> Iterator[str]:
        """Its output as it comes; printed too, for the case that the test fails."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            print(line, end="")
            yield line


@dataclass
class Running:
    """One platform and the command line that speaks to it."""

    folder: Path
    profile: str = "default"
    #: The checkout whose commands are run.
    root: Path = ROOT

    def bootstrap(
        self, *words: str, seconds: float = VERB_SECONDS, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `python3 -m bootstrap …` with this state folder; fails the test with its output when it fails."""
        started = time.monotonic()
        done = subprocess.run(
            self._command(words),
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        print(f"$ bootstrap {' '.join(words)}  ({time.monotonic() - started:.1f} s, exit {done.returncode})")
        print(done.stdout, done.stderr)
        if check and done.returncode != 0:
            self.collect()
            pytest.fail(f"bootstrap {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    @contextmanager
    def start(self, *words: str) -> Iterator[Started]:
        """Run `python3 -m bootstrap …` beside the test, for faults while it works; awaited at the end of the block."""
        print(f"$ bootstrap {' '.join(words)}")
        with subprocess.Popen(  # noqa: TID251 - the test acts while it runs
            self._command(words),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield Started(process)
            except BaseException:
                process.kill()
                raise

    @property
    def environment(self) -> dict[str, str]:
        """Environment of its commands."""
        return os.environ | {"PYTHONPATH": f"{self.root}:{self.root / 'plugins'}"}

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "bootstrap", words[0], "--state", str(self.folder), *words[1:]]

    def collect(self) -> None:
        """Print the last lines of every log: what one wants to see when a test fails elsewhere."""
        for log in sorted((self.folder / "logs").glob("*.log")):
            print(f"--- {log.name}", *log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:], sep="\n")

    @property
    def target(self) -> Target:
        """The target, read anew, with what the checkout says whose commands are run."""
        state = State(self.folder)
        settings = state.settings()
        if self.root == ROOT or settings.get("target", LOCAL) != LOCAL:
            return open_target(argparse.Namespace(state=self.folder))
        stack = load_stack(self.root, settings.get("profile", DEFAULT_PROFILE), LOCAL, settings.get("capabilities"))
        return LocalTarget(stack, state, settings)

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        found: dict[str, Any] = json.loads(self.bootstrap("status", "--json", check=False).stdout)
        return found

    @contextmanager
    def airflow(self) -> Iterator[Airflow]:
        """A client of its Airflow. On a cluster it goes through a port of the target, which is open as long."""
        with closing(self.target) as target, connect(target) as client:
            yield client

    @property
    def socket(self) -> Path:
        """Of its supervisor."""
        return State(self.folder).socket

    def programs(self) -> dict[str, int]:
        """Process id of every supervised program."""
        from data_platform.clients.supervisor import Supervisor

        return Supervisor(self.socket).pids()

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        pid = int((self.folder / "run" / "supervisord.pid").read_text(encoding="ascii"))
        supervisor = psutil.Process(pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def of_processes(self, look: Callable[[psutil.Process], T]) -> list[T]:
        """What a look finds at each of them; one that ends meanwhile is left out."""
        found = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                found.append(look(process))
        return found


def tried_again(airflow: Airflow, dag: str, run: str) -> dict[str, tuple[str, int]]:
    """Tasks of a run that failed, have not ended or were tried more than once."""
    return {
        task["task_id"]: (task["state"], task["try_number"])
        for task in airflow.tasks(dag, run)
        if task["try_number"] > 1 or task["state"] not in ("success", "skipped")
    }


def end(running: Running) -> None:
    """Stop and remove a platform; nothing of it may be left."""
    before = running.processes()
    running.bootstrap("down", "--purge")
    _, alive = psutil.wait_procs(before, timeout=60)
    assert alive == [], "processes are left after `down`"
    assert not running.folder.exists()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The whole platform of the default profile, up and proven; one for all tests of a session.

    DATA_PLATFORM_TEST_STATE names the state folder of a platform that is kept and used again: for writing tests.
    """
    kept = os.environ.get("DATA_PLATFORM_TEST_STATE")
    running = Running(Path(kept) if kept else tmp_path_factory.mktemp("platform") / "a state")
    running.bootstrap("up", seconds=UP_SECONDS)
    yield running
    if not kept:
        end(running)


@pytest.fixture
def airflow(platform: Running) -> Iterator[Airflow]:
    """A client of the platform's Airflow."""
    with platform.airflow() as client:
        yield client
