"""The platform's Python environment: made once for each lock file, shared by checkouts. Standard library only."""

from __future__ import annotations

import argparse
import ast
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

from bootstrap import preflight, surroundings
from bootstrap.arguments import ROOT
from data_platform.clients import registries
from data_platform.targets.local.cache import cache_folder

_TEST_VERBS = ("test",)
#: Downloads of some hundred megabytes on a slow line.
_SECONDS = 1800.0


def enter(arguments: argparse.Namespace) -> None:
    """Return when this process runs in the environment that the verb needs; otherwise make it and start again in it.

    Exits with 2 where the machine lacks something.
    """
    lock = ROOT / "locks" / ("test.txt" if arguments.verb in _TEST_VERBS else "platform.txt")
    cache = cache_folder()
    environment = folder_of(cache, lock)
    ours = surroundings.of_platform(ROOT, cache)
    # An environment that a person has activated is not entered: our packages are not in it.
    if Path(sys.prefix) == environment and ours.items() <= os.environ.items():
        return
    changes = arguments.verb in ("up", "test")
    problems = preflight.unreachable(cache)
    made = not problems and _is_whole(environment)
    # Without an environment `doctor` cannot say anything of the components; what stands in its way it says here.
    if changes or (arguments.verb == "doctor" and not made):
        problems = preflight.problems(arguments.state, cache, made)
    if changes:
        problems = preflight.mend(problems)
    if problems:
        preflight.report(problems)
        sys.exit(2)
    uv = _make_uv(cache)
    if not made:
        print(f"Making the Python environment from {lock.relative_to(ROOT)} (once for each lock file)…", flush=True)
        _make(environment, lock, uv)
    os.environ["DATA_PLATFORM_UV"] = str(uv)
    os.environ.update(ours)
    # Where it is set, each command would compile Airflow anew: ten seconds of a core.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    python = environment / "bin" / "python"
    if sys.stdout is not None:
        sys.stdout.flush()
    os.execv(python, [str(python), "-m", "bootstrap", *sys.argv[1:]])  # noqa: S606 - no shell wanted


def folder_of(cache: Path, lock: Path) -> Path:
    """The folder of what a lock file names, for this Python: an environment, or a tool that makes them."""
    return cache / ("tools" if lock.stem == "uv" else "environments") / f"{lock.stem}-{_digest(lock)}"


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


def _is_whole(environment: Path) -> bool:
    """Whether it is there and its interpreter too, which is a link to one that may have been removed."""
    return (environment / "bin" / "python").exists()


def _make_uv(cache: Path) -> Path:
    """uv, installed by pip at the version and digest of locks/uv.txt."""
    lock = ROOT / "locks" / "uv.txt"
    folder = folder_of(cache, lock)
    with _alone(folder):
        uv, python = folder / "bin" / "uv", str(folder / "bin" / "python")
        if not ((folder / "complete").exists() and uv.exists() and _is_whole(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            install = [python, "-I", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)]
            _run("pip install", install, _for_pip(python))
            _require(uv.exists(), "pip install", f"it has put no uv into {folder}")
            (folder / "complete").touch()
    _use_pip_settings(str(folder / "bin" / "python"))
    # A company's own certificate authority is known to the system, not to uv.
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")
    return folder / "bin" / "uv"


def _pip_settings(python: str) -> dict[str, str]:
    """What pip.conf and the environment tell pip of where packages come from, by option."""
    command = [python, "-I", "-m", "pip", "config", "list"]
    environment = registries.for_clients(os.environ)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in found and option.replace("-", "_") in registries.PIP_OPTIONS:
            found[section][option.replace("-", "_")] = str(ast.literal_eval(value))
    # In the order in which they win over each other.
    return {option: value for section in found.values() for option, value in section.items()}


def _for_pip(python: str) -> dict[str, str]:
    """The environment of a pip that installs where we say, whatever pip.conf says of that."""
    settings = {f"PIP_{option.upper()}": value for option, value in _pip_settings(python).items()}
    return {**registries.for_clients(os.environ), **settings, "PIP_CONFIG_FILE": os.devnull}


def _use_pip_settings(python: str) -> None:
    """uv does not read pip.conf; a company's mirror named there must serve it too."""
    if "UV_DEFAULT_INDEX" in os.environ or "UV_INDEX_URL" in os.environ:
        return
    if (url := os.environ.get("PIP_INDEX_URL")) is None:
        home = Path(os.environ.get("HOME") or "/")
        own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        configured = [Path("/etc/pip.conf"), own / "pip" / "pip.conf", home / ".pip" / "pip.conf"]
        if "PIP_CONFIG_FILE" not in os.environ and not any(path.exists() for path in configured):
            return
        url = _pip_settings(python).get("index_url")
    if url:
        os.environ["UV_DEFAULT_INDEX"] = url


def _make(environment: Path, lock: Path, uv: Path) -> None:
    with _alone(environment):
        if _is_whole(environment):
            return
        partial = environment.with_suffix(".partial")
        for old in (partial, environment):
            shutil.rmtree(old, ignore_errors=True)
        clients = registries.for_clients(os.environ)
        # Relocatable: its scripts find the interpreter beside them, so the folder gets its name when it is whole.
        _run(
            "uv venv", [str(uv), "venv", "--quiet", "--relocatable", "--python", sys.executable, str(partial)], clients
        )
        python = str(partial / "bin" / "python")
        sync = [str(uv), "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)]
        _run("uv pip sync", sync, clients)
        there = any(partial.glob("lib/python*/site-packages/*.dist-info"))
        _require(there, "uv pip sync", f"it has put no package into {partial}")
        partial.rename(environment)


def _run(what: str, command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        done = subprocess.CompletedProcess(command, 1, f"not done after {error.timeout:.0f} s")
    _require(done.returncode == 0, what, "\n".join(done.stdout.strip().splitlines()[-20:]))


def _require(fine: bool, what: str, why: str) -> None:
    if not fine:
        print(
            f"{what} failed:\n{why}\n"
            "  → look at the network and at pip's and uv's settings (pip config list, uv.toml), then run it again",
            file=sys.stderr,
        )
        sys.exit(2)
