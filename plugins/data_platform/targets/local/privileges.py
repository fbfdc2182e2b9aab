"""Servers that refuse to run as root (PostgreSQL) run as `nobody` when the platform is run by root."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from data_platform.stack.errors import PlatformError

_NOBODY = "nobody"


def unprivileged_prefix(*folders: Path) -> list[str]:
    """Words before a command that make it run unprivileged; none when we are not root.

    Where `nobody` may not pass through the folders (a checkout below /root, say), the process keeps the one capability
    to read and search everywhere, and no other.

    Args:
        folders: where its programs and data lie.

    Raises:
        PlatformError: there is no setpriv to drop privileges with, or no such user.
    """
    if os.geteuid() != 0:
        return []
    if (setpriv := shutil.which("setpriv")) is None:
        raise PlatformError("setpriv (util-linux) is not on the PATH", "install util-linux, or run as an ordinary user")
    user = _nobody()
    prefix = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(_passable(folder) for folder in folders):
        prefix += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
        # Without it access(2), which initdb asks, forgets the capability.
        prefix += ["--securebits=+no_setuid_fixup"]
    return prefix


def _nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_NOBODY)
    except KeyError:
        raise PlatformError(
            f"there is no user {_NOBODY}, as whom servers run that refuse root", "add one, or run as an ordinary user"
        ) from None


def _passable(folder: Path) -> bool:
    """Whether everybody may go through the folder and all above it."""
    return all(p.stat().st_mode & 0o001 for p in (folder, *folder.parents) if p.exists())


def own(path: Path) -> None:
    """Give a file or folder to `nobody` when we are root."""
    if os.geteuid() == 0:
        user = _nobody()
        if path.stat().st_uid != user.pw_uid:
            os.chown(path, user.pw_uid, user.pw_gid)
