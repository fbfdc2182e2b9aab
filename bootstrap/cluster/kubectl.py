"""kubectl, as the cluster's administrator. It starts sooner than the Python client can be imported."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bootstrap.cluster.layout import Layout
from data_platform.clients.commands import run


class Kubectl:
    """kubectl of one cluster.

    Args:
        program: its path.
        layout: of the cluster.
    """

    def __init__(self, program: Path, layout: Layout) -> None:
        self._program, self._layout = program, layout

    def run(self, *words: str, seconds: float = 30.0) -> str:
        """Its output.

        Raises:
            PlatformError: it fails, or takes too long.
        """
        settings = [f"--kubeconfig={self._layout.kubeconfig}", f"--cache-dir={self._layout.state.run / 'kubectl'}"]
        return run(
            [str(self._program), *settings, *words],
            doing=f"kubectl {' '.join(words[:2])}",
            remedy=f"read the logs in {self._layout.state.logs}, then run: python3 -m bootstrap cluster up",
            seconds=seconds,
            # A proxy of the environment does not lead to this machine's own cluster.
            environment={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._layout.state.run)},
        )

    def json(self, *words: str) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.run(*words, "--output=json"))
