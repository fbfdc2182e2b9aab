"""A confined process reaches what is its own and nothing else; each refusal beside the twin that is not confined."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from data_platform.targets.local import confine

pytestmark = pytest.mark.skipif(not confine.abi(), reason=" ".join(confine.shortfalls()) or "there is Landlock")
#: What a child is told of the places below.
PLACES = """
import ctypes, os, socket, sys
state, own, etc, other, beside, tester = sys.argv[1:7]
secret = state + "/credentials.json"
def read(path):
    with open(path, "rb") as stream:
        return stream.read()
def write(path, text="new"):
    with open(path, "w") as stream:
        stream.write(text)
"""
PERMISSION = "PermissionError"
#: How a refusal is said by Python, by cat, and of a link to a file that would get more rights by it (EXDEV).
REFUSALS = (PERMISSION, "Permission denied", "Invalid cross-device link")
#: By what it tries: the code, and the ABI of Landlock that refuses it.
REFUSED = {
    "read the credentials": ("read(secret)", 2),
    "read another's configuration": ('read(other + "/s3.json")', 2),
    "list the state folder": ("os.listdir(state)", 2),
    "list another's folder": ("os.listdir(other)", 2),
    "read what lies beside the state folder": ('read(beside + "/id_rsa")', 2),
    "write what is another's": ('write(other + "/s3.json")', 2),
    "make a file in another's folder": ('write(other + "/mine")', 2),
    "remove what is another's": ('os.remove(other + "/s3.json")', 2),
    "empty what is another's": ('os.truncate(other + "/s3.json", 0)', 3),
    "write its own configuration": ('write(etc + "/own.conf")', 2),
    "make a file beside the state folder": ('write(beside + "/mine")', 2),
    "read the credentials by a link of its own": ('os.symlink(secret, own + "/link"); read(own + "/link")', 2),
    "have the credentials among its own": ('os.link(secret, own + "/name"); read(own + "/name")', 2),
    "move another's file to its own": ('os.rename(other + "/s3.json", own + "/s3.json")', 2),
    "read them by the folder of another process": ('read(f"/proc/{tester}/root" + secret)', 2),
    "read another's environment": ('read(f"/proc/{tester}/environ")', 2),
    "read another's memory": ('os.open(f"/proc/{tester}/mem", os.O_RDONLY)', 2),
    "signal another process": ("os.kill(int(tester), 0)", 6),
    "have a child read the credentials": ('sys.exit(os.spawnl(os.P_WAIT, "/bin/cat", "cat", secret))', 2),
}


class Places(NamedTuple):
    """A state folder with somebody else's things, and a folder beside it."""

    state: Path
    own: Path
    etc: Path
    other: Path
    beside: Path

    @property
    def words(self) -> list[str]:
        return [*map(str, self), str(os.getpid())]

    @property
    def spec(self) -> list[str]:
        reads = [sys.prefix, sys.base_prefix, str(self.etc)]
        return [f"--closed={self.state}", *(f"--read={path}" for path in reads), f"--write={self.own}"]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """The default place of a state folder is a checkout; its path here has a space."""
    state = tmp_path / "check out" / ".platform"
    found = Places(
        state, state / "data" / "own", state / "etc" / "own", state / "etc" / "other", tmp_path / "check out" / ".ssh"
    )
    for folder in found:
        folder.mkdir(parents=True, exist_ok=True)
    (state / "credentials.json").write_text("secret")
    (found.etc / "own.conf").write_text("mine")
    (found.other / "s3.json").write_text("another's")
    (found.beside / "id_rsa").write_text("private")
    return found


def run(
    places: Places, code: str, spec: Sequence[str] = (), program: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """A Python program, confined where there is a `spec`."""
    prefix = [sys.executable, "-I", "-S", confine.__file__, *spec, "--"] if spec else []
    return subprocess.run(
        [*prefix, program, "-I", "-S", "-c", PLACES + code, *places.words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_its_own_is_refused(places: Places, what: str) -> None:
    code, since = REFUSED[what]
    if confine.abi() < since:
        pytest.skip(f"Landlock's ABI is {confine.abi()}; {since} refuses it")
    done = run(places, code, places.spec)
    assert (done.returncode, any(said in done.stderr for said in REFUSALS)) == (1, True), done.stderr


@pytest.mark.parametrize("what", REFUSED)
def test_without_it_the_same_succeeds(places: Places, what: str) -> None:
    done = run(places, REFUSED[what][0])
    assert done.returncode == 0, done.stderr


OWN = {
    "read its configuration": 'assert read(etc + "/own.conf") == b"mine"',
    "list its configuration": 'assert os.listdir(etc) == ["own.conf"]',
    "make, move, empty and remove files": """
os.makedirs(own + "/a/b")
write(own + "/x")
os.rename(own + "/x", own + "/a/b/x")
os.link(own + "/a/b/x", own + "/y")
os.truncate(own + "/y", 0)
os.symlink("y", own + "/link")
os.mkfifo(own + "/pipe")
os.remove(own + "/a/b/x")
os.rmdir(own + "/a/b")
""",
    "start programs of the system": 'assert os.popen("cat /etc/passwd | wc -l").read().strip() != "0"',
    "read and signal what it started": """
pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {"OWN": "child"})
while b"OWN" not in read(f"/proc/{pid}/environ"):
    pass
os.kill(pid, 9)
assert os.waitpid(pid, 0)[1] == 9
""",
    "write to the devices that all use": 'write("/dev/null"); assert len(os.urandom(8)) == 8',
    "open a network socket": "socket.socket(socket.AF_INET).bind(('127.0.0.1', 0))",
    "open a pair of sockets": 'left, right = socket.socketpair(); left.send(b"x"); assert right.recv(1) == b"x"',
}


@pytest.mark.parametrize("what", OWN)
def test_what_is_its_own_is_left_to_it(places: Places, what: str) -> None:
    done = run(places, OWN[what], places.spec)
    assert done.returncode == 0, done.stderr


UNIX = "socket.socket(socket.AF_UNIX)"
RING = """
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syscall(425, 0, None) == -1
sys.exit(ctypes.get_errno())
"""


@pytest.mark.skipif(not confine._filters(), reason="no filter of system calls here")
def test_unix_sockets_are_refused_unless_it_needs_them(places: Places) -> None:
    done = run(places, UNIX, places.spec)
    if confine.abi() >= confine._RESOLVES:
        # A socket alone reaches nobody: Landlock refuses to connect it.
        assert done.returncode == 0, done.stderr
    else:
        assert (done.returncode, PERMISSION in done.stderr) == (1, True), done.stderr
        assert run(places, RING, places.spec).returncode == 38  # ENOSYS
    assert run(places, UNIX, [*places.spec, "--unix-sockets"]).returncode == 0
    assert run(places, UNIX).returncode == 0


@pytest.fixture
def listening(places: Places) -> Iterator[Path]:
    """A server of the same user on a unix socket, which another program could be told to act by."""
    path = places.beside / "s"
    serve = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()"
    words = [sys.executable, "-c", f"{serve}; print('up', flush=True); s.accept()", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:  # noqa: TID251 - it serves beside what is tested
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield path
        process.kill()


@pytest.mark.skipif(
    confine.abi() < confine._RESOLVES and not confine._filters(), reason="; ".join(confine.shortfalls())
)
def test_no_server_of_the_user_is_reached_over_a_unix_socket(places: Places, listening: Path) -> None:
    code = f"{UNIX}.connect({str(listening)!r})"
    assert PERMISSION in run(places, code, places.spec).stderr
    done = run(places, code)
    assert done.returncode == 0, done.stderr


PRIVILEGES = """
found = dict(line.split(":", 1) for line in read("/proc/self/status").decode().splitlines())
print(found["NoNewPrivs"].strip(), int(found["CapBnd"], 16), int(found["CapEff"], 16))
"""


def test_it_gains_no_privileges_and_root_keeps_few(places: Places) -> None:
    gains, bounding, effective = map(int, run(places, PRIVILEGES, places.spec).stdout.split())
    before = [*map(int, run(places, PRIVILEGES).stdout.split())]
    assert (before[0], gains) == (0, 1)
    kept = sum(1 << capability for capability in confine._KEPT_CAPABILITIES)
    assert effective & ~kept == 0
    # An ordinary user has none, and may not change what root would have.
    assert bounding == (before[1] & kept if os.geteuid() == 0 else before[1])
    assert (before[2] & ~kept != 0) == (os.geteuid() == 0)


def test_a_folder_that_holds_the_state_is_read_but_for_the_state(places: Places, tmp_path: Path) -> None:
    spec = [*places.spec, f"--read={places.beside.parent}"]
    (places.beside.parent / "to the state").symlink_to(places.state)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (places.beside.parent / "link").symlink_to(tmp_path / "elsewhere")
    done = run(places, 'assert read(beside + "/id_rsa") == b"private"', spec)
    assert done.returncode == 0, done.stderr
    for path in ("secret", 'state + "/../to the state/credentials.json"', 'beside + "/../link/file"'):
        assert PERMISSION in run(places, f"read({path})", spec).stderr


def test_a_state_folder_that_is_named_by_a_link_is_closed_as_well(places: Places, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(places.state)
    spec = [f"--closed={link}", *places.spec[1:], f"--read={tmp_path}"]
    assert PERMISSION in run(places, "read(secret)", spec).stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--write={beside}/..", "holds {state}: name a folder of the program's own"),
        ("--write={state}", "holds {state}: name a folder of the program's own"),
        ("--read={own}/none", "cannot be confined: {own}/none: No such file or directory"),
    ],
)
def test_what_cannot_be_granted_is_named(places: Places, option: str, said: str) -> None:
    done = run(places, "", [*places.spec, option.format(**places._asdict())])
    assert (done.returncode, said.format(**places._asdict()) in done.stderr) == (126, True), done.stderr


def test_a_single_file_can_be_granted(places: Places) -> None:
    (places.other / "more.json").touch()
    spec = [*places.spec, f"--read={places.other}/s3.json"]
    done = run(places, 'read(other + "/s3.json")', spec)
    assert done.returncode == 0, done.stderr
    assert PERMISSION in run(places, 'read(other + "/more.json")', spec).stderr


def test_a_program_that_is_not_there_is_named(places: Places) -> None:
    done = run(places, "", places.spec, program="/none/such")
    assert (done.returncode, done.stderr.startswith("/none/such is not there; python3 -m bootstrap up ")) == (127, True)
    done = run(places, "", places.spec, program=str(places.beside / "id_rsa"))
    assert (done.returncode, done.stderr) == (126, f"{places.beside / 'id_rsa'}: Permission denied\n")


ALL = (1 << 13) - 1


@pytest.mark.parametrize(
    ("version", "rights"),
    [
        (2, ALL | 1 << 13),
        (3, ALL | 1 << 13 | 1 << 14),
        (4, ALL | 1 << 13 | 1 << 14),
        (5, ALL | 1 << 13 | 1 << 14 | 1 << 15),
        (8, ALL | 1 << 13 | 1 << 14 | 1 << 15),
        (9, ALL | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 16),
    ],
)
def test_every_right_that_the_version_knows_is_taken_and_no_other(version: int, rights: int) -> None:
    assert confine._handled(version) == rights


def test_a_kernel_without_it_starts_the_program_all_the_same(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "abi", lambda: 0)
    monkeypatch.setattr(confine, "_libc", None)
    confine.confine(str(places.state), [], [])


class Kernel:
    """Answers `landlock_create_ruleset` with a version or an error."""

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def syscall(self, number: ctypes.c_long, *_: object) -> int:
        assert number.value == 444
        return self.answer


@pytest.mark.parametrize(("answer", "version"), [(-1, 0), (0, 0), (1, 0), (2, 2), (7, 7)])
def test_the_first_version_does_not_serve(answer: int, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "_libc", Kernel(answer))
    assert confine.abi() == version


@pytest.mark.parametrize(
    ("version", "filters", "said"),
    [
        (0, True, ["no Landlock"]),
        (2, True, ["Linux 6.2", "Linux 6.12"]),
        (3, True, ["Linux 6.12"]),
        (6, True, []),
        (6, False, ["neither Landlock (Linux 7.1) nor seccomp"]),
        (9, False, []),
    ],
)
def test_what_a_kernel_cannot_do_is_said(
    version: int, filters: bool, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confine, "abi", lambda: version)
    monkeypatch.setattr(confine, "_filters", lambda: filters)
    found = confine.shortfalls()
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))
