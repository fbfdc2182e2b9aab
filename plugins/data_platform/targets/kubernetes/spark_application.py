"""`python -m data_platform.targets.kubernetes.spark_application [--conf KEY=VALUE]… JOB [ARGUMENTS…]`: run a job by the
Spark Operator, as a SparkApplication that is followed to its end and removed.

Secrets are in none of it: pods have them from the Secrets that their templates name.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from data_platform.clients.cleanup import removed_after
from data_platform.clients.kubernetes import Cluster, connect
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places

Object = dict[str, Any]

API_VERSION, KIND = "sparkoperator.k8s.io/v1beta2", "SparkApplication"
CRD = "sparkapplications.sparkoperator.k8s.io"
_SETTINGS, _DRIVER, _EXECUTOR = "spark-pods.conf", "pods/driver.yaml", "pods/executor.yaml"
#: What of the component's ETC says how its pods are.
FILES = (_SETTINGS, _DRIVER, _EXECUTOR)
_COMPLETED, _FAILED = "COMPLETED", "FAILED"
#: Longer than any job: whoever runs one ends it at his own deadline.
_SECONDS = 7 * 24 * 3600.0
#: What we could not remove, the operator removes so long after its end.
_KEPT_SECONDS = 3600
#: Spark makes names of Services of it, which may have 63 characters.
_STEM = 25
_CANNOT_RUN = 2


class Submitted(NamedTuple):
    """A job as spark-submit would be told."""

    job: str
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}


def parse(words: Sequence[str]) -> Submitted:
    """Read a command line of spark-submit; of its options, `--conf` alone."""
    parser = argparse.ArgumentParser(prog="submit", allow_abbrev=False)
    parser.add_argument("--conf", "-c", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("job")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    settings = dict(word.partition("=")[::2] for word in given.conf)
    return Submitted(given.job, tuple(given.arguments), settings)


def properties(text: str) -> dict[str, str]:
    """Settings of a file such as spark-defaults.conf."""
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {key: value.strip() for key, value in lines}


def application_name(job: str) -> str:
    """A name that no other run has: spark_jobs/fx_rates/load.py is fx-rates-load-0a1b2c3d."""
    path = PurePosixPath(job)
    stem = re.sub("[^a-z0-9]+", "-", f"{path.parent.name}-{path.stem}".lower()).strip("-")[:_STEM].rstrip("-")
    return f"{stem}-{secrets.token_hex(4)}"


def application(name: str, version: str, submitted: Submitted, files: Mapping[str, bytes]) -> Object:
    """The SparkApplication.

    Args:
        name: of this run.
        version: of Spark.
        submitted: the job.
        files: the FILES of the component's ETC.
    """
    settings = properties(files[_SETTINGS].decode())
    driver, executor = yaml.safe_load(files[_DRIVER]), yaml.safe_load(files[_EXECUTOR])
    labels = {key: text for key, text in driver["metadata"]["labels"].items() if key != places.COMPONENT}
    size = {
        "cores": int(settings["spark.executor.cores"]),
        "coreRequest": settings["spark.kubernetes.executor.request.cores"],
        "memory": settings["spark.executor.memory"],
        "memoryOverhead": settings["spark.executor.memoryOverhead"],
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        # Its labels become the pods', so none here says which of them a pod is.
        "metadata": {"name": name, "namespace": settings["spark.kubernetes.namespace"], "labels": labels},
        "spec": {
            "type": "Python",
            "pythonVersion": "3",
            "mode": "cluster",
            "sparkVersion": version,
            "image": settings["spark.kubernetes.container.image"],
            "imagePullPolicy": "IfNotPresent",
            "mainApplicationFile": f"local://{places.ROOT / submitted.job}",
            "arguments": list(submitted.arguments),
            "sparkConf": dict(submitted.settings),
            "restartPolicy": {"type": "Never"},
            "timeToLiveSeconds": _KEPT_SECONDS,
            "driver": {**size, **_pod(driver)},
            "executor": {**size, "instances": int(settings["spark.executor.instances"]), **_pod(executor)},
        },
    }


def _pod(template: Object) -> Object:
    # With a template, the operator needs no webhook to say what Spark has no setting for.
    return {
        "serviceAccount": template["spec"]["serviceAccountName"],
        "template": {key: template[key] for key in ("metadata", "spec")},
    }


def run(cluster: Cluster, wanted: Object) -> int:
    """Apply a SparkApplication, follow it to its end, print the log of its driver and remove it.

    Returns:
        The driver's exit code.

    Raises:
        PlatformError: the cluster has no Spark Operator, or somebody removed the application.
    """
    if not cluster.knows(API_VERSION, KIND):
        raise PlatformError(
            f"the cluster has no Spark Operator: the CustomResourceDefinition {CRD} (v1beta2) is missing",
            "have it installed (docs/kubernetes/services.md), or set execution.runner to scheduler",
        )
    name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
    cluster.server_side_apply(wanted)
    with removed_after(lambda: cluster.delete(API_VERSION, KIND, name, namespace), f"{KIND} {name} in {namespace}"):
        ended = cluster.wait_until(API_VERSION, KIND, name, namespace, done=_has_ended, seconds=_SECONDS)
        if ended is None:
            raise PlatformError(f"{KIND} {name} in {namespace} was removed while it ran", "run it again")
        return _outcome(cluster, ended)


def _has_ended(application: Object | None) -> bool:
    return application is None or _state(application).get("state") in (_COMPLETED, _FAILED)


def _state(application: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = application.get("status", {}).get("applicationState", {})
    return found


def _outcome(cluster: Cluster, ended: Object) -> int:
    """Show what the driver said; returns its exit code."""
    namespace, state = ended["metadata"]["namespace"], _state(ended)
    name = ended["status"].get("driverInfo", {}).get("podName", "")
    pod = cluster.get("v1", "Pod", name, namespace) if name else None
    if pod is not None:
        try:
            print(cluster.logs(name, namespace), end="", flush=True)
        except ClusterError as error:
            print(f"no log of the driver: {error.problem}", file=sys.stderr)
    if state["state"] == _COMPLETED:
        return 0
    print(f"{KIND} {ended['metadata']['name']}: {state.get('errorMessage') or 'failed'}", file=sys.stderr)
    statuses = pod["status"].get("containerStatuses", []) if pod is not None else []
    codes = [s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s.get("state", {})]
    return next((int(code) for code in codes if code), 1)


def main(words: Sequence[str]) -> int:
    """Run a job; its settings and templates are in the component's ETC."""
    submitted = parse(words)
    # Whoever ends us at his deadline sends this; the application must be removed then too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    files = {name: Path(os.environ["ETC"], name).read_bytes() for name in FILES}
    wanted = application(application_name(submitted.job), os.environ["SPARK_VERSION"], submitted, files)
    try:
        return run(connect(), wanted)
    except PlatformError as error:
        print(error, file=sys.stderr)
        return _CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
