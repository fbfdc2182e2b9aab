"""The platform's Python environment: made once for each lock file, shared by checkouts. Standard library only."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootstrap import preflight
from bootstrap.arguments import ROOT
from data_platform.targets.local.cache import cache_folder

_TEST_VERBS = ("test",)


def enter(arguments: argparse.Namespace) -> None:
    """Return when this process runs in the environment that the verb needs; otherwise make it and start again in it.

    Exits with 2 where the machine lacks something.
    """
    lock = ROOT / "locks" / ("test.txt" if arguments.verb in _TEST_VERBS else "platform.txt")
    cache = cache_folder()
    environment = cache / "environments" / f"{lock.stem}-{_digest(lock)}"
    ours = f"{ROOT}:{ROOT / 'plugins'}"
    # An environment that a person has activated is not entered: our packages are not in it.
    if Path(sys.prefix) == environment and os.environ.get("PYTHONPATH") == ours:
        return
    changes = arguments.verb in ("up", "test")
    problems = []
    # Without an environment `doctor` cannot say anything of the components; what stands in its way it says here.
    if changes or (arguments.verb == "doctor" and not environment.exists()):
        problems = preflight.problems(arguments.state, cache, environment.exists())
    if changes:
        problems = preflight.mend(problems)
    if problems:
        preflight.report(problems)
        sys.exit(2)
    uv = _make_uv(cache)
    if not environment.exists():
        print(f"Making the Python environment from {lock.relative_to(ROOT)} (once for each lock file)…", flush=True)
        _make(environment, lock, uv)
    os.environ["DATA_PLATFORM_UV"] = str(uv)
    os.environ["PYTHONPATH"] = ours
    # Where it is set, each command would compile Airflow anew: ten seconds of a core.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    python = environment / "bin" / "python"
    os.execv(python, [str(python), "-m", "bootstrap", *sys.argv[1:]])  # noqa: S606 - no shell wanted


def _digest(*files: Path) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {os.path.realpath(sys.executable)}".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that is about to be made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _make_uv(cache: Path) -> Path:
    """uv, installed by pip at the version and digest of locks/uv.txt."""
    lock = ROOT / "locks" / "uv.txt"
    folder = cache / "tools" / f"uv-{_digest(lock)}"
    with _alone(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            _run([str(folder / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r", str(lock)])
            (folder / "complete").touch()
    _use_pip_settings(folder / "bin" / "pip")
    # A company's own certificate authority is known to the system, not to uv.
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")
    return folder / "bin" / "uv"


def _use_pip_settings(pip: Path) -> None:
    """uv does not read pip.conf; a company's mirror named there must serve it too."""
    if "UV_DEFAULT_INDEX" in os.environ or "UV_INDEX_URL" in os.environ:
        return
    if (url := os.environ.get("PIP_INDEX_URL")) is None:
        configured = [Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"]
        if "PIP_CONFIG_FILE" not in os.environ and not any(path.exists() for path in configured):
            return
        done = subprocess.run(
            [str(pip), "config", "get", "global.index-url"], capture_output=True, text=True, check=False, timeout=60
        )
        url = done.stdout.strip() or None
    if url:
        os.environ["UV_DEFAULT_INDEX"] = url


def _make(environment: Path, lock: Path, uv: Path) -> None:
    with _alone(environment):
        if environment.exists():
            return
        partial = environment.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Relocatable: its scripts find the interpreter beside them, so the folder gets its name when it is whole.
        _run([str(uv), "venv", "--quiet", "--relocatable", "--python", sys.executable, str(partial)])
        python = str(partial / "bin" / "python")
        _run([str(uv), "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)])
        partial.rename(environment)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-20:])
        print(
            f"{Path(command[0]).name} {command[1]} failed:\n{last}\n"
            "  → look at the network and at pip's and uv's index settings, then run it again",
            file=sys.stderr,
        )
        sys.exit(2)
