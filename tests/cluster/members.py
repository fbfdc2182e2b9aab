"""PostgreSQL's members in a cluster, as the drills see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from data_platform.checks.base import Deadline
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import ClusterError

#: Where PostgreSQL is, on a cluster that has several.
NAMESPACE_VARIABLE = "DATA_PLATFORM_TEST_NAMESPACE"
SERVER = "app.kubernetes.io/name=postgresql,app.kubernetes.io/component=server"
POOL = "app.kubernetes.io/name=postgresql,app.kubernetes.io/component=pgbouncer"
PASSWORD = "drill-3f9c"
#: Seconds until all members are there again, and one of them has every row.
HEALED_SECONDS = 300


class NotYetError(Exception):
    """It is not so yet."""


@dataclass
class Members:
    """PostgreSQL's pods in one namespace."""

    cluster: Cluster
    namespace: str

    def pods(self, labels: str) -> dict[str, dict[str, Any]]:
        """Pods that are not ending, by name."""
        found = self.cluster.list_objects("v1", "Pod", self.namespace, labels=labels)
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def primary(self) -> str:
        """Name of the one primary."""
        (name,) = self.pods(f"{SERVER},role=primary")
        return name

    def run(self, pod: str, script: str, *arguments: str, seconds: float = 30) -> str:
        """Output of a shell script in a pod; fails the test when it fails."""
        done = self.cluster.execute(pod, self.namespace, ["sh", "-ec", script, "sh", *arguments], seconds=seconds)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def patronictl(self, *words: str) -> str:
        """Output of Patroni's tool, from a member."""
        tool = '"$ARTIFACT_PATRONI/bin/patronictl" -c "$ETC/patroni.yaml" "$@"'
        return self.run(next(iter(self.pods(SERVER))), tool, *words, seconds=60)

    def state(self) -> list[dict[str, Any]]:
        """Patroni's view of the members."""
        found: list[dict[str, Any]] = json.loads(self.patronictl("list", "--format", "json"))
        return found

    def ask(self, query: str, database: str = "postgres", pod: str = "") -> str:
        """Answer of a member to a superuser's query; of the primary, unless another is named."""
        script = (
            'PGPASSWORD="$POSTGRESQL_PASSWORD" exec "$ARTIFACT_SERVER/bin/psql" -XAtq -v ON_ERROR_STOP=1 '
            '-h 127.0.0.1 -U postgres -d "$1" -c "$2"'
        )
        return self.run(pod or self.primary(), script, database, query).strip()

    def whole(self) -> None:
        """Raise until all members run, one leads, and one follows in step."""
        wanted = self.cluster.get("apps/v1", "StatefulSet", "postgresql-server", self.namespace)
        assert wanted is not None
        count = wanted["spec"]["replicas"]
        state = self.state()
        roles = sorted(member["Role"] for member in state if member["State"] in ("running", "streaming"))
        if roles != sorted(["Leader", "Sync Standby", *["Replica"] * (count - 2)]):
            raise NotYetError(str(state))
        if wanted["status"].get("readyReplicas") != count or len(self.pods(f"{SERVER},role=primary")) != 1:
            raise NotYetError(str(wanted["status"]))

    def heal(self) -> None:
        """Wait until they are whole."""
        Deadline(HEALED_SECONDS).retry(self.whole, on=(NotYetError, AssertionError, ClusterError, StopIteration))
