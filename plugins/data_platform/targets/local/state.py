"""The state folder of one platform on this machine: credentials, settings, and where things lie."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from data_platform.stack.bindings import credential_names
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import Stack

#: Bytes of randomness in a generated secret. In hexadecimal these are 64 characters, what HMAC-SHA512 asks for.
SECRET_BYTES = 32
#: Longest path of a unix socket (Linux: 108 bytes with the closing zero).
SOCKET_LIMIT = 107


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; it is readable by its owner only, from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


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
    """Paths of one state folder."""

    folder: Path

    @property
    def credentials_file(self) -> Path:
        """All generated secrets, 0600."""
        return self.folder / "credentials.json"

    @property
    def ports_file(self) -> Path:
        """Ports, chosen once."""
        return self.folder / "ports.json"

    @property
    def settings_file(self) -> Path:
        """What `up` was asked for: the target and the profile."""
        return self.folder / "settings.json"

    @property
    def run(self) -> Path:
        """Launch files, supervisor's files, records of what was started."""
        return self.folder / "run"

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

    def etc(self, component: str) -> Path:
        """Rendered configuration of a component."""
        return self.folder / "etc" / component

    def data(self, component: str) -> Path:
        """Data of a component."""
        return self.folder / "data" / component

    def landing(self, dataset: str) -> Path:
        """Where a dataset's files are put for its flow."""
        return self.folder / "landing" / dataset

    @property
    def logs(self) -> Path:
        """Logs of all processes."""
        return self.folder / "logs"

    def lock(self, name: str) -> FileLock:
        """A lock between processes that use this state folder."""
        self.run.mkdir(parents=True, exist_ok=True)
        return FileLock(self.run / f"{name}.lock")

    def settings(self) -> dict[str, Any]:
        """What `up` was last asked for."""
        return read_json(self.settings_file)

    def credentials(self, stack: Stack) -> dict[str, dict[str, str]]:
        """Credentials of all components; what is missing is generated and saved first.

        Raises:
            PlatformError: the credentials file is readable by others, or damaged.
        """
        known: dict[str, dict[str, str]] = read_json(self.credentials_file)
        if self._complete(stack, known):
            self._refuse_open_file()
            return known
        with self.lock("credentials"):
            known = read_json(self.credentials_file)
            if not known and any(self.folder.glob("data/*/*")):
                # New secrets would lock everybody out of that data.
                raise PlatformError(
                    f"{self.credentials_file} is gone, but {self.folder / 'data'} holds data that it opens",
                    "restore it from a backup, or begin anew: python3 -m bootstrap down --purge",
                )
            for name in stack.components:
                fixed, generated = credential_names(stack, name)
                entry = known.setdefault(name, {}) if fixed or generated else {}
                entry |= fixed
                for key in generated:
                    # Hexadecimal: safe unquoted in every configuration format and URL.
                    entry.setdefault(key, secrets.token_hex(SECRET_BYTES))
            write_private(self.credentials_file, json.dumps(known, indent=2) + "\n")
        return known

    @staticmethod
    def _complete(stack: Stack, known: Mapping[str, Mapping[str, str]]) -> bool:
        for name in stack.components:
            fixed, generated = credential_names(stack, name)
            entry = known.get(name, {})
            if any(entry.get(k) != v for k, v in fixed.items()) or any(k not in entry for k in generated):
                return False
        return True

    def _refuse_open_file(self) -> None:
        if self.credentials_file.stat().st_mode & 0o077:
            raise PlatformError(
                f"{self.credentials_file} can be read by others", f"run: chmod 600 {self.credentials_file}"
            )
