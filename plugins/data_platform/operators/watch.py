"""Wakes a pipeline when the flow has stored files, without anybody polling in a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from data_platform.datasets.arrivals import Seen
    from data_platform.targets.base import Target


class NewFilesTrigger(BaseEventTrigger):
    """Fires when a dataset has received files, good or refused, since the last look.

    It also fires at its first look when there are files at all, because some may have come while nobody looked; the
    pipeline then finds out whether there is anything to do.

    Args:
        dataset: its name.
        every: seconds between two looks.
    """

    def __init__(self, dataset: str, every: float = 5.0) -> None:
        super().__init__()
        self.dataset = dataset
        self.every = every

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and how to make it again. No secrets: they are read where the look is taken."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"dataset": self.dataset, "every": self.every}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; the store may be away (the platform is being deployed, or stopped)."""
        from data_platform.targets.current import anew

        target = anew()
        seen: Seen | None = None
        while True:
            found = await asyncio.to_thread(_look, target, self.dataset, seen, self.log)
            if found is None:
                # Its address or key may have changed.
                target = await asyncio.to_thread(anew)
            else:
                if found.new:
                    yield TriggerEvent({"dataset": self.dataset, "new": found.new})
                seen = found
            await asyncio.sleep(self.every)


def _look(target: Target, dataset: str, before: Seen | None, log: Any) -> Seen | None:
    """What has come since the look before; None when the store does not answer."""
    from data_platform.datasets import arrivals

    try:
        return arrivals.look(target, dataset, before, datetime.now(UTC), seconds=10)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
        log.info("no look at the files of %s: %s", dataset, error)
        return None
