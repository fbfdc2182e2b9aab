"""A cluster in memory: keeps what is applied, by kind, namespace and name."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from data_platform.clients.kubernetes import FIELD_MANAGER
from data_platform.clients.kubernetes_errors import NOT_FOUND, ClusterError, refused
from tests.unit.clients.fake_objects import Key, Object, Objects, Refused, key_of


class FakeCluster:
    """What the target asks of `clients.kubernetes.Cluster`, without pods. Threads may use it at once.

    Attributes:
        kept: what is there, with its owners.
        objects: what is there, to look at and to change by hand.
        kinds: API version and name of each kind that it has besides.
    """

    def __init__(self) -> None:
        self.kinds: set[tuple[str, str]] = set()
        self.kept = Objects()
        self.objects: dict[Key, Object] = self.kept.kept

    def knows(self, api_version: str, kind: str) -> bool:
        return (api_version, kind) in self.kinds

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        del api_version
        try:
            return self.kept.get((kind, namespace, name))
        except Refused:
            return None

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        del api_version
        return self.kept.list(kind, namespace, labels)

    def server_side_apply(
        self, wanted: Object, *, dry_run: bool = False, force: bool = True, field_manager: str = FIELD_MANAGER
    ) -> Object:
        with _told("applying"):
            return self.kept.apply(wanted, field_manager, force=force, dry_run=dry_run)

    def create(self, wanted: Object) -> Object:
        with _told("making"):
            return self.kept.create(wanted, FIELD_MANAGER)

    def merge(self, seen: Object, change: Object) -> Object:
        version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
        body = {**change, "metadata": {**change.get("metadata", {}), **version}}
        with _told("changing"):
            return self.kept.merge(key_of(seen), body, FIELD_MANAGER)

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "", **_: object) -> bool:
        del api_version
        try:
            with _told("deleting"):
                self.kept.delete((kind, namespace, name))
        except ClusterError as error:
            if error.reason != NOT_FOUND:
                raise
            return False
        return True

    def wait_until(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, done: Callable[..., bool], **_: object
    ) -> Object | None:
        found = self.get(api_version, kind, name, namespace)
        assert done(found), f"{kind} {name} would be waited for"
        return found

    def release(
        self, name: str, namespace: str, manifest: str, values: Mapping[str, Any] | None = None, **more: str
    ) -> None:
        """Helm's record of a release, as Helm writes it."""
        labels = {"owner": "helm", "name": name, "version": "1", "status": "deployed"} | more
        content = {"manifest": manifest, "config": values}
        packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
        secret = f"sh.helm.release.v1.{name}.v{labels['version']}"
        self.objects["Secret", namespace, secret] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": namespace, "labels": labels},
            "data": {"release": base64.b64encode(packed).decode()},
        }


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Refusals as the client tells them."""
    try:
        yield
    except Refused as refusal:
        body = {"message": str(refusal), "reason": refusal.reason}
        raise refused(what, refusal.code, json.dumps(body).encode()) from None
