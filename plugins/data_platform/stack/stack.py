"""The platform of one profile on one target, as it was read from `stack/`. Read by: `data_platform.stack.load`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_platform.stack.definition import Artifact
from data_platform.stack.errors import PlatformError
from data_platform.stack.facet import Facet
from data_platform.stack.facets import FACETS
from data_platform.stack.graph import with_dependencies
from data_platform.stack.model import Loaded, StackFile

#: A dataset is a folder here with this file. What is in it: data_platform.stack.datasets.
DATASETS, CONTRACT = "datasets", "contract.odcs.yaml"


def datasets(root: Path) -> tuple[str, ...]:
    """Names of the datasets of a checkout: each has a contract. The only list of them."""
    return tuple(sorted(path.parent.name for path in (root / DATASETS).glob(f"*/{CONTRACT}")))


@dataclass(frozen=True)
class Stack:
    """The platform of one profile on one target: its components in dependency order, and who provides what."""

    root: Path
    file: StackFile
    profile: str
    target: str
    components: dict[str, Loaded]
    capabilities: dict[str, str]
    toolchains: dict[str, Artifact]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets of this checkout."""
        return datasets(self.root)

    @property
    def parts(self) -> dict[str, str]:
        """The platform's namespaces without its prefix, and what each is for. Each cluster service that it deploys has
        one of its own.
        """
        own = {i.part: i.component.summary for i in self.components.values() if i.service and i.is_deployed}
        return {**self.file.namespaces, **own}

    def resolve(self, name: str) -> str:
        """Component of that name, or the one that provides the capability of that name.

        Raises:
            PlatformError: there is neither.
        """
        found = self.capabilities.get(name, name)
        if found not in self.components:
            raise PlatformError(
                f"there is no component {name!r} in the profile {self.profile!r}",
                f"use one of: {', '.join(self.components)}",
            )
        return found

    def provider(self, capability: str) -> str | None:
        """Component that stands for a capability; None where none takes part."""
        found = self.capabilities.get(capability)
        return found if found in self.components else None

    def dependencies(self, name: str) -> tuple[str, ...]:
        """Names of the components that must be verified before this one, as components (capabilities resolved)."""
        return tuple(self.resolve(n) for n in self.components[name].component.all_before)

    def callees(self, name: str) -> tuple[str, ...]:
        """Names of the components that its processes call."""
        return tuple(self.resolve(n) for n in self.components[name].component.all_called)

    def edges(self) -> dict[str, tuple[str, ...]]:
        """Every component with its direct dependencies."""
        return {name: self.dependencies(name) for name in self.components}

    def only(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The named components and all that they depend on, in order; all components for an empty tuple."""
        wanted = (
            with_dependencies(self.edges(), tuple(self.resolve(n) for n in names)) if names else set(self.components)
        )
        return tuple(n for n in self.components if n in wanted)

    def worked_with(self, name: str) -> list[tuple[str, str, Facet]]:
        """What a component works with by its traits: component, name of the facet, and that component's facet."""
        own = self.components[name].component
        return [
            (other, facet, side)
            for facet in FACETS
            if own.has_trait(facet)
            for other, item in self.components.items()
            if (side := item.component.facets.get(facet)) is not None
        ]
