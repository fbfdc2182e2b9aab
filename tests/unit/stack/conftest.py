"""A broken stack, and the error that it ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack

if TYPE_CHECKING:
    from tests.conftest import Tiny


def refusal(tiny: Tiny, profile: str = "default") -> PlatformError:
    """The error of a broken stack."""
    with pytest.raises(PlatformError) as caught:
        load_stack(tiny.root, profile)
    assert caught.value.remedy
    return caught.value
