"""Which secrets there are: all that a platform keeps, on this machine and in its namespaces."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bootstrap.support import patterns
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.supervisor import key_of
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NOT_YET, holders
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import credentials, places
from data_platform.targets.kubernetes.permissions import namespaces
from data_platform.targets.local.state import State, read_json

Object = dict[str, Any]
#: Helm's records: what releases were told, in which there is no secret, packed.
_RELEASE = "helm.sh/release.v1"
#: Names of credentials that are a name: of a user, or the public half of a key.
_A_NAME = re.compile(r"(?:^|_)(?:username|user|login|(?<!secret_)access_key)$")
#: In a file with several lines: what may be a secret by its form alone, and a line of a key.
_WORD = re.compile(r"(?=(?:[^\d\s]*\d){3})[\w+/=~.-]{24,}")
_PUBLIC_PEM = re.compile(r"-----BEGIN (CERTIFICATE|[A-Z ]*PUBLIC KEY)-----.*?-----END \1-----", re.DOTALL)


@dataclass
class Known:
    """What is known of secrets.

    Attributes:
        values: by label, `<holder>/<name>` or `<namespace>/<Secret>/<name>`.
        public: words that are no secret whoever has them as a value.
        blind: why secrets could not be read, by place: `state`, or a namespace. What may hold them is left out.
    """

    values: dict[str, str] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)
    blind: dict[str, str] = field(default_factory=dict)


#: Places: what is kept on this machine, and all namespaces together.
STATE, CLUSTER = "state", "cluster"


def of_machine(state: State, environment: Mapping[str, str] = os.environ) -> Known:
    """Secrets that the state folder keeps, and those that this command was given.

    Args:
        state: the state folder; it need not be there.
        environment: of this command.
    """
    found = Known()
    try:
        kept = read_json(state.credentials_file)
        key = key_of(state.socket)
        # It is above the state folder where the path of that is long.
        supervisor = {"supervisor/key": key.read_text(encoding="utf-8")} if key.exists() else {}
    except (OSError, UnicodeError, PlatformError) as error:
        found.blind[STATE] = str(error)
        kept, supervisor = {}, {}
    for holder, entry in kept.items():
        found.public.add(holder)
        for name, value in entry.items() if isinstance(entry, dict) else ():
            found.public.add(name)
            if isinstance(value, str) and not _A_NAME.search(name) and value != NOT_YET:
                found.values[f"{holder}/{name}"] = value
    given = {f"environment/{name}": value for name, value in environment.items() if patterns.NAME.search(name)}
    found.values |= supervisor | given
    return found


def add_names(known: Known, stack: Stack) -> None:
    """Learn which words are names of the platform, and no secret."""
    for name, holder in holders(stack).items():
        known.public |= {name, *holder.generated, *holder.fixed, *holder.fixed.values()}
        for key in holder.fixed:
            known.values.pop(f"{name}/{key}", None)
    known.public |= {stack.file.name, *stack.components, *stack.capabilities, *stack.parts, *namespaces(stack)}


def add_cluster(known: Known, cluster: Cluster, stack: Stack) -> None:
    """Learn all Secrets of the platform's namespaces; one that may not be read is named in `blind`."""
    for namespace in namespaces(stack):
        try:
            kept = cluster.list_objects("v1", "Secret", namespace)
        except PlatformError as error:
            known.blind[namespace] = str(error)
            continue
        for secret in kept:
            for label, value in _of_secret(secret, stack):
                known.values.setdefault(label, value)


def _of_secret(secret: Object, stack: Stack) -> Iterator[tuple[str, str]]:
    meta = secret["metadata"]
    if secret.get("type") == _RELEASE:
        return
    name, labels = str(meta["name"]), meta.get("labels") or {}
    is_ours = labels.get(places.MANAGED_BY) == places.MANAGER
    holder = name.removesuffix(credentials.SUFFIX)
    is_holders = is_ours and holder != name and holder in holders(stack)
    for key, encoded in (secret.get("data") or {}).items():
        try:
            text = base64.b64decode(encoded).decode()
        except ValueError:
            continue  # Bytes, such as a key store: in no text are they written as they are.
        if is_holders:
            yield f"{holder}/{key}", text
            continue
        label = f"{meta['namespace']}/{name}/{key}"
        for number, value in enumerate(_values(key, text, is_ours=is_ours)):
            yield (f"{label}.{number}" if number else label), value


def _values(key: str, text: str, *, is_ours: bool) -> Iterable[str]:
    """What of a Secret's entry is secret.

    Ours hold whole environments and files; secret in them is what holders have, and what is called so. Of others nobody
    knows, so all of it is.
    """
    text = _PUBLIC_PEM.sub("", text).strip()
    if not text:
        return []
    if "\n" not in text and not text.startswith("{"):
        return [text] if patterns.NAME.search(key) or not (is_ours or _A_NAME.search(key)) else []
    found = [match["quoted"] or match["bare"] for match in patterns.NAMED.finditer(text)]
    if not is_ours:
        found += [match[0] for match in _WORD.finditer(text)]
        found += _leaves(text)
    return dict.fromkeys(value for value in found if value)


def _leaves(text: str) -> list[str]:
    """All texts in JSON; none where it is none."""
    try:
        content = json.loads(text)
    except ValueError:
        return []
    found, open_ = [], [content]
    while open_:
        each = open_.pop()
        if isinstance(each, dict):
            open_ += [value for key, value in each.items() if not _A_NAME.search(key)]
        elif isinstance(each, list):
            open_ += each
        elif isinstance(each, str):
            found.append(each)
    return found
