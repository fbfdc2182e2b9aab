"""How large the platform is on Kubernetes: its charts are rendered, and what that asks for is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from data_platform.stack.holders import holder as holder_of
from data_platform.stack.holders import holders
from data_platform.targets.kubernetes import needs, releases
from data_platform.targets.kubernetes.context import ClusterContext

if TYPE_CHECKING:
    from data_platform.clients.kubernetes import Cluster
    from data_platform.stack.stack import Stack
    from data_platform.targets.kubernetes.settings import Settings

#: Which image it is makes no pod larger.
_IMAGE = "localhost/none:0"


class _Nowhere:
    """A cluster that has Kubernetes' own kinds alone."""

    @staticmethod
    def knows(*_: str) -> bool:
        return False


class Paper(ClusterContext):
    """The platform on paper: its releases for a cluster that nobody asks, with credentials that are nobody's.

    Args:
        stack: the platform.
        settings: what it was asked to be; images may be missing.
        helm: program that renders the charts.
    """

    def __init__(self, stack: Stack, settings: Settings, helm: releases.Helm) -> None:
        images = {**dict.fromkeys(stack.components, _IMAGE), **settings.images}
        on_paper = settings.model_copy(update={"images": images})
        super().__init__(stack, on_paper, cast("Cluster", _Nowhere()), helm, inside=True)
        self._made_up = {
            name: {**each.fixed, **dict.fromkeys(each.generated, "none")} for name, each in holders(stack).items()
        }

    def credentials(self, holder: str) -> Mapping[str, str]:
        """Made up: a pod is as large with any."""
        return self._made_up[holder_of(self.stack, holder).name]

    def asked(self) -> dict[str, needs.Asked]:
        """What each component asks for.

        Raises:
            PlatformError: a chart cannot be rendered or counted; it is named.
        """
        # One after the other: this also runs in the triggerer, where a second helm would find little memory.
        return {
            name: needs.asked(
                self.helm.template(self._release(item)) if item.has_chart else (),
                needs.values_of(item, self.settings.size),
            )
            for name, item in self.stack.components.items()
        }
