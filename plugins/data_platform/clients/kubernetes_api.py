"""Requests to a Kubernetes API server: who we are, whom we trust, where each kind of object lies.

Configuration, authentication and trust are the official package's. A KUBECONFIG that happens to be set is never used
by itself: its context must be named.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import urllib3
from kubernetes import client as official
from kubernetes import config as official_config
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME

from data_platform.clients.kubernetes_errors import NO_TOKEN, NOT_FOUND, UNKNOWN_KIND, ClusterError, away, refused
from data_platform.clients.kubernetes_streams import Access

JSON, APPLY = "application/json", "application/apply-patch+yaml"
#: A JSON merge patch (RFC 7396).
MERGE = "application/merge-patch+json"
_HTTP_ERROR, _HTTP_GONE = 400, 410


class Request(NamedTuple):
    """One request; `doing` begins the message of its error."""

    method: str
    path: str
    doing: str
    query: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    form: str = JSON


def kubeconfig_path() -> Path:
    """The file whose contexts may be named: the first of $KUBECONFIG, or ~/.kube/config."""
    given = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(given[0]) if given else Path(os.environ.get("HOME") or "/") / ".kube" / "config"


def contexts(kubeconfig: Path | None = None) -> list[str]:
    """Names of the contexts of a kubeconfig, sorted; none when there is no such file."""
    path = kubeconfig or kubeconfig_path()
    try:
        found, _ = official_config.list_kube_config_contexts(str(path))
    except (official_config.ConfigException, OSError):
        return []
    return sorted(str(context["name"]) for context in found)


def configure(context: str | None, kubeconfig: Path | None) -> Any:
    """The official package's configuration for a named context, or for the cluster in which this process is a pod.

    Raises:
        ClusterError: there is no such context, or no cluster around us.
    """
    configuration = official.Configuration()
    # Like all our clients: no proxy of the environment.
    configuration.proxy = configuration.no_proxy = None
    path = kubeconfig or kubeconfig_path()
    try:
        if context is None:
            official_config.load_incluster_config(configuration)
        elif context not in (known := contexts(path)):
            raise ClusterError(
                f"there is no context {context!r} in {path}",
                f"name one of: {', '.join(known)}" if known else "name a kubeconfig that has it by KUBECONFIG",
                NOT_FOUND,
            )
        else:
            official_config.load_kube_config(str(path), context, configuration, persist_config=False)
    except official_config.ConfigException as error:
        if context is None:
            known = contexts(path)
            raise ClusterError(
                "no cluster was named, and this process is not a pod of one",
                f"name a context: --context {' or '.join(known) if known else 'NAME'}",
            ) from None
        raise ClusterError(f"the context {context!r} in {path} cannot be used: {error}", "correct it") from None
    return configuration


def configure_pod() -> Any:
    """The official package's configuration for the cluster in which this process is a pod.

    Raises:
        ClusterError: the pod holds no token, so it has nothing to ask with.
    """
    if not Path(SERVICE_TOKEN_FILENAME).exists():
        raise ClusterError(
            "this pod holds no token for the API server of Kubernetes",
            "what needs one runs in the triggerer (data_platform.operators.triggerer), or in the deployer's pod "
            "(executor_config=deployer_pod(), data_platform.operators.pods); see docs/kubernetes/guard-rails.md",
            NO_TOKEN,
        )
    return configure(None, None)


class Api:
    """One API server. May be used by several threads.

    Attributes:
        host: its address.
        seconds: deadline of one request.
    """

    def __init__(self, configuration: Any, seconds: float) -> None:
        self.host = str(configuration.host)
        self.seconds = seconds
        self._configuration = configuration
        self._client = official.ApiClient(configuration)
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def path(self, api_version: str, kind: str, name: str = "", namespace: str = "") -> str:
        """Path of a kind's objects, or of one of them, as the cluster itself tells it.

        Raises:
            ClusterError: it does not know the kind.
        """
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if kind not in self._kinds.get(api_version, {}):
            try:
                found = self.json(Request("GET", base, f"asking for the kinds of {api_version}"))["resources"]
            except ClusterError as error:
                if error.reason != NOT_FOUND:
                    raise
                found = []
            self._kinds[api_version] = {r["kind"]: (r["name"], r["namespaced"]) for r in found if "/" not in r["name"]}
        if kind not in self._kinds[api_version]:
            raise ClusterError(
                f"the cluster has no kind {kind} of {api_version}",
                f"install its CustomResourceDefinition (the operator that owns {api_version.partition('/')[0]}), "
                "or switch off what uses it in the values of this size",
                UNKNOWN_KIND,
            )
        plural, namespaced = self._kinds[api_version][kind]
        inside = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{base}{inside}/{plural}" + (f"/{name}" if name else "")

    def json(self, request: Request) -> Any:
        """The answer's JSON."""
        return json.loads(self.send(request))

    def send(self, request: Request) -> bytes:
        """The whole answer.

        Raises:
            ClusterError: the API server refuses, or cannot be reached.
        """
        answer = self._ask(request, urllib3.Timeout(total=self.seconds), whole=True)
        if answer.status >= _HTTP_ERROR:
            raise refused(request.doing, answer.status, answer.data)
        return answer.data

    def lines(self, request: Request, seconds: float) -> Iterator[bytes]:
        """Lines of an answer that goes on, until it ends or breaks."""
        answer = self._ask(request, urllib3.Timeout(connect=self.seconds, read=seconds), whole=False)
        try:
            if answer.status == _HTTP_GONE:
                return
            if answer.status >= _HTTP_ERROR:
                raise refused(request.doing, answer.status, answer.data)
            buffer = b""
            for chunk in answer.stream(None):
                *whole, buffer = (buffer + chunk).split(b"\n")
                yield from filter(None, whole)
        except (urllib3.exceptions.HTTPError, OSError):
            return
        finally:
            answer.close()

    def access(self) -> Access:
        """How to open a stream, with a fresh token."""
        its = self._configuration
        tls = None
        if self.host.startswith("https"):
            tls = ssl.create_default_context(cafile=its.ssl_ca_cert)
            if not its.verify_ssl:
                tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
            if its.cert_file:
                tls.load_cert_chain(its.cert_file, its.key_file)
        return Access(self.host, self._headers(), tls, its.tls_server_name)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._client.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    def _ask(self, request: Request, timeout: urllib3.Timeout, whole: bool) -> urllib3.BaseHTTPResponse:
        def once() -> urllib3.BaseHTTPResponse:
            return self._pool.request(
                request.method,
                self.host + request.path + (f"?{urlencode(request.query)}" if request.query else ""),
                body=None if request.body is None else json.dumps(request.body).encode(),
                headers=self._headers() | {"Content-Type": request.form, "Accept": "application/json, */*"},
                timeout=timeout,
                preload_content=whole,
                retries=False,
            )

        try:
            try:
                return once()
            except urllib3.exceptions.ProtocolError:
                return once()  # The server closed a kept connection just when we used it.
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise away(self.host, error) from None
