"""Texts by which Kubernetes and helm say that they refuse something, and what each means. Pure data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

HEALED = "run the deploy again: it forgets the half-done revision and upgrades over what is there"
_LESS = "lower requests or replicas in the values of this size; if the stack grew, deploy the guard rails again"


class Refusal(NamedTuple):
    """A text, and what to say of it: `{…}` are groups of the pattern."""

    pattern: re.Pattern[str]
    problem: str
    remedy: str


def _refusal(pattern: str, problem: str, remedy: str) -> Refusal:
    return Refusal(re.compile(pattern, re.IGNORECASE), problem, remedy)


#: Most refusals begin with their object.
_WHAT = r"(?:(?P<what>\S+ \"[^\"]+\") is forbidden: )?"
#: Why pods are not made.
PODS = (
    _refusal(
        _WHAT
        + r"exceeded quota: (?P<name>[^,]+), requested: (?P<asked>.+?), used: (?P<used>.+?), limited: (?P<limit>.+)",
        "the ResourceQuota {name} refuses {what}: asked for {asked}; used are {used}, allowed {limit}",
        _LESS,
    ),
    _refusal(
        _WHAT + r"failed quota: (?P<name>[^:]+): must specify (?P<asked>[^\n]+)",
        "the ResourceQuota {name} refuses {what}, which does not say {asked}",
        "give its containers requests and limits",
    ),
    _refusal(
        _WHAT + r"(?P<asked>(?:maximum|minimum) \S+ usage per \S+ is [^,]+, but \S+ is [^,\n]+)",
        "the LimitRange refuses {what}: {asked}",
        "ask for less in the values of this size, or declare the larger need there: limits follow the largest pod",
    ),
    _refusal(
        _WHAT + r"violates PodSecurity (?P<asked>[^\n]+)",
        "the Pod Security level of the namespace refuses {what}: {asked}",
        "mend the security context in the component's chart; no component needs more than `restricted`",
    ),
    _refusal(
        r"serviceaccount \"(?P<name>[^\"]+)\" not found",
        "the ServiceAccount {name} is missing",
        "deploy the component again: its chart makes the account",
    ),
)
#: Why helm gives up.
HELM = (
    _refusal(
        r"no matches for kind \"(?P<kind>[^\"]+)\" in version \"(?P<version>[^\"]+)\"",
        "the cluster has no kind {kind} of {version}: its CustomResourceDefinition is missing",
        "install the operator that brings it, or switch off what uses it in the values of this size",
    ),
    _refusal(
        r"another operation \(install/upgrade/rollback\) is in progress",
        "an earlier operation on it was cut off: it is pending",
        HEALED,
    ),
    _refusal(
        r"(?P<what>\S+ \"[^\"]+\" in namespace \"[^\"]*\") exists and cannot be imported into the current release",
        "{what} is there and belongs to someone else",
        "delete it if it is left over; else give it the label and annotations that helm names",
    ),
    _refusal(
        r"user \"(?P<who>[^\"]+)\" cannot (?P<what>[^\n]+)",
        "{who} cannot {what}",
        "apply the guard rails again as a cluster administrator: python3 -m bootstrap up --target kubernetes",
    ),
    *PODS,
    _refusal(
        r"resource Job/(?P<space>[^/]+)/(?P<name>\S+) not ready\. status: Failed",
        "its job {name} failed",
        "kubectl logs --namespace {space} job/{name}: a failed one stays until the next try",
    ),
    _refusal(
        r"resource Job/(?P<space>[^/]+)/(?P<name>\S+) not ready",
        "its job {name} did not end in time",
        "kubectl describe --namespace {space} job/{name}, and its log: it stays until the next try",
    ),
    _refusal(
        r"cluster unreachable|connection refused|connection reset|i/o timeout|no route to host|TLS handshake timeout"
        r"|unexpected EOF|server is currently unable to handle|etcdserver: (?:leader changed|request timed out)",
        "the API server went away",
        "wait until it answers (kubectl get --raw /readyz), then run the deploy again: it goes on where it stopped",
    ),
)


def recognise(text: str, refusals: Sequence[Refusal]) -> tuple[str, str] | None:
    """Problem and remedy of the first refusal that a text holds; None when it holds none."""
    for refusal in refusals:
        if match := refusal.pattern.search(text):
            groups = {key: (value or "it").strip() for key, value in match.groupdict().items()}
            return refusal.problem.format(**groups), refusal.remedy.format(**groups)
    return None
