"""Every secret is where it was declared to be and nowhere else: looked for by value, from outside, in every process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from data_platform.stack.stack import Stack
from data_platform.targets.local import confine
from tests.running import Running
from tests.secret_values import given, secrets_of, told

pytestmark = pytest.mark.timeout(1800)

#: Reads what it can of these files, and names the secrets whose value it found, with one file each. Told on its
#: standard input, so that no argument list and no environment holds what is looked for; by path, for what may not be
#: listed may be read all the same.
_PROBE = """
import json, sys
asked = json.load(sys.stdin)
secrets = {name: value.encode() for name, value in asked["secrets"].items()}
found, seen = {}, 0
for path in asked["files"]:
    try:
        with open(path, "rb") as stream:
            content = stream.read(64_000_000)
    except OSError:
        continue
    seen += 1
    for secret, value in secrets.items():
        if secret not in found and value in content:
            found[secret] = path
print(json.dumps({"found": found, "seen": seen}))
"""


@pytest.fixture(scope="module")
def stack(platform: Running) -> Stack:
    return platform.target.stack


@pytest.fixture(scope="module")
def secrets(platform: Running) -> dict[str, str]:
    """Every generated secret, by holder and key."""
    found = secrets_of(platform.target)
    assert len(set(found.values())) == len(found) >= 20
    return found


def named_in(content: bytes, secrets: dict[str, str]) -> set[str]:
    return {name for name, value in secrets.items() if value.encode() in content}


def program_of(process: psutil.Process, programs: dict[int, str]) -> str:
    """The supervised program that a process belongs to; empty for the supervisor."""
    line = [process, *process.parents()]
    return next((programs[each.pid] for each in line if each.pid in programs), "")


def test_every_process_has_in_its_environment_what_was_declared_and_nothing_else(
    platform: Running, stack: Stack, secrets: dict[str, str]
) -> None:
    programs = {pid: name for name, pid in platform.programs().items()}
    found: dict[str, set[str]] = {name: set() for name in programs.values()}
    looked = 0
    for process in platform.processes():
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            program = program_of(process, programs)
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            continue
        looked += 1
        here = named_in(environment, secrets)
        assert here == set() or program, f"the supervisor's environment holds {here}"
        if program:
            found[program] |= here
    declared = {
        f"{name}.{process}": told(stack, name, spec)
        for name, item in stack.components.items()
        for process, spec in item.definition.processes.items()
    }
    assert looked >= len(programs) >= 8
    assert found == declared
    # The comparison sees secrets at all, and the servers whose children are the pipelines' tasks hold none.
    assert found["nessie.server"] == {"nessie.database_password", "nessie.s3_secret_key"}
    assert [name for name, held in found.items() if name.startswith("airflow.") and held] == []


def test_no_command_line_holds_a_secret(platform: Running, secrets: dict[str, str]) -> None:
    lines = platform.of_processes(lambda process: " ".join(process.cmdline()).encode())
    assert len(lines) >= 8
    assert [line for line in lines if named_in(line, secrets)] == []


def probe(platform: Running, words: list[str], secrets: dict[str, str]) -> tuple[dict[str, str], int]:
    """What a program that is started by these words could read in the state folder."""
    files = [str(path) for path in platform.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    asked = json.dumps({"files": files, "secrets": secrets})
    done = subprocess.run(
        [*words, sys.executable, "-I", "-c", _PROBE],
        input=asked,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer["found"], answer["seen"]


def confining(command: list[str]) -> list[str]:
    """The words of a command that confine what comes after them; none where it is not confined."""
    if confine.__file__ not in command:
        return []
    return command[: command.index("--", command.index(confine.__file__)) + 1]


def test_every_server_can_read_its_own_secrets_in_the_state_folder_and_no_others(
    platform: Running, stack: Stack, secrets: dict[str, str]
) -> None:
    if confine.shortfalls():
        pytest.skip("this kernel has no Landlock: all servers of a user can read each other's files (docs/status.md)")
    looked = []
    for name, item in stack.components.items():
        for process, spec in item.definition.processes.items():
            launch = json.loads((platform.folder / "run" / "launch" / f"{name}.{process}.json").read_text())
            words = confining(launch["command"])
            assert bool(words) == spec.confined
            found, seen = probe(platform, words, secrets)
            allowed = given(stack, name) if spec.confined else set(secrets)
            strange = {secret: path for secret, path in found.items() if secret not in allowed}
            assert strange == {}, f"{name}.{process} can read secrets of others"
            assert seen, f"{name}.{process} could read nothing: does the probe look in the right place?"
            looked.append(f"{name}.{process}")
    assert sorted(looked) == sorted(platform.programs())
    # Only Airflow, which deploys everything, can read all; the twin of the assertion above.
    unconfined = {
        name for name, item in stack.components.items() for p in item.definition.processes.values() if not p.confined
    }
    assert unconfined == {"airflow"}
    assert set(probe(platform, [], secrets)[0]) == set(secrets)


def test_every_tool_holds_what_was_declared_and_nothing_else(
    platform: Running, stack: Stack, secrets: dict[str, str]
) -> None:
    target, looked = platform.target, []
    for name, item in stack.components.items():
        for tool, spec in item.definition.tools.items():
            command = target.tool_command(name, tool, [])
            environment = "\0".join(command.environment.values()).encode()
            assert named_in(environment, secrets) == told(stack, name, spec), f"{name}.{tool}"
            assert named_in("\0".join(command.argv).encode(), secrets) == set(), f"{name}.{tool}"
            if not confine.shortfalls():
                found, _ = probe(platform, confining(command.argv), secrets)
                assert set(found) <= given(stack, name), f"{name}.{tool} can read secrets of others: {found}"
            looked.append(tool)
    assert {"submit", "dbt", "validate"} <= set(looked)
