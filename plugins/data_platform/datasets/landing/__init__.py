"""Landing folders: from these the flow of a dataset takes files, and into them a file comes in one step, whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from data_platform.datasets.landing.lying import Left, Lying
from data_platform.stack.capabilities import FLOWS
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES

if TYPE_CHECKING:
    from data_platform.targets.base import Target
    from data_platform.targets.kubernetes.target import KubernetesTarget
    from data_platform.targets.local.target import LocalTarget

#: Ends the name of the folder beside a landing folder for what is not taken: <number>/<name> and <number>.reason.json.
SET_ASIDE = ".set-aside"


class Landing(Protocol):
    """Files of the component that has the flows, wherever it runs."""

    def made(self, dataset: str) -> str:
        """Folder from which the dataset's flow takes files, as the flow sees it; made when missing, for a flow cannot
        watch what is not there.
        """

    def place(self, dataset: str, file: Path) -> str:
        """Copy a file into the folder, where it appears in one step, whole; returns its place there.

        Raises:
            PlatformError: a file of that name waits there, and replacing it would lose it; the name is none that lands
                (`names.landing_name`); or the copy cannot be written, and is gone then.
        """

    def lying(self, dataset: str) -> Lying:
        """What lies in the folder."""

    def set_aside(self, dataset: str, left: Left) -> str:
        """Move what is not taken out of the folder, into one of its own beside it, with the reason.

        Returns:
            Its new place; empty when it is gone, or was changed since it was looked at.

        Raises:
            PlatformError: it cannot be moved.
        """

    def kept(self, name: str) -> bytes:
        """Content of a file in the component's data folder; OSError where it cannot be read."""


def landing_of(target: Target) -> Landing:
    """The landing folders of a platform."""
    component = target.stack.resolve(FLOWS)
    if target.name == KUBERNETES:
        from data_platform.datasets.landing.kubernetes import PodLanding
        from data_platform.targets.kubernetes.places import namespace

        return PodLanding(cast("KubernetesTarget", target).cluster, namespace(target.stack, component), component)
    from data_platform.datasets.landing.local import FolderLanding

    return FolderLanding(cast("LocalTarget", target).state, component)


def waits(place: str, component: str) -> PlatformError:
    """What is said of a file that would replace another one.

    Args:
        place: of both.
        component: that has the flows.
    """
    return PlatformError(
        f"{place} waits there already and has not been taken by the flow",
        f"try again when it is gone, or rename the file; python3 -m bootstrap check {component} says whether it runs",
    )


def tidy(landing: Landing, dataset: str) -> list[str]:
    """Set aside what has lain in the folder for long without being taken; a line for each thing that is not taken."""
    lines = []
    for left in landing.lying(dataset).left:
        line = f"not taken: {left.why}"
        if left.rested:
            try:
                if place := landing.set_aside(dataset, left):
                    line = f"set aside as {place}: {left.why}"
            except PlatformError as error:
                line = f"{line} (it could not be set aside: {error.problem})"
        lines.append(line)
    return lines
