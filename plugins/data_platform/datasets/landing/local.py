"""The landing folders on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from data_platform.datasets.landing import waits
from data_platform.targets.local.state import State


class FolderLanding:
    """Landing folders of a state folder.

    Args:
        state: the state folder.
        component: that has the flows.
    """

    def __init__(self, state: State, component: str) -> None:
        self._state = state
        self._component = component

    def made(self, dataset: str) -> str:
        """See `Landing`."""
        return str(self._made(dataset))

    def _made(self, dataset: str) -> Path:
        folder = self._state.landing(dataset)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def place(self, dataset: str, file: Path) -> str:
        """See `Landing`: copied under a name that flows leave alone and no other copy has, then given its own."""
        folder = self._made(dataset)
        final, draft = folder / file.name, folder / f".{uuid4().hex}.part"
        if final.exists():
            raise waits(str(final), self._component)
        try:
            shutil.copyfile(file, draft)
            # Not renamed: that would replace a file which has come since.
            final.hardlink_to(draft)
        except FileExistsError:
            raise waits(str(final), self._component) from None
        finally:
            draft.unlink(missing_ok=True)
        return str(final)

    def waiting(self, dataset: str) -> list[str]:
        """See `Landing`. Drafts are hidden files and names ending in .part, which flows leave alone."""
        folder = self._state.landing(dataset)
        if not folder.is_dir():
            return []
        files = [path.name for path in folder.iterdir() if path.is_file()]
        return sorted(name for name in files if not name.startswith(".") and not name.endswith(".part"))

    def kept(self, name: str) -> bytes:
        """See `Landing`."""
        return (self._state.data(self._component) / name).read_bytes()
