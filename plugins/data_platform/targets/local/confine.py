"""Become a program that can read and write only what was made for it: Linux Landlock, which needs no root.

    python -I -S confine.py --closed=STATE [--read=PATH…] [--write=PATH…] [--unix-sockets] -- PROGRAM [ARGUMENTS…]

No argument is secret. What is granted is an allow-list: programs and settings of the system, the paths that are named
(of one that holds the closed folder, all that is beside it), and nothing else of the disk. A process so confined also
cannot trace (`/proc/PID/environ`) nor signal what it did not start, gains no privileges from setuid programs, and makes
no unix sockets, over which other programs of the user could be told to do it instead. All of it holds for whatever it
starts, and cannot be taken back.

Sources: https://docs.kernel.org/userspace-api/landlock.html and landlock(7); https://docs.kernel.org/userspace-api/
seccomp_filter.html; numbers from linux/landlock.h, linux/seccomp.h, linux/filter.h and linux/prctl.h.
"""

# Of the standard library only what loads in a few milliseconds: this starts before every server, job and tool.
import ctypes
import errno
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Programs, libraries and settings of the system; what of it is not there is left out. Not in it: homes, /tmp, /var,
#: /run, /srv. Of /dev only what every program uses: /dev/shm would show one program's memory to the others.
SYSTEM = (
    *("/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr"),
    *("/nix/store", "/gnu/store"),
    # Where /etc/resolv.conf leads.
    *("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf"),
)
DEVICES = ("/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero")

#: Without LANDLOCK_ACCESS_FS_REFER (ABI 2, Linux 5.19) no file can be moved to another folder: databases do that.
_LEAST = 2
_TRUNCATES, _DEVICES, _SCOPES, _RESOLVES = 3, 5, 6, 9

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER = 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13
_TRUNCATE, _IOCTL_DEV, _RESOLVE_UNIX = 1 << 14, 1 << 15, 1 << 16
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_CHANGE = _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_SYM | _REFER
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _CHANGE
_DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
#: What a rule for a file may name.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1

#: The same on all processors.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 24, 38, 2

#: What root keeps: with files (CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID), to become somebody else (SETGID,
#: SETUID, SETPCAP) and to listen on low ports (NET_BIND_SERVICE). With PERFMON or SYS_ADMIN it could read
#: /proc/PID/environ of all, whatever Landlock says, with SYS_RAWIO all memory; from linux/capability.h.
_KEPT_CAPABILITIES = frozenset({0, 1, 2, 3, 4, 6, 7, 8, 10})
_LAST_CAPABILITY = "/proc/sys/kernel/cap_last_cap"

#: By machine: how audit.h calls it, and its number of socket(2). io_uring, which could make a socket too,
#: is 425 everywhere.
_PROCESSORS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP, _AF_UNIX = 425, 1
_X32 = 0x40000000

_CANNOT_RUN, _NOT_FOUND = 126, 127

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


class ConfineError(Exception):
    """A path cannot be granted, or the kernel refuses."""


def abi() -> int:
    """Version of Landlock that the kernel offers; 0 where it offers none that serves here."""
    found = _libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return int(found) if found >= _LEAST else 0


def shortfalls() -> list[str]:
    """What of the confinement this machine cannot do, and what follows; empty where it can do all of it."""
    version = abi()
    if not version:
        missing = "this kernel offers no Landlock (Linux 5.19 or newer, with `landlock` among its security modules)"
        return [f"{missing}: every server, job and tool can read all files of the user who runs the platform"]
    found = []
    if version < _TRUNCATES:
        found.append("this kernel (before Linux 6.2) does not keep programs from emptying files of others")
    if version < _SCOPES:
        found.append("this kernel (before Linux 6.12) does not keep programs from ending programs of the same user")
    if version < _RESOLVES and not _filters():
        found.append(
            "neither Landlock (Linux 7.1) nor seccomp keeps programs from unix sockets, over which they can have "
            "other programs of the same user act for them"
        )
    return found


def confine(closed: str, reads: "Sequence[str]", writes: "Sequence[str]", unix_sockets: bool = False) -> None:
    """Confine this thread and all that it will start; nothing where the kernel offers no Landlock.

    Args:
        closed: the folder of which nothing is granted but what is named: the state folder.
        reads: files and folders that it reads.
        writes: folders that it reads and writes.
        unix_sockets: whether it may make unix sockets.

    Raises:
        ConfineError: a path is not there, or holds the closed folder, or the kernel refuses.
    """
    version = abi()
    if not version:
        return
    handled = _handled(version)
    attributes = _Ruleset(handled, 0, _SCOPE_ABSTRACT_SOCKET | _SCOPE_SIGNAL if version >= _SCOPES else 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = _checked(_libc.syscall(ctypes.c_long(_CREATE_RULESET), ctypes.byref(attributes), size, 0), "its ruleset")
    closed = os.path.realpath(closed)
    for path in (*SYSTEM, *reads):
        for part in _without(path, closed):
            _grant(ruleset, part, _READ & handled)
    for path in DEVICES:
        if os.path.exists(path):  # noqa: PTH110 - pathlib takes as long as all of this
            _grant(ruleset, path, _DEVICE & handled)
    for path in writes:
        if _holds(os.path.realpath(path), closed):
            raise ConfineError(f"{path} holds {closed}: name a folder of the program's own")
        _grant(ruleset, path, _WRITE & handled)
    if os.geteuid() == 0:
        _drop_capabilities()
    # What follows asks for it of all but root; and so no setuid program (sudo) gives back what is taken here.
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "giving up new privileges")
    _checked(_libc.syscall(ctypes.c_long(_RESTRICT_SELF), ctypes.c_int(ruleset), 0), "its restriction")
    os.close(ruleset)
    if version < _RESOLVES and not unix_sockets and _filters():
        _refuse_unix_sockets()


def _handled(version: int) -> int:
    """Access rights that a version of Landlock knows. All of them are taken, and then some granted."""
    known = _WRITE | _MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV | _RESOLVE_UNIX
    for right, since in ((_TRUNCATE, _TRUNCATES), (_IOCTL_DEV, _DEVICES), (_RESOLVE_UNIX, _RESOLVES)):
        if version < since:
            known &= ~right
    return known


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _without(path: str, closed: str) -> "Iterator[str]":
    """A path, or where the closed folder is in it, all that is beside that one."""
    real = os.path.realpath(path)
    if not _holds(real, closed):
        if path not in SYSTEM or os.path.exists(path):  # noqa: PTH110 - see above
            yield path
    elif real != closed:
        with os.scandir(real) as entries:
            # What a link leads to is granted where it lies, or not at all.
            beside = [entry.path for entry in entries if not entry.is_symlink()]
        for entry in beside:
            yield from _without(entry, closed)


def _grant(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise ConfineError(f"{path}: {os.strerror(error.errno or 0)}") from None
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_FILES
        rule = _Beneath(access, descriptor)
        _checked(
            _libc.syscall(
                ctypes.c_long(_ADD_RULE), ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), 0
            ),
            path,
        )
    finally:
        os.close(descriptor)


def _drop_capabilities() -> None:
    """Take capabilities of root from every program that this process will become."""
    with open(_LAST_CAPABILITY, encoding="ascii") as stream:  # noqa: PTH123 - see above
        last = int(stream.read())
    for capability in sorted(set(range(last + 1)) - _KEPT_CAPABILITIES):
        # Refused where it is root of a container that may not change its capabilities; it has few of them then.
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) and ctypes.get_errno() != errno.EPERM:
            _checked(-1, "giving up capabilities")


def _filters() -> bool:
    """Whether the kernel filters system calls and we know this processor; a filter that is nowhere is no filter."""
    if os.uname().machine not in _PROCESSORS:
        return False
    return _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, None) == -1 and ctypes.get_errno() == errno.EFAULT


def _refuse_unix_sockets() -> None:
    """Refuse socket(AF_UNIX) by a filter of system calls, and what would go round it.

    socketpair(2) stays: what it makes is connected to itself.
    """
    architecture, socket_call = _PROCESSORS[os.uname().machine]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
    allowed, refused, absent = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x00050000 | errno.ENOSYS
    # Jumps count the instructions that they leave out. struct seccomp_data: 0 number, 4 architecture, 16 argument.
    words = (
        (load, 0, 0, 4),
        (equal, 0, 7, architecture),  # calls of 32-bit programs have other numbers
        (load, 0, 0, 0),
        (at_least, 5, 0, _X32),
        (equal, 5, 0, _IO_URING_SETUP),
        (equal, 0, 2, socket_call),
        (load, 0, 0, 16),
        (equal, 1, 0, _AF_UNIX),
        (answer, 0, 0, allowed),
        (answer, 0, 0, refused),
        (answer, 0, 0, absent),
    )
    instructions = (_Instruction * len(words))(*(_Instruction(*word) for word in words))
    program = _Program(len(words), instructions)
    _checked(_libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0), "its filter")


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise ConfineError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def main(words: "Sequence[str]") -> int:
    """Confine this process and replace it by the program; returns an exit code only where that is not possible."""
    end = words.index("--")
    options, command = words[:end], list(words[end + 1 :])
    named = {
        key: [word.removeprefix(key) for word in options if word.startswith(key)]
        for key in ("--closed=", "--read=", "--write=")
    }
    try:
        confine(named["--closed="][0], named["--read="], named["--write="], "--unix-sockets" in options)
    except ConfineError as error:
        print(f"cannot be confined: {error}", file=sys.stderr)
        return _CANNOT_RUN
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell wanted
    except FileNotFoundError:
        print(f"{command[0]} is not there; python3 -m bootstrap up brings what a component needs", file=sys.stderr)
        return _NOT_FOUND
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
