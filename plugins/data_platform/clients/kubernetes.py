"""The Kubernetes API: objects as dicts, commands in pods, ports of Services. Every call has a deadline.

Objects are what YAML says, of any kind, custom ones too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from data_platform.clients import kubernetes_streams as streams
from data_platform.clients.kubernetes_api import APPLY, MERGE, Api, Request, configure, configure_pod
from data_platform.clients.kubernetes_errors import EXPIRED, NOT_FOUND, TIMEOUT, UNKNOWN_KIND, UNREACHABLE, ClusterError
from data_platform.clients.kubernetes_forward import Forward

Object = dict[str, Any]

FIELD_MANAGER = "data-platform"
_SECONDS = 30.0
#: The API server ends a watch after this; we then look again.
_WATCH_SECONDS = 300.0
#: How long an API server may be away while something is waited for, and how often it is asked then.
_AWAY_SECONDS, _PAUSE_SECONDS = 30.0, 0.2


def connect(context: str | None = None, kubeconfig: Path | None = None, seconds: float = _SECONDS) -> Cluster:
    """A client of a named context, or of the cluster in which this process is a pod.

    Args:
        context: name of a context; None only inside a cluster.
        kubeconfig: file of the context; the user's own when None.
        seconds: deadline of one request.

    Raises:
        ClusterError: there is no such context, or no cluster around us.
    """
    configuration = configure(context, kubeconfig)
    return Cluster(lambda: Api(configuration, seconds))


def connect_in_pod(seconds: float = _SECONDS) -> Cluster:
    """A client of the cluster in which this process is a pod. A pod that never asks needs no token for it.

    Args:
        seconds: deadline of one request.
    """
    return Cluster(lambda: Api(configure_pod(), seconds))


class Cluster:
    """One API server. Objects go in and come out as dicts. May be used by several threads.

    Every method raises ClusterError when the API server refuses, cannot be reached, or does not know the kind.

    Args:
        make: gives what asks the API server; called when something is asked for the first time.
    """

    def __init__(self, make: Callable[[], Api]) -> None:
        self._make = make

    @cached_property
    def _api(self) -> Api:
        return self._make()

    @property
    def host(self) -> str:
        """Address of the API server."""
        return self._api.host

    # Objects

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object; None when it is not there."""
        what = f"reading {_named(kind, name, namespace)}"
        try:
            found: Object = self._api.json(Request("GET", self._api.path(api_version, kind, name, namespace), what))
        except ClusterError as error:
            if error.reason == NOT_FOUND:
                return None
            raise
        return found

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind, by name; in all namespaces when none is given.

        Args:
            api_version: such as `v1` or `apps/v1`.
            kind: such as `Pod`.
            namespace: where to look.
            labels: a label selector, such as `app.kubernetes.io/name=trino`.
        """
        path, what = self._api.path(api_version, kind, "", namespace), f"listing {_named(kind, '', namespace)}"
        chosen = {"labelSelector": labels} if labels else {}
        query, found = chosen | {"limit": "500"}, list[Object]()
        while True:
            try:
                page = self._api.json(Request("GET", path, what, query))
            except ClusterError as error:
                if error.reason != EXPIRED or "continue" not in query:
                    raise
                # It took longer than the server remembers the list. All at once then, as Kubernetes' own clients do.
                query, found = chosen, []
                continue
            # Members of a list do not say what they are.
            found += [{"apiVersion": api_version, "kind": kind} | item for item in page["items"]]
            if not (more := page["metadata"].get("continue")):
                break
            query["continue"] = more
        return sorted(found, key=lambda o: (o["metadata"].get("namespace", ""), o["metadata"]["name"]))

    def server_side_apply(
        self,
        wanted: Mapping[str, Any],
        *,
        dry_run: bool = False,
        force: bool = True,
        field_manager: str = FIELD_MANAGER,
    ) -> Object:
        """Make an object what its dict says, and own these fields; others keep theirs.

        Args:
            wanted: the object, with apiVersion, kind and metadata.
            dry_run: judge it, schema and admission included, and keep nothing.
            force: take fields over that others own; otherwise that is a conflict.
            field_manager: who owns the fields.

        Returns:
            The object as the API server has it then.
        """
        meta = wanted["metadata"]
        name, namespace = str(meta["name"]), str(meta.get("namespace", ""))
        path = self._api.path(str(wanted["apiVersion"]), str(wanted["kind"]), name, namespace)
        query = {"fieldManager": field_manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        what = f"applying {_named(str(wanted['kind']), name, namespace)}"
        found: Object = self._api.json(Request("PATCH", path, what, query, wanted, APPLY))
        return found

    def create(self, wanted: Mapping[str, Any]) -> Object:
        """Make an object that is not there yet; one that is there is a conflict, and stays as it is.

        Args:
            wanted: the object, with apiVersion, kind and metadata.
        """
        kind, namespace = str(wanted["kind"]), str(wanted["metadata"].get("namespace", ""))
        path = self._api.path(str(wanted["apiVersion"]), kind, "", namespace)
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        what = f"making {_named(kind, str(wanted['metadata']['name']), namespace)}"
        found: Object = self._api.json(Request("POST", path, what, query, wanted))
        return found

    def merge(self, seen: Mapping[str, Any], change: Mapping[str, Any]) -> Object:
        """Change fields of an object if it still is what was seen; otherwise that is a conflict.

        Args:
            seen: the object as it was read.
            change: the fields that are to differ.
        """
        meta, kind = seen["metadata"], str(seen["kind"])
        name, namespace = str(meta["name"]), str(meta.get("namespace", ""))
        path = self._api.path(str(seen["apiVersion"]), kind, name, namespace)
        body = {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": meta["resourceVersion"]}}
        query, what = {"fieldManager": FIELD_MANAGER}, f"changing {_named(kind, name, namespace)}"
        found: Object = self._api.json(Request("PATCH", path, what, query, body, MERGE))
        return found

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, uid: str = "", at_once: bool = False
    ) -> bool:
        """Ask for the end of an object and of what it owns; False when it was not there.

        Args:
            api_version: such as `v1`.
            kind: such as `Pod`.
            name: of the object.
            namespace: of the object.
            uid: delete it only if it still is that one.
            at_once: a pod gets no time to end.
        """
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        body |= {"gracePeriodSeconds": 0} if at_once else {}
        body |= {"preconditions": {"uid": uid}} if uid else {}
        what = f"deleting {_named(kind, name, namespace)}"
        try:
            self._api.send(Request("DELETE", self._api.path(api_version, kind, name, namespace), what, body=body))
        except ClusterError as error:
            if error.reason == NOT_FOUND:
                return False
            raise
        return True

    def wait_until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        done: Callable[[Object | None], bool],
        seconds: float,
    ) -> Object | None:
        """Watch an object until `done` says so of it (None: it is not there); returns it as it is then.

        An API server that goes away for a moment, as in an upgrade, does not end it.

        Raises:
            ClusterError: not done in time.
        """
        end = time.monotonic() + seconds
        named = _named(kind, name, namespace)
        path = self._api.path(api_version, kind, "", namespace)
        heard = time.monotonic()
        while True:
            try:
                seen = self.get(api_version, kind, name, namespace)
            except ClusterError as error:
                if error.reason not in (UNREACHABLE, TIMEOUT) or time.monotonic() > min(end, heard + _AWAY_SECONDS):
                    raise
                time.sleep(_PAUSE_SECONDS)
                continue
            heard = time.monotonic()
            if done(seen):
                return seen
            if (left := end - heard) <= 0:
                raise ClusterError(f"{named}: not done after {seconds:.0f} s", "look at its state and events", TIMEOUT)
            query = {"watch": "true", "fieldSelector": f"metadata.name={name}"}
            query |= {"timeoutSeconds": str(max(1, int(min(left, _WATCH_SECONDS))))}
            query |= {"resourceVersion": str(seen["metadata"]["resourceVersion"])} if seen else {}
            for line in self._api.lines(Request("GET", path, f"watching {named}", query), min(left, _WATCH_SECONDS)):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break  # Its version is too old; look again.
                seen = None if event["type"] == "DELETED" else event["object"]
                if done(seen):
                    return seen
            time.sleep(min(_PAUSE_SECONDS, left))

    def wait_for_pod(self, name: str, namespace: str, seconds: float) -> Object:
        """Watch a pod until its containers have ended, and return it.

        Raises:
            ClusterError: it goes on, or somebody removed it.
        """
        ended = {"Succeeded", "Failed"}

        def done(pod: Object | None) -> bool:
            return pod is None or pod["status"].get("phase") in ended

        pod = self.wait_until("v1", "Pod", name, namespace, done=done, seconds=seconds)
        if pod is None:
            raise ClusterError(f"{_named('Pod', name, namespace)} was removed while it ran", "run it again", NOT_FOUND)
        return pod

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether the cluster has that kind (a CRD may be missing)."""
        try:
            self._api.path(api_version, kind, "", "")
        except ClusterError as error:
            if error.reason == UNKNOWN_KIND:
                return False
            raise
        return True

    # The cluster itself

    def version(self) -> tuple[int, int]:
        """Major and minor version of the API server."""
        found = self._api.json(Request("GET", "/version", f"asking {self.host} for its version"))
        # Some vendors write 34+.
        return int(found["major"]), int(str(found["minor"]).rstrip("+"))

    def can_i(self, verb: str, resource: str, namespace: str = "", *, group: str = "", name: str = "") -> bool:
        """Whether we may do that; `resource` is a plural, such as `pods` or `pods/log`."""
        plural, _, part = resource.partition("/")
        asked = {"verb": verb, "resource": plural, "subresource": part, "namespace": namespace, "group": group}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked | {"name": name}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        review = self._api.json(Request("POST", path, "asking for our permissions", body=body))
        return bool(review["status"]["allowed"])

    # Pods

    def execute(
        self, pod: str, namespace: str, argv: Sequence[str], stdin: bytes = b"", *, container: str = "", seconds: float
    ) -> streams.Executed:
        """Run a command in a running pod to its end.

        Args:
            pod: name of the pod.
            namespace: of the pod.
            argv: program and arguments; no secrets, they are in the API server's audit log.
            stdin: what it reads.
            container: name; the pod's first when empty.
            seconds: deadline.
        """
        query = [("command", word) for word in argv]
        query += [(name, "true") for name in ("stdin", "stdout", "stderr")]
        query += [("container", container)] if container else []
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        channels = streams.Channels(self._api.access(), path, query, streams.EXEC, min(seconds, self._api.seconds))
        try:
            return streams.execute(channels, stdin, seconds, f"{argv[0]} in {_named('Pod', pod, namespace)}")
        finally:
            channels.close()

    def logs(
        self, pod: str, namespace: str, *, container: str = "", lines: int | None = None, previous: bool = False
    ) -> str:
        """Log of a pod's container.

        Args:
            pod: name of the pod.
            namespace: of the pod.
            container: name; needed when the pod has several.
            lines: only the last ones.
            previous: of the container that ran before the last restart.
        """
        query = {"container": container} if container else {}
        query |= {"tailLines": str(lines)} if lines is not None else {}
        query |= {"previous": "true"} if previous else {}
        what = f"reading the log of {_named('Pod', pod, namespace)}"
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        return self._api.send(Request("GET", path, what, query)).decode(errors="replace")

    @contextmanager
    def port_forward(self, service: str, namespace: str, port: int, local: int = 0) -> Iterator[Forward]:
        """A local port that leads to a port of a Service, for as long as the context lasts.

        Each connection goes to a pod that is ready then, so it outlives its pods.

        Args:
            service: the Service.
            namespace: where it is.
            port: of the Service.
            local: the local port; a free one for 0.

        Raises:
            OSError: somebody else listens on the local port.
        """
        with Forward(self, self._api.access, service, namespace, port, local=local) as forward:
            yield forward


def _named(kind: str, name: str, namespace: str) -> str:
    """`Pod trino-0 in data-platform-processing`."""
    return kind + (f" {name}" if name else "s") + (f" in {namespace}" if namespace else "")
