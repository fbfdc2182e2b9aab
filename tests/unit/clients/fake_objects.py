"""Objects as an API server keeps them: versions, conflicts, and who owns which field. Threads may write at once.

Simpler than the real one: a list is one field, versions of an API are one, nobody owns what says which object it is.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
#: Kind, namespace and name.
Key = tuple[str, str, str]
Path = tuple[str, ...]
#: Name, and how it writes (Apply or Update): two managers, even under one name.
Manager = tuple[str, str]

_NOBODYS = {
    ("apiVersion",),
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "resourceVersion"),
}
_NOTHING = object()


class Refused(Exception):  # noqa: N818 - an answer
    """A request that is refused, in the API server's words."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class Objects:
    """What is kept. Every method is one transaction.

    Attributes:
        kept: objects by kind, namespace and name. What a test puts there itself is owned by nobody.
        owners: fields of each object by their managers.
        version: of the newest write.
        lock: held while a request is carried out.
    """

    def __init__(self) -> None:
        self.kept: dict[Key, Object] = {}
        self.owners: dict[Key, dict[Manager, set[Path]]] = {}
        self.version = 0
        self.lock = threading.RLock()

    def get(self, key: Key) -> Object:
        """One object."""
        with self.lock:
            if key not in self.kept:
                raise Refused(404, "NotFound", f"{_named(key)} not found")
            return copy.deepcopy(self.kept[key])

    def list(self, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        """Objects of a kind with these labels (`key=value` or `key`), sorted; in all namespaces when none is given."""
        wanted = [part.partition("=")[::2] for part in labels.split(",") if part]

        def fits(thing: Object) -> bool:
            own = thing["metadata"].get("labels", {})
            return all(own.get(key) == value if value else key in own for key, value in wanted)

        with self.lock:
            found = [self.kept[key] for key in sorted(self.kept) if key[0] == kind and namespace in ("", key[1])]
            return [copy.deepcopy(thing) for thing in found if fits(thing)]

    def create(self, wanted: Object, manager: str) -> Object:
        """Make an object that is not there."""
        with self.lock:
            key = key_of(wanted)
            if key in self.kept:
                raise Refused(409, "AlreadyExists", f"{_named(key)} already exists")
            return self._keep(key, {}, wanted, {(manager, "Update"): set(fields(wanted))})

    def apply(self, wanted: Object, manager: str, *, force: bool, dry_run: bool = False) -> Object:
        """Make the fields what the manager says; those that it says no more go, unless somebody else has them."""
        with self.lock:
            key, me, said = key_of(wanted), (manager, "Apply"), fields(wanted)
            before = self.kept.get(key, {})
            _refuse_old(key, before, wanted)
            owners = {who: set(its) for who, its in self.owners.get(key, {}).items()} if before else {}
            own = owners.pop(me, set())
            taken = [(who, p) for who, its in owners.items() for p in its & said.keys() if _differ(before, p, said[p])]
            if taken and not force:
                told = ", ".join(f'conflict with "{who[0]}": .{".".join(path)}' for who, path in sorted(taken))
                raise Refused(
                    409, "Conflict", f"Apply failed with {len(taken)} conflict{'s'[: len(taken) > 1]}: {told}"
                )
            for who, path in taken:
                owners[who].discard(path)
            others = set().union(said, *owners.values())
            after = _merged(before, wanted)
            for path in own:
                if not any(other[: len(path)] == path for other in others):
                    _remove(after, path)
            return after if dry_run else self._keep(key, before, after, owners | {me: set(said)})

    def merge(self, key: Key, change: Object, manager: str) -> Object:
        """Change fields by a JSON merge patch (RFC 7396); null removes."""
        with self.lock:
            before = self.get(key)
            _refuse_old(key, before, change)
            after = _without_null(_merged(before, change))
            was, now = fields(before), fields(after)
            changed = {path for path in now if now[path] != was.get(path, _NOTHING)}
            owners = {who: its & now.keys() - changed for who, its in self.owners.get(key, {}).items()}
            me = (manager, "Update")
            return self._keep(key, before, after, owners | {me: owners.get(me, set()) | changed})

    def delete(self, key: Key) -> None:
        """Remove an object; a namespace with all that is in it."""
        with self.lock:
            self.get(key)
            for gone in [k for k in self.kept if k == key or (key[0] == "Namespace" and k[1] == key[2])]:
                del self.kept[gone]

    def _keep(self, key: Key, before: Object, after: Object, owners: dict[Manager, set[Path]]) -> Object:
        if before.get("immutable") and any(before.get(part) != after.get(part) for part in ("data", "immutable")):
            said = "data: Forbidden: field is immutable when `immutable` is set"
            raise Refused(422, "Invalid", f'{key[0]} "{key[2]}" is invalid: {said}')
        self.owners[key] = owners
        after = copy.deepcopy(after)
        if after != before:
            self.version += 1
            after["metadata"]["resourceVersion"] = str(self.version)
            self.kept[key] = after
        return copy.deepcopy(after)


def key_of(thing: Object) -> Key:
    """Where an object is kept."""
    meta = thing["metadata"]
    return thing["kind"], meta.get("namespace", ""), meta["name"]


def fields(thing: Object) -> dict[Path, Any]:
    """Fields that somebody can own, with their values."""

    def walk(part: Any, path: Path) -> Iterator[tuple[Path, Any]]:
        if isinstance(part, dict) and part:
            for key, value in part.items():
                yield from walk(value, (*path, key))
        else:
            yield path, part

    return {path: value for path, value in walk(thing, ()) if path not in _NOBODYS}


def _differ(thing: Any, path: Path, value: Any) -> bool:
    """Whether there is something else at the path."""
    for key in path:
        if not isinstance(thing, dict) or key not in thing:
            return False
        thing = thing[key]
    return bool(thing != value) and not (isinstance(thing, dict) and isinstance(value, dict))


def _remove(thing: Any, path: Path) -> None:
    """Remove a field, and what is empty without it."""
    first, *rest = path
    if not isinstance(thing, dict) or first not in thing:
        return
    if rest:
        _remove(thing[first], tuple(rest))
    if not rest or thing[first] == {}:
        del thing[first]


def _merged(before: Any, wanted: Any) -> Any:
    """Both dicts in one; lists are replaced."""
    if not isinstance(before, dict) or not isinstance(wanted, dict):
        return copy.deepcopy(wanted)
    return copy.deepcopy(before) | {key: _merged(before.get(key), value) for key, value in wanted.items()}


def _without_null(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {key: _without_null(value) for key, value in thing.items() if value is not None}
    return thing


def _refuse_old(key: Key, before: Object, body: Object) -> None:
    """Refuse what was decided on another version than the one that is there."""
    seen = body.get("metadata", {}).get("resourceVersion")
    if seen is not None and seen != before.get("metadata", {}).get("resourceVersion"):
        said = "the object has been modified; please apply your changes to the latest version and try again"
        raise Refused(409, "Conflict", f"Operation cannot be fulfilled on {_named(key)}: {said}")


def _named(key: Key) -> str:
    return f'{key[0].lower()}s "{key[2]}"'
