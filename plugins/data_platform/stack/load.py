"""Read `stack/` into a checked `Stack`. Every mistake in it ends here, with the file, the key and the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

try:
    # In C: every task and every command reads the stack.
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

from data_platform.stack import consistency, services
from data_platform.stack.definition import Artifact, Kubernetes, Local
from data_platform.stack.errors import PlatformError
from data_platform.stack.graph import in_order
from data_platform.stack.model import Component, Loaded, StackFile
from data_platform.stack.service import CLUSTER, Provided
from data_platform.stack.stack import Stack
from data_platform.stack.terms import Strict

DEFAULT_PROFILE = "default"
#: Where components can run. A component exists on the targets that it has a file for.
LOCAL, KUBERNETES = "local", "kubernetes"
TARGETS = (LOCAL, KUBERNETES)
#: In local.yaml and kubernetes.yaml: the version that component.yaml says.
_VERSION = re.compile(r"\{\{\s*VERSION\s*\}\}")
M = TypeVar("M", bound=Strict)


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except FileNotFoundError:
        raise PlatformError(f"{path} is missing", "create it; docs/how-to/ says what belongs to what") from None
    except yaml.YAMLError as error:
        raise PlatformError(f"{path} is not YAML: {error}", "correct the syntax at that line") from None


def _explain(path: Path, error: ValidationError) -> PlatformError:
    """All mistakes of one file in one error."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or "(whole file)"
        what = "unknown key" if item["type"] == "extra_forbidden" else item["msg"]
        lines.append(f"{path}: {where}: {what}")
    return PlatformError("\n".join(lines), "correct the key; docs/reference/ lists what each file may say")


def parse(model: type[M], path: Path, version: str | None = None) -> M:
    """Read one YAML file as a model.

    Args:
        model: what it says.
        path: the file.
        version: of the component, which `{{ VERSION }}` in the file's strings becomes.

    Raises:
        PlatformError: the file is missing, is no YAML, or says something that the model does not know.
    """
    content = _read_yaml(path)
    try:
        return model.model_validate(content if version is None else _with_version(content, version))
    except ValidationError as error:
        raise _explain(path, error) from None


def _with_version(content: Any, version: str) -> Any:
    if isinstance(content, str):
        return _VERSION.sub(version, content)
    if isinstance(content, dict):
        return {key: _with_version(value, version) for key, value in content.items()}
    return [_with_version(value, version) for value in content] if isinstance(content, list) else content


def _load_component(folder: Path, file: StackFile, target: str) -> Loaded:
    component = parse(Component, folder / "component.yaml")
    if component.name != folder.name or component.namespace != folder.parent.name:
        raise PlatformError(
            f"{folder / 'component.yaml'}: name and namespace are {component.namespace}/{component.name}, "
            f"but its folder is {folder.parent.name}/{folder.name}",
            "give the folder and the component the same name and namespace",
        )
    if component.namespace not in {*file.namespaces, CLUSTER}:
        raise PlatformError(
            f"{folder / 'component.yaml'}: namespace {component.namespace!r} is not in stack.yaml",
            f"use one of {', '.join(file.namespaces)}, or add it to stack/stack.yaml",
        )
    if target == LOCAL:
        definition = parse(Local, folder / "local.yaml", component.version)
        return Loaded(component=component, definition=definition.whole(), folder=folder)
    local = Local.model_validate({})
    if (folder / "local.yaml").exists():
        local = parse(Local, folder / "local.yaml", component.version)
    here = parse(Kubernetes, folder / "kubernetes.yaml", component.version)
    component = component.model_copy(
        update={
            "after": (*component.after, *here.after),
            "calls": (*component.calls, *here.calls),
            "endpoints": {**component.endpoints, **here.endpoints},
            **here.facets,
            "checks": (*component.checks, *(here.cluster_service.checks() if here.cluster_service else ())),
        }
    )
    return Loaded(component=component, definition=here.over(local).whole(), folder=folder, kubernetes=here)


def _load_components(base: Path, file: StackFile, target: str) -> dict[str, Loaded]:
    """All components of all profiles that exist on a target, by name."""
    # A folder with a local.yaml alone counts too: it must not be left out in silence.
    folders = sorted({path.parent for n in ("component", *TARGETS) for path in base.glob(f"components/*/*/{n}.yaml")})
    if not folders:
        raise PlatformError(f"{base / 'components'} holds no component", "is this a whole checkout?")
    loaded: dict[str, Loaded] = {}
    for folder in folders:
        if other := loaded.get(folder.name):
            raise PlatformError(
                f"two components are named {folder.name}: {other.folder} and {folder}", "give one of them another name"
            )
        others = [name for name in TARGETS if name != target and (folder / f"{name}.yaml").exists()]
        if (folder / f"{target}.yaml").exists() or not others:
            loaded[folder.name] = _load_component(folder, file, target)
    return loaded


def load_stack(
    root: Path,
    profile: str = DEFAULT_PROFILE,
    target: str = LOCAL,
    capabilities: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    cluster_services: Mapping[str, Provided] | None = None,
) -> Stack:
    """Read and check `root/stack` for one profile on one target.

    Args:
        root: the checkout.
        profile: a profile of stack.yaml.
        target: local or kubernetes.
        capabilities: which components an environment chooses, over the profile's.
        values: what an environment says over the values of charts, by component.
        cluster_services: who has which, as an environment says.

    Raises:
        PlatformError: any mistake: unknown key, cycle, missing dependency, two components on one port, …
    """
    base = root / "stack"
    file = parse(StackFile, base / "stack.yaml")
    if profile not in file.profiles:
        raise PlatformError(f"there is no profile {profile!r}", f"use one of: {', '.join(file.profiles)}")
    loaded = _load_components(base, file, target)
    consistency.refuse_shared_ports(loaded)
    for item in loaded.values():
        consistency.refuse_unfit_facets(item)
        services.refuse_misfits(item, file)
    loaded = services.chosen(loaded, cluster_services or {})
    away = services.names(base) - loaded.keys()
    consistency.refuse_homeless_identities(file, base)
    consistency.refuse_ambiguous_capabilities(file, loaded)

    chosen = file.profiles[profile]
    by_environment = capabilities or {}
    _refuse_unknown_capabilities(file, by_environment)
    capabilities = {**file.capabilities, **chosen.capabilities, **by_environment}
    away |= {capability for capability, provider in capabilities.items() if provider in away}
    capabilities = {capability: provider for capability, provider in capabilities.items() if capability not in away}
    for capability, provider in capabilities.items():
        if provider not in loaded or capability not in loaded[provider].component.provides:
            where = "environment" if capability in by_environment else "stack.yaml"
            raise PlatformError(
                f"{where}: {provider!r} stands for the capability {capability!r} but does not provide it on {target}",
                f"add 'provides: [{capability}]' to its component.yaml, or choose another component",
            )
    # A component that provides a capability takes part only where it was chosen for one.
    components = {
        name: services.without(item, away)
        for name, item in loaded.items()
        if name not in chosen.without
        and (not item.component.provides or any(capabilities.get(c) == name for c in item.component.provides))
    }
    there = {capability for capability, provider in capabilities.items() if provider in components}
    components = {name: services.given(item, file.capabilities, there) for name, item in components.items()}
    components |= _told(components, values or {})
    for item in components.values():
        consistency.refuse_two_pages(item)
        consistency.refuse_unknown_edges(item, {*components, *(c for c, n in capabilities.items() if n in components)})
    edges = {
        name: tuple(capabilities.get(n, n) for n in item.component.all_before) for name, item in components.items()
    }
    toolchains = load_toolchains(base / "toolchains.yaml")
    for item in components.values():
        if unknown := sorted(set(item.definition.toolchains) - set(toolchains)):
            raise PlatformError(
                f"{item.folder / f'{target}.yaml'}: toolchains names {', '.join(unknown)}",
                f"use one of {', '.join(toolchains)}, or add it to stack/toolchains.yaml",
            )
    stack = Stack(root, file, profile, target, {n: components[n] for n in in_order(edges)}, capabilities, toolchains)
    consistency.refuse_unserved_claims(stack, loaded)
    return stack


def _refuse_unknown_capabilities(file: StackFile, chosen: Mapping[str, str]) -> None:
    if unknown := sorted(chosen.keys() - file.capabilities.keys()):
        raise PlatformError(
            f"environment: capabilities: there is no capability {', '.join(unknown)}",
            f"use one of: {', '.join(file.capabilities)}",
        )


def _told(components: Mapping[str, Loaded], values: Mapping[str, Mapping[str, Any]]) -> dict[str, Loaded]:
    """The components of which an environment says something, with that."""
    if unknown := sorted(values.keys() - components.keys()):
        raise PlatformError(
            f"environment: values: there is no component {', '.join(unknown)} in it",
            f"use one of: {', '.join(sorted(components))}",
        )
    return {name: components[name].model_copy(update={"values": dict(said)}) for name, said in values.items()}


def load_toolchains(path: Path) -> dict[str, Artifact]:
    """Read `stack/toolchains.yaml`.

    Raises:
        PlatformError: see `parse`.
    """
    try:
        return TypeAdapter(dict[str, Artifact]).validate_python(_read_yaml(path))
    except ValidationError as error:
        raise _explain(path, error) from None
