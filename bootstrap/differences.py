"""`diff`: what two environments would deploy, where they differ. Needs no platform, and knows no secret."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bootstrap import environments
from data_platform import promotion
from data_platform.stack.load import KUBERNETES
from data_platform.targets.kubernetes.needs import values_of

#: What of an environment is compared as a whole; capabilities and components are compared one by one.
_KEYS = (
    "target", "profile", "size", "domain", "authorities", "retention", "promoted_from", "context", "kubeconfig",
    "registry", "storage_class",
)  # fmt: skip


class Difference(NamedTuple):
    """One thing that is not the same; None where one of them does not say it."""

    what: str
    a: Any
    b: Any


def diff(arguments: argparse.Namespace) -> int:
    """Print the differences; 0 when both could be deployed, whether they differ or not.

    Raises:
        PlatformError: an environment is wrong.
    """
    first, second = (environments.load(text) for text in arguments.environment)
    one, other = describe(first), describe(second)
    found = list(differences(one, other))
    if arguments.json:
        print(json.dumps({"a": one, "b": other, "differences": [each._asdict() for each in found]}, indent=2))
        return 0
    for each in found:
        print(f"{each.what}: {_shown(each.a)} in {first.name}, {_shown(each.b)} in {second.name}")
    print(f"{len(found)} differences." if found else f"{first.name} and {second.name} would deploy the same.")
    return 0


def describe(given: environments.Given) -> dict[str, Any]:
    """What an environment would deploy.

    Raises:
        PlatformError: it names what this checkout does not have.
    """
    settings = environments.settings_of(given)
    stack = environments.stack_of(settings)
    digests = promotion.digests(stack)
    return {
        "environment": given.name,
        **{key: settings.get(key) for key in _KEYS},
        "capabilities": dict(sorted(stack.capabilities.items())),
        "cluster_services": {name: item.provided for name, item in sorted(stack.components.items()) if item.service},
        "components": {
            name: {
                "version": item.component.version,
                "definition": digests[name],
                "values": values_of(item, settings["size"]) if stack.target == KUBERNETES else {},
            }
            for name, item in sorted(stack.components.items())
        },
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    """What two descriptions do not have in common; pure."""
    for key in _KEYS:
        if one[key] != other[key]:
            yield Difference(key.replace("_", " "), one[key], other[key])
    yield from _within("capability ", one["capabilities"], other["capabilities"])
    yield from _within("cluster service ", one["cluster_services"], other["cluster_services"])
    for name in sorted({*one["components"], *other["components"]}):
        mine, theirs = one["components"].get(name), other["components"].get(name)
        if mine is None or theirs is None:
            yield Difference(f"component {name}", mine and mine["version"], theirs and theirs["version"])
            continue
        for key in ("version", "definition"):
            if mine[key] != theirs[key]:
                yield Difference(f"{key} of {name}", mine[key], theirs[key])
        # `local` has no charts: all values would be a difference.
        if one["target"] == other["target"]:
            yield from _within(f"{name}: ", mine["values"], theirs["values"])


def _within(stem: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    """Where two mappings differ, key by key and in what they hold."""
    for key in sorted({*one, *other}):
        mine, theirs = one.get(key), other.get(key)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            yield from _within(f"{stem}{key}.", mine, theirs)
        elif mine != theirs:
            yield Difference(f"{stem}{key}", mine, theirs)


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
