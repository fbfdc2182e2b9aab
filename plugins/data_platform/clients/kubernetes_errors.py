"""What an API server's refusal means, as an error that names the object and the remedy."""

from __future__ import annotations

import json

from data_platform.stack.errors import PlatformError

UNREACHABLE, CERTIFICATE, TIMEOUT = "Unreachable", "Certificate", "Timeout"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = "Unauthorized", "Forbidden", "NotFound", "Conflict"
UNKNOWN_KIND, NO_TOKEN, EXPIRED = "UnknownKind", "NoToken", "Expired"

_REASONS = {
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: CONFLICT,
    410: EXPIRED,
    422: "Invalid",
    504: TIMEOUT,
}
_REMEDIES = {
    UNAUTHORIZED: "renew the credentials of this context (log in again), then run it again",
    FORBIDDEN: "give this user or service account the permission (docs/kubernetes/guard-rails.md says what each needs)",
    NOT_FOUND: "deploy the component again: its deploy makes what is missing",
    CONFLICT: "someone else changed the object meanwhile or owns these fields; look at its metadata.managedFields, "
    "then run it again",
    EXPIRED: "run it again; the list changed faster than it was read",
    "Invalid": "correct the field that the message names",
    TIMEOUT: "run it again; the API server was busy",
}
#: Admission refuses with 403 too; then no permission would help.
_ADMISSION = {
    "exceeded quota": "raise the quota (resources in component.yaml or in the values of this size), or stop something",
    "failed quota": "give the container the requests and limits that the quota asks for",
    "violates PodSecurity": "mend the security context that the message names; the namespace is restricted",
    "usage per Container": "ask for no more than the LimitRange allows, or raise it",
    "usage per Pod": "ask for no more than the LimitRange allows, or raise it",
    "usage per PersistentVolumeClaim": "ask for no more than the LimitRange allows, or raise it",
    "being terminated": "wait until the namespace is gone (kubectl get namespace), then run it again",
}


class ClusterError(PlatformError):
    """An API server refused a request, or cannot be reached.

    Attributes:
        reason: one of this module's words, or the API's own.
    """

    def __init__(self, problem: str, remedy: str, reason: str = "") -> None:
        super().__init__(problem, remedy)
        self.reason = reason


def refused(what: str, status: int, body: bytes) -> ClusterError:
    """The error of an answer that is none.

    Args:
        what: the request and its object, as the beginning of the message.
        status: HTTP status.
        body: a Status object as JSON, or anything.
    """
    try:
        content = json.loads(body)
        message, reason = str(content["message"]), str(content.get("reason") or "")
    except (ValueError, KeyError, TypeError):
        message, reason = body.decode(errors="replace").strip()[:500], ""
    # The words above win: the API has several for one status.
    reason = _REASONS.get(status, reason) or f"HTTP {status}"
    remedy = _REMEDIES.get(reason, "look at the API server's log, then run it again")
    if reason == FORBIDDEN:
        remedy = next((r for sign, r in _ADMISSION.items() if sign in message), remedy)
    return ClusterError(f"{what}: {message or f'the API server answers {status}'}", remedy, reason)


def away(host: str, error: Exception) -> ClusterError:
    """The error of an API server that does not answer."""
    said = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said or "certificate" in said.lower():
        return ClusterError(
            f"{host} shows a certificate that this context does not trust: {said}",
            "is it the right cluster? Then take its certificate authority into the context's kubeconfig",
            CERTIFICATE,
        )
    if "timed out" in said.lower():
        return ClusterError(
            f"the API server at {host} does not answer in time: {said}",
            "look whether the cluster is up and not overloaded, then run it again",
            TIMEOUT,
        )
    return ClusterError(
        f"the API server at {host} cannot be reached: {said}",
        "start the cluster (the test cluster: python3 -m bootstrap cluster up) or the way to it, then run it again",
        UNREACHABLE,
    )
