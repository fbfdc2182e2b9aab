"""The platform's own stack, as it is on Kubernetes."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.load import KUBERNETES, Stack, load_stack


@pytest.fixture(scope="session")
def stack(root: Path) -> Stack:
    """This checkout's stack."""
    return load_stack(root, target=KUBERNETES)
