"""Where each secret's value may be, read from `stack/` alone: for `docs/reference/secrets.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from data_platform.stack.bindings import Places, bindings
from data_platform.stack.claim import CONFIGURATION, Claimed
from data_platform.stack.definition import Job, Process, Tool
from data_platform.stack.holders import PIPELINES, claimed, holder, holders
from data_platform.stack.load import KUBERNETES, LOCAL, load_stack
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.pods import mounted
from data_platform.targets.render import names

#: Where the platform may be: profile and target.
Place = tuple[str, str]
_MINIO, _WEED, _CLUSTER = ("default", LOCAL), ("seaweedfs", LOCAL), ("default", KUBERNETES)
PLACES: tuple[Place, ...] = (_MINIO, _CLUSTER, _WEED)
#: Words for some of them.
_WORDS = {
    frozenset({_MINIO, _WEED}): "on one machine",
    frozenset({_MINIO, _CLUSTER}): "with MinIO",
    frozenset({_CLUSTER}): "on Kubernetes",
    frozenset({_WEED}): "with SeaweedFS",
}
Secret = tuple[str, str]
#: Holders in the Secret of a task: pipelines, and the component of its tools.
_OF_A_TASK = 2
#: What was found, by secret.
Found = Mapping[Secret, list[str]]


class Row(NamedTuple):
    """One secret: what may hold its value."""

    holder: str
    key: str
    environments: str
    files: str
    servers: str


class _Nowhere(NamedTuple):
    host: str = "host"
    port: int = 1
    url: str = "url"


def rows(root: Path) -> Iterator[Row]:
    """One row a secret, of every holder in every profile and on every target.

    Args:
        root: the checkout.
    """
    stacks = {place: load_stack(root, *place) for place in PLACES}
    kinds = (_environments, _files, _servers)
    said: list[dict[Secret, dict[Place, list[str]]]] = [defaultdict(dict) for _ in kinds]
    secrets: dict[Secret, set[Place]] = {}
    for place, stack in stacks.items():
        for name, each in holders(stack).items():
            for key in each.generated:
                secrets.setdefault((name, key), set()).add(place)
        for column, kind in zip(said, kinds, strict=True):
            for secret, found in kind(stack).items():
                column[secret][place] = found
    for secret, there in secrets.items():
        yield Row(*secret, *(_merged(column.get(secret, {}), there) for column in said))


def _merged(found: Mapping[Place, list[str]], there: set[Place]) -> str:
    """What was found, each with where that is so if it is not so wherever the holder is."""
    where: dict[str, set[Place]] = defaultdict(set)
    for place in PLACES:
        for one in found.get(place, ()):
            where[one].add(place)
    parts = [one if places == there else f"{one} ({_WORDS[frozenset(places)]})" for one, places in where.items()]
    return "; ".join(parts) or "none"


def _secret_names(stack: Stack, component: str) -> dict[str, str]:
    """Key of each secret of a component, by the name of its binding."""
    of = holder(stack, component)
    known = {**of.fixed, **{key: key for key in of.generated}}
    return bindings(stack, component, Places(lambda *_: _Nowhere(), lambda *_: ""), lambda _: known).secret


def _environments(stack: Stack) -> Found:
    """Processes, jobs and tools whose `environment:` names a secret."""
    found: dict[Secret, list[str]] = defaultdict(list)
    for name, item in stack.components.items():
        known = _secret_names(stack, name)
        for what, spec in _specs(item):
            for binding in sorted(known.keys() & {each for text in spec.environment.values() for each in names(text)}):
                found[name, known[binding]].append(f"{what} of {name}")
    return found


def _specs(item: Loaded) -> Iterator[tuple[str, Process | Job | Tool]]:
    definition = item.definition
    for kind, specs in (("job", definition.jobs), ("process", definition.processes), ("tool", definition.tools)):
        yield from ((f"{kind} `{name}`", spec) for name, spec in specs.items())
    if item.kubernetes:
        yield from ((f"pod `{name}`", definition.tools[pod.tool]) for name, pod in item.kubernetes.pods.items())


def _files(stack: Stack) -> Found:
    """Configuration files that name a secret, or list those for whom their server makes something; and what is mounted
    with credentials.
    """
    found: dict[Secret, list[str]] = defaultdict(list)
    for name, item in stack.components.items():
        known = _secret_names(stack, name)
        for path, named in _templates(stack, item):
            where = f"`{path}` of {name}"
            for binding in sorted(known.keys() & named):
                found[name, known[binding]].append(where)
            for each, how in _served(stack, name):
                if each.claim.listed_as in named:
                    for key in each.claim.generated:
                        found[each.holder, key].append(f"{where}, {how}" if how else where)
    for secret, where in _mounted(stack):
        found[secret].append(where)
    return found


def _mounted(stack: Stack) -> Iterator[tuple[Secret, str]]:
    """Secrets of Kubernetes that are mounted with credentials; those that all tasks of datasets have are one."""
    found = [
        # All tasks of datasets have what pipelines hold.
        (name, "Secrets `airflow-task-…`" if name == PIPELINES and len(whose) <= _OF_A_TASK else f"Secret `{where}`")
        for where, whose in (mounted(stack) if stack.target == KUBERNETES else {}).items()
        for name in whose
    ]
    for name, where in dict.fromkeys(found):
        yield from (((name, key), where) for key in holder(stack, name).generated)


def _templates(stack: Stack, item: Loaded) -> Iterator[tuple[str, set[str]]]:
    """Templates of its configuration files, by the name that the file gets, with what they name."""
    for etc in ("etc", *(["etc-kubernetes"] if stack.target == KUBERNETES else [])):
        folder = item.folder / etc
        for path in sorted(folder.rglob("*.j2")):
            yield str(path.relative_to(folder).with_suffix("")), names(path.read_text(encoding="utf-8"), folder)


def _served(stack: Stack, provider: str) -> Iterator[tuple[Claimed, str]]:
    """What a component serves, each with what it has of the secret."""
    for each in claimed(stack, provider):
        yield each, each.claim.kept.get(stack.components[provider].component.serves[each.claim.kind], "")


def _servers(stack: Stack) -> Found:
    """Servers that know a secret, or something by which they recognise it, because they made its holder."""
    found: dict[Secret, list[str]] = defaultdict(list)
    for provider, item in stack.components.items():
        for each, how in _served(stack, provider):
            if item.component.serves[each.claim.kind] != CONFIGURATION:
                for key in each.claim.generated:
                    if (where := f"{provider}, {how}") not in found[each.holder, key]:
                        found[each.holder, key].append(where)
    return found
