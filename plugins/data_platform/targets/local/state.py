"""The state folder of one platform on this machine: credentials, settings, and where things lie."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NEXT, NOT_YET, holders, new_secret
from data_platform.stack.stack import Stack
from data_platform.targets.local.disk import drafted

#: Longest path of a unix socket (Linux: 108 bytes with the closing zero).
SOCKET_LIMIT = 107

#: Names of all that the platform makes in a state folder. What is not listed here is somebody's own, and `down --purge`
#: leaves it (contents.py).
MARK, SETTINGS, CREDENTIALS, PORTS = "platform.json", "settings.json", "credentials.json", "ports.json"
ETC, DATA, TMP, LOGS, LANDING, RUN, CLUSTER = "etc", "data", "tmp", "logs", "landing", "run", "cluster"
#: Folders of RUN with a file for each process and job, which says how it is started.
LAUNCHES = ("launch", "jobs")
FILES = (MARK, SETTINGS, CREDENTIALS, PORTS)
FOLDERS = (ETC, DATA, TMP, LOGS, LANDING, RUN, CLUSTER)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; it is readable by its owner only, from the first byte on.

    When this returns it is on the disk, and so is its name: a power cut leaves the old file or the new one.
    """
    new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with drafted(draft):
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    _sync_folder(path.parent)
    if new:
        # One of somebody else's may be passed and not be read; its owner's system syncs it.
        with suppress(PermissionError):
            _sync_folder(path.parent.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON object file, or {} where there is none.

    Raises:
        PlatformError: the file is there but is no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PlatformError(f"{path} is damaged: {error}", "restore it from a backup of the state folder") from None
    if not isinstance(found, dict):
        raise PlatformError(f"{path} holds no JSON object", "restore it from a backup of the state folder")
    return found


@dataclass(frozen=True)
class State:
    """Paths of one state folder.

    Attributes:
        folder: the folder.
        looks: whether it is somebody else's, to be looked at only: what would write there is refused.
    """

    folder: Path
    looks: bool = False

    @property
    def mark_file(self) -> Path:
        """Whose this folder is (mark.py), 0600."""
        return self.folder / MARK

    @property
    def credentials_file(self) -> Path:
        """All generated secrets, 0600."""
        return self.folder / CREDENTIALS

    @property
    def ports_file(self) -> Path:
        """Ports, chosen once."""
        return self.folder / PORTS

    @property
    def settings_file(self) -> Path:
        """What `up` was asked for: the target and the profile."""
        return self.folder / SETTINGS

    @property
    def run(self) -> Path:
        """Launch files, supervisor's files, records of what was started."""
        return self.folder / RUN

    @property
    def socket(self) -> Path:
        """Supervisor's socket; in the temporary folder where the state's own path is too long for a socket."""
        near = self.run / "supervisor.sock"
        if len(os.fsencode(near)) <= SOCKET_LIMIT:
            return near
        # Not XDG_RUNTIME_DIR: Airflow's tasks do not have it, and a logout removes it.
        short = Path("/tmp")  # noqa: S108 - the folder below is 0700, and the bootstrap looks that it is ours
        return short / f"data-platform-{os.getuid()}-{self.id}" / "supervisor.sock"

    @property
    def id(self) -> str:
        """Short name of this state folder, from its path."""
        import hashlib

        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]

    @property
    def cluster(self) -> Path:
        """The test cluster of this state folder (bootstrap/cluster/)."""
        return self.folder / CLUSTER

    def etc(self, component: str) -> Path:
        """Rendered configuration of a component."""
        return self.folder / ETC / component

    def data(self, component: str) -> Path:
        """Data of a component."""
        return self.folder / DATA / component

    def tmp(self, component: str) -> Path:
        """Temporary files of a component."""
        return self.folder / TMP / component

    def landing(self, dataset: str) -> Path:
        """Where a dataset's files are put for its flow."""
        return self.folder / LANDING / dataset

    @property
    def logs(self) -> Path:
        """Logs of all processes."""
        return self.folder / LOGS

    def lock(self, name: str) -> FileLock:
        """A lock between processes that use this state folder.

        Raises:
            PlatformError: the folder is to be looked at only.
        """
        if self.looks:
            raise PlatformError(
                f"{self.folder} belongs to another user; nothing is written there", "run it as its owner"
            )
        self.run.mkdir(parents=True, exist_ok=True)
        return FileLock(self.run / f"{name}.lock")

    def settings(self) -> dict[str, Any]:
        """What `up` was last asked for."""
        return read_json(self.settings_file)

    def credentials(self, stack: Stack) -> dict[str, dict[str, str]]:
        """Credentials of all holders, as they are. Reads only: what is not made yet is NOT_YET.

        Raises:
            PlatformError: the credentials file is readable by others, or damaged.
        """
        known: dict[str, dict[str, str]] = read_json(self.credentials_file)
        if known:
            self._refuse_open_file()
        for name, holder in holders(stack).items():
            if holder.fixed or holder.generated:
                unmade = dict.fromkeys(holder.generated, NOT_YET)
                known[name] = {**unmade, **known.get(name, {}), **holder.fixed}
        return known

    def ensure_credentials(self, stack: Stack) -> None:
        """Generate and save what holders lack. What is there is never replaced.

        Raises:
            PlatformError: the credentials file is damaged, or a component's secrets are gone while its data is there.
        """
        if not any(NOT_YET in entry.values() for entry in self.credentials(stack).values()):
            return
        with self.lock("credentials"):
            known: dict[str, dict[str, str]] = read_json(self.credentials_file)
            self._refuse_lost(stack, known)
            for name, holder in holders(stack).items():
                entry = known.setdefault(name, {}) if holder.fixed or holder.generated else {}
                entry |= holder.fixed
                for key in holder.generated:
                    entry.setdefault(key, new_secret())
            self._write_credentials(known)

    def stage(self, holder: str, key: str) -> str:
        """The value that a secret is going to have; generated at the first call, and kept until `promote`."""
        with self.lock("credentials"):
            known: dict[str, dict[str, str]] = read_json(self.credentials_file)
            entry = known.setdefault(holder, {})
            if (following := f"{key}{NEXT}") not in entry:
                entry[following] = new_secret()
                self._write_credentials(known)
            return entry[following]

    def promote(self, holder: str, key: str) -> None:
        """Let a staged value take the place of the secret; nothing where none is staged."""
        with self.lock("credentials"):
            known: dict[str, dict[str, str]] = read_json(self.credentials_file)
            if (staged := known.get(holder, {}).pop(f"{key}{NEXT}", None)) is not None:
                known[holder][key] = staged
                self._write_credentials(known)

    def _write_credentials(self, known: Mapping[str, Mapping[str, str]]) -> None:
        write_private(self.credentials_file, json.dumps(known, indent=2) + "\n")

    def _refuse_lost(self, stack: Stack, known: Mapping[str, Mapping[str, str]]) -> None:
        """New secrets would lock everybody out of data that the old ones open."""
        lost = [
            name
            for name, item in stack.components.items()
            if item.component.secrets and not known.get(name) and any((self.folder / "data" / name).glob("*"))
        ]
        if lost:
            raise PlatformError(
                f"{self.credentials_file} has no secrets of {', '.join(lost)}, but {self.folder / 'data'} holds data"
                " that they open",
                "restore it from a backup, or begin anew: python3 -m bootstrap down --purge",
            )

    def _refuse_open_file(self) -> None:
        if self.credentials_file.stat().st_mode & 0o077:
            raise PlatformError(
                f"{self.credentials_file} can be read by others", f"run: chmod 600 {self.credentials_file}"
            )
