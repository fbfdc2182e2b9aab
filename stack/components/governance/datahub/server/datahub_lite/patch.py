"""JSON Patch as DataHub's patch builders send it, and adding up of lineage.

DataHub addresses the items of an array by key, not by index (`/upstreams/<urn>`), creates missing parents, and does not
mind removing what is not there. A JSON Patch library does none of these, and acryl-datahub ships only the builders. So,
as DataHub's server does: arrays with a known key become nested maps, the operations apply to the maps, and the maps
become arrays again. Two aspects are added up by merging the same maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datahub.emitter.mcp_patch_builder import UNIT_SEPARATOR

from datahub_lite.errors import InvalidError

Path = tuple[str, ...]
#: Fields that identify the items of each array; none for an array of strings, which are their own key.
Keys = Mapping[Path, tuple[str, ...]]

_SOURCE = f"attribution{UNIT_SEPARATOR}source"
_FINE = "fineGrainedLineages"
#: Levels of the map of `fineGrainedLineages`: transformation, downstream field, query, upstream field.
_FINE_LEVELS = 4
_NONE = "NONE"

#: Keys where a patch does not bring its own (`arrayPrimaryKeys`).
DEFAULT_KEYS: Mapping[str, Keys] = {
    "upstreamLineage": {("upstreams",): ("dataset",)},
    "dataJobInputOutput": {
        ("inputDatasets",): (),
        ("outputDatasets",): (),
        ("inputDatajobs",): (),
        ("inputDatasetFields",): (),
        ("outputDatasetFields",): (),
        ("inputDatasetEdges",): ("destinationUrn",),
        ("outputDatasetEdges",): ("destinationUrn",),
        ("inputDatajobEdges",): ("destinationUrn",),
    },
    "globalTags": {("tags",): ("tag",)},
    "glossaryTerms": {("terms",): ("urn",)},
    "ownership": {("owners",): ("owner", "type")},
    "institutionalMemory": {("elements",): ("url",)},
    "structuredProperties": {("properties",): ("propertyUrn",)},
    "documentation": {("documentations",): (_SOURCE,)},
    "siblings": {("siblings",): ()},
    "domains": {("domains",): (), ("domainAssociations",): (_SOURCE, "domain")},
    "editableSchemaMetadata": {
        ("editableSchemaFieldInfo",): ("fieldPath",),
        ("editableSchemaFieldInfo", "globalTags", "tags"): ("tag",),
        ("editableSchemaFieldInfo", "glossaryTerms", "terms"): ("urn",),
    },
}


def apply(aspect: str, value: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """Apply a patch to the value of an aspect.

    Args:
        aspect: its name.
        value: what is stored; empty when nothing is.
        patch: a list of operations, or an object with them in `patch` and array keys in `arrayPrimaryKeys`.

    Raises:
        InvalidError: it is no patch, its path leads nowhere, or its value does not fit there.
    """
    try:
        operations, own_keys = _read(patch)
        form = _Form(aspect, own_keys)
        maps = form.to_maps(value)
        for operation in operations:
            form.operate(maps, operation)
        return dict(form.to_lists(maps))
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise InvalidError(f"a patch of {aspect} has not the shape of that aspect: {error}") from error


def merge(aspect: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Add a new value of an aspect to the old one: items of arrays are united by their key, otherwise the new one wins.

    Nothing is ever dropped, since what another producer said is not known to be wrong.
    """
    form = _Form(aspect, {})
    return dict(form.to_lists(_united(form.to_maps(old), form.to_maps(new))))


def _united(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: _united(old[key], item) if key in old else item for key, item in new.items()}}
    return new


def _read(patch: object) -> tuple[list[dict[str, Any]], Keys]:
    keys: dict[Path, tuple[str, ...]] = {}
    if isinstance(patch, dict):
        named = patch.get("arrayPrimaryKeys") or {}
        if not isinstance(named, dict):
            raise InvalidError("arrayPrimaryKeys must be an object")
        keys = {tuple(name.split("/")): tuple(fields) for name, fields in named.items()}
        patch = patch.get("patch")
    if not isinstance(patch, list) or not all(isinstance(item, dict) for item in patch):
        raise InvalidError("a patch must be a list of operations, or an object with such a list in `patch`")
    return patch, keys


def _pointer(text: object) -> list[str]:
    # datahub's own parse_patch_path refuses empty parts, which its builders send (tags without a source).
    if not isinstance(text, str) or not text.startswith("/"):
        raise InvalidError(f"path {text!r} of a patch must begin with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


class _Form:
    """How one aspect is written as nested maps."""

    def __init__(self, aspect: str, own_keys: Keys) -> None:
        self.keys = {**DEFAULT_KEYS.get(aspect, {}), **own_keys}
        # No key fields describe these: they are unfolded by their meaning.
        self.fine = (_FINE,) if aspect in ("upstreamLineage", "dataJobInputOutput") else None

    def _levels(self, path: Path) -> int:
        """How many parts of a pointer choose one item of the array at this path; 0 where there is no keyed array."""
        if path == self.fine:
            return _FINE_LEVELS
        return max(1, len(self.keys[path])) if path in self.keys else 0

    def to_maps(self, value: Any, path: Path = ()) -> Any:
        """Turn keyed arrays into nested maps, at any depth."""
        if isinstance(value, Mapping):
            return {key: self.to_maps(item, (*path, key)) for key, item in value.items()}
        if not isinstance(value, list) or not self._levels(path):
            return value
        maps: dict[str, Any] = {}
        for keys, item in _fine_items(value) if path == self.fine else self._items(value, path):
            _enter(maps, keys[:-1])[keys[-1]] = self._item_to_maps(item, path)
        return maps

    def _items(self, value: list[Any], path: Path) -> Iterable[tuple[list[str], Any]]:
        return ((_key_of(item, self.keys[path]), item) for item in value)

    def _item_to_maps(self, item: Any, path: Path) -> Any:
        return {k: self.to_maps(v, (*path, k)) for k, v in item.items()} if isinstance(item, Mapping) else item

    def to_lists(self, value: Any, path: Path = ()) -> Any:
        """Turn the maps of `to_maps` into arrays again."""
        if not isinstance(value, dict):
            return value
        if not (levels := self._levels(path)):
            return {key: self.to_lists(item, (*path, key)) for key, item in value.items()}
        leaves = list(_leaves(value, levels))
        if path == self.fine:
            return _fine_list(leaves)
        if not self.keys[path]:
            return [keys[-1] for keys, _ in leaves]
        return [self._item_to_lists(keys, item, path) for keys, item in leaves]

    def _item_to_lists(self, keys: list[str], item: Any, path: Path) -> Any:
        if not isinstance(item, dict):
            raise InvalidError(f"items of {'/'.join(path)} must be objects")
        found = {key: self.to_lists(part, (*path, key)) for key, part in item.items()}
        for field, key in zip(self.keys[path], keys, strict=True):
            if key and UNIT_SEPARATOR not in field:
                found.setdefault(field, key)
        return found

    def operate(self, maps: dict[str, Any], operation: Mapping[str, Any]) -> None:
        """Apply one operation to the maps.

        Raises:
            InvalidError: unknown operation, or a path that goes through something that is not an object.
        """
        verb, parts = operation.get("op"), _pointer(operation.get("path"))
        if verb not in ("add", "replace", "remove"):
            raise InvalidError(f"operation {verb!r} of a patch is not one of add, replace, remove")
        parent = _enter(maps, parts[:-1], make=verb != "remove")
        if verb == "remove":
            if parent is not None:
                parent.pop(parts[-1], None)
            return
        path, missing = self._place(parts)
        value = operation.get("value")
        if missing == 0:  # one item of a keyed array
            parent[parts[-1]] = self._item_to_maps(value, path)
        elif missing == self._levels(path):  # a whole array, or something that is none
            parent[parts[-1]] = self.to_maps(value, path)
        else:
            raise InvalidError(f"path {operation['path']} needs {missing} more part(s) to name an item")

    def _place(self, parts: list[str]) -> tuple[Path, int]:
        """Where in the aspect a pointer leads, and how many keys are missing to choose an item there."""
        path: Path = ()
        rest, missing = list(parts), -1
        while rest:
            path = (*path, rest.pop(0))
            levels = self._levels(path)
            taken = min(levels, len(rest))
            del rest[:taken]
            # Beyond an array that is not entered the pointer names the array itself.
            missing = levels - taken if levels else -1
        return path, missing if missing >= 0 else self._levels(path)


def _enter(maps: dict[str, Any], keys: Iterable[str], make: bool = True) -> Any:
    """The map below a chain of keys; None where it is missing and not to be made."""
    place: Any = maps
    for key in keys:
        if not isinstance(place, dict):
            raise InvalidError(f"{key!r} is below something that is not an object, or in an array without a known key")
        if key not in place:
            if not make:
                return None
            place[key] = {}
        place = place[key]
    if not isinstance(place, dict):
        raise InvalidError(
            "the path of a patch leads into something that is not an object, or an array without a known key"
        )
    return place


def _leaves(value: Any, levels: int) -> Iterable[tuple[list[str], Any]]:
    if levels == 0:
        yield [], value
    elif isinstance(value, dict):
        for key, below in value.items():
            for keys, leaf in _leaves(below, levels - 1):
                yield [key, *keys], leaf


def _key_of(item: Any, fields: tuple[str, ...]) -> list[str]:
    if not fields:
        return [str(item)]
    found = []
    for field in fields:
        value = item
        for part in field.split(UNIT_SEPARATOR):
            value = value.get(part) if isinstance(value, Mapping) else None
        found.append("" if value is None else str(value))
    return found


def _fine_items(value: list[Any]) -> Iterable[tuple[list[str], Any]]:
    for entry in value:
        if not isinstance(entry, Mapping):
            raise InvalidError(f"items of {_FINE} must be objects")
        leaf = {k: entry[k] for k in ("confidenceScore", "upstreamType", "downstreamType") if k in entry}
        start, query = entry.get("transformOperation") or _NONE, entry.get("query") or _NONE
        for downstream in entry.get("downstreams") or []:
            for upstream in entry.get("upstreams") or []:
                yield [start, downstream, query, upstream], leaf


def _fine_list(leaves: list[tuple[list[str], Any]]) -> list[dict[str, Any]]:
    entries: dict[tuple[str, ...], dict[str, Any]] = {}
    for (start, downstream, query, upstream), leaf in leaves:
        entry = entries.setdefault(
            (start, downstream, query),
            {
                "upstreamType": "FIELD_SET",
                "downstreamType": "FIELD",
                "confidenceScore": 1.0,
                **(leaf if isinstance(leaf, Mapping) else {}),
                "downstreams": [downstream],
                "upstreams": [],
                **({} if start == _NONE else {"transformOperation": start}),
                **({} if query == _NONE else {"query": query}),
            },
        )
        entry["upstreams"].append(upstream)
    for entry in entries.values():
        entry["upstreams"].sort()
    return list(entries.values())
