"""Tools of components: subprocesses on this machine, confined as servers are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_platform.checks.base import ToolCommand
from data_platform.stack.bindings import Bindings
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.targets.local.cache import CACHE_VARIABLE
from data_platform.targets.local.confinement import confinement, make_places, prefix
from data_platform.targets.local.programs import ALWAYS, PYTHON, SETTINGS, Where, inherit_environment
from data_platform.targets.render import render


def command(
    item: Loaded, tool: str, arguments: Sequence[str], values: Bindings, *, writes: Sequence[Path], where: Where
) -> ToolCommand:
    """How a tool is started.

    Args:
        item: the component.
        tool: its name.
        arguments: of the tool.
        values: bindings of the component.
        writes: folders of the caller's that it may write to.
        where: checkout, state folder and cache.

    Raises:
        PlatformError: the component has no such tool, or its program is not there yet.
    """
    if tool not in item.definition.tools:
        there = ", ".join(item.definition.tools) or "it has none"
        raise PlatformError(f"{item.name} has no tool {tool!r}", f"use one of its tools: {there}")
    spec, named = item.definition.tools[tool], f"{item.name}.{tool}"
    own = confinement(spec, values.open, named, writes)
    # Where a component has tools alone, nothing else has made its folders.
    make_places(own, where.state.folder)
    environment = {
        **inherit_environment(ALWAYS),
        **SETTINGS,
        CACHE_VARIABLE: str(where.cache),
        **({"HOME": values.open["DATA"]} if own else {}),
        **values.open,
        **{key: render(text, values.all, named) for key, text in spec.environment.items()},
        **inherit_environment(spec.inherit),
    }
    words = [render(word, values.open, named) for word in spec.command]
    confined = prefix(own, PYTHON, where.state.folder, where.cache)
    return ToolCommand([*confined, *words, *arguments], environment)
