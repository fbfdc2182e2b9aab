"""The platform that is to be looked at, as far as it can be seen."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bootstrap import environments
from bootstrap.place import open_target
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, LOCAL
from data_platform.stack.stack import Stack
from data_platform.targets.base import Target
from data_platform.targets.local.state import State


@dataclass(frozen=True)
class Scene:
    """What the command line names.

    Attributes:
        arguments: of `support`.
        state: the state folder; it need not be there.
    """

    arguments: argparse.Namespace
    state: State

    @property
    def target_name(self) -> str:
        """Where the platform runs, or would."""
        asked = getattr(self.arguments, "target", None)
        try:
            return str(self.state.settings().get("target") or asked or LOCAL)
        except PlatformError:
            return asked or LOCAL

    @property
    def is_on_cluster(self) -> bool:
        """Whether it is on Kubernetes."""
        return self.target_name == KUBERNETES

    @contextmanager
    def target(self) -> Iterator[Target]:
        """The target, opened anew: parts are gathered at the same time, and a client that hangs is one part's alone.

        Raises:
            PlatformError: nothing was ever brought up, or it cannot be opened.
        """
        with closing(open_target(self.arguments)) as found:
            yield found

    def stack(self) -> Stack:
        """The stack of the platform, or of the one that `up` would make.

        Raises:
            PlatformError: the definition is wrong.
        """
        given = environments.given(self.arguments) if not self.state.settings_file.exists() else None
        asked = environments.asked(self.state.folder, self.state.settings(), self.arguments, given)
        return environments.stack_of(asked)


def ended(failed: list[str], remedy: str) -> None:
    """Say at the end of a part what of it could not be had.

    Raises:
        PlatformError: something could not.
    """
    if failed:
        raise PlatformError("; ".join(failed), remedy)
