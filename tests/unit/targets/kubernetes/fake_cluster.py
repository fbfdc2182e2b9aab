"""A cluster in memory: keeps what is applied, by kind, namespace and name."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Callable
from typing import Any

from data_platform.clients.kubernetes_errors import CONFLICT, ClusterError

Object = dict[str, Any]


class FakeCluster:
    """What the target asks of `clients.kubernetes.Cluster`, without pods."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.version = 0

    @staticmethod
    def _key(thing: Object) -> tuple[str, str, str]:
        meta = thing["metadata"]
        return thing["kind"], meta.get("namespace", ""), meta["name"]

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        del api_version
        found = self.objects.get((kind, namespace, name))
        return copy.deepcopy(found) if found else None

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        del api_version
        wanted = [part.partition("=")[::2] for part in labels.split(",") if part]

        def fits(thing: Object) -> bool:
            own = thing["metadata"].get("labels", {})
            return all(own.get(key) == value if value else key in own for key, value in wanted)

        return [
            copy.deepcopy(thing)
            for (its, where, _), thing in sorted(self.objects.items())
            if its == kind and namespace in ("", where) and fits(thing)
        ]

    def server_side_apply(self, wanted: Object, *, dry_run: bool = False, **_: object) -> Object:
        before = self.objects.get(self._key(wanted), {})
        after = copy.deepcopy(_merged(before, wanted))
        if not dry_run and after != before:
            self.version += 1
            after["metadata"]["resourceVersion"] = str(self.version)
            self.objects[self._key(wanted)] = after
        return copy.deepcopy(after)

    def create(self, wanted: Object) -> Object:
        if self._key(wanted) in self.objects:
            raise ClusterError("it is there already", "read it", CONFLICT)
        return self.server_side_apply(wanted)

    def merge(self, seen: Object, change: Object) -> Object:
        there = self.objects[self._key(seen)]
        if there["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]:
            raise ClusterError("it was changed meanwhile", "read it again", CONFLICT)
        after = _without_null(_merged(there, change))
        self.version += 1
        after["metadata"]["resourceVersion"] = str(self.version)
        self.objects[self._key(seen)] = after
        return copy.deepcopy(after)

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "", **_: object) -> bool:
        del api_version
        if kind == "Namespace":
            for key in [key for key in self.objects if key[1] == name]:
                del self.objects[key]
        return self.objects.pop((kind, namespace, name), None) is not None

    def wait_until(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, done: Callable[..., bool], **_: object
    ) -> Object | None:
        found = self.get(api_version, kind, name, namespace)
        assert done(found), f"{kind} {name} would be waited for"
        return found

    def release(self, name: str, namespace: str, manifest: str, **more: str) -> None:
        """Helm's record of a release, as Helm writes it."""
        labels = {"owner": "helm", "name": name, "version": "1", "status": "deployed"} | more
        packed = base64.b64encode(gzip.compress(json.dumps({"manifest": manifest}).encode()))
        secret = f"sh.helm.release.v1.{name}.v{labels['version']}"
        self.objects["Secret", namespace, secret] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": namespace, "labels": labels},
            "data": {"release": base64.b64encode(packed).decode()},
        }


def _without_null(thing: Any) -> Any:
    """As a JSON merge patch leaves it."""
    if isinstance(thing, dict):
        return {key: _without_null(value) for key, value in thing.items() if value is not None}
    return thing


def _merged(before: Any, wanted: Any) -> Any:
    """What server-side apply makes of two dicts; lists are replaced."""
    if isinstance(before, dict) and isinstance(wanted, dict):
        return {
            key: _merged(before.get(key), wanted[key]) if key in wanted else before[key] for key in {**before, **wanted}
        }
    return wanted
