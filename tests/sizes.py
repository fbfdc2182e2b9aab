"""What the platform asks of a cluster, by its charts as helm renders them."""

from __future__ import annotations

from typing import Any

from bootstrap.helm import helm_program
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.needs import Asked, Need, values_of
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.sizes import Paper


def asked(stack: Stack, size: str) -> dict[str, Asked]:
    """What each component asks for in a size."""
    return Paper(stack, Settings.model_validate({"size": size}), Helm(helm_program())).asked()


def told(stack: Stack, component: str, values: dict[str, Any]) -> Stack:
    """The same platform in an environment that says something of a component's chart."""
    from dataclasses import replace

    item = stack.components[component].model_copy(update={"values": values})
    return replace(stack, components={**stack.components, component: item})


def claiming(stack: Stack) -> dict[str, Asked]:
    """As if each component that production has a class for had one volume of its own, beside what it shares."""
    keeping = {n for n, item in stack.components.items() if values_of(item, "production").get("defaultStorageClass")}
    assert keeping
    return {name: Asked(Need(claims=2)) if name in keeping else Asked() for name in stack.components}
