"""What people and programs leave in a folder, and no flow takes."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path


def untakeable(folder: Path) -> dict[bytes, str]:
    """Puts what no flow takes into a folder; what each is called, and a word of why."""
    (folder / "a folder.csv").mkdir()
    (folder / "a folder.csv" / "inside.csv").write_text("inside")
    (folder / "link.csv").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.csv")
    os.mknod(folder / "socket.csv", stat.S_IFSOCK | 0o600)
    (folder / "future.csv").write_text("future")
    os.utime(folder / "future.csv", (time.time() + 7200,) * 2)
    bad = folder / os.fsdecode(b"taux_\xe9.csv")
    bad.write_bytes(b"bad name")
    os.utime(bad, (time.time() - 60,) * 2)
    return {
        b"a folder.csv": "is a folder",
        b"link.csv": "is a link",
        b"pipe.csv": "is a pipe",
        b"socket.csv": "is a socket",
        b"future.csv": "in the future",
        b"taux_\xe9.csv": "is not UTF-8",
    }
