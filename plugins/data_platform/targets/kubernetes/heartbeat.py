"""`python -m data_platform.targets.kubernetes.heartbeat JOB_TYPE`: whether this pod's Airflow process sends heartbeats.

What `airflow jobs check --local` asks, for probes: that command loads all of Airflow, five CPU seconds each time.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_platform.clients.postgres import Connection

#: Airflow's own limits: the scheduler sends one every 5 s and counts as dead after 30, on a busy machine later.
_FRESH_SECONDS = 60
_QUERY = (
    "select max(latest_heartbeat) > now() - make_interval(secs => %s) from job"
    " where job_type = %s and hostname = %s and state = 'running'"
)
#: To connect, and for the answer; kubelet ends a probe at the latest.
_SECONDS = 5
_USAGE = 2


def main(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """0 when the newest heartbeat is fresh; otherwise 1, and why."""
    if len(words) != 1:
        print(f"usage: {__spec__.name if __spec__ else 'heartbeat'} JOB_TYPE", file=sys.stderr)
        return _USAGE
    # As airflow.cfg has it; the part after the plus is SQLAlchemy's.
    address = Path(environment["ETC"], "secrets", "database-url").read_text(encoding="utf-8")
    url = address.replace("postgresql+psycopg2:", "postgresql:", 1)
    connection = Connection.connect(url, connect_timeout=_SECONDS)
    connection.seconds = _SECONDS
    with connection:
        row = connection.execute(_QUERY, (_FRESH_SECONDS, words[0], socket.getfqdn())).fetchone()
    if row and row[0]:
        return 0
    print(f"no heartbeat of {words[0]} on {socket.getfqdn()} in the last {_FRESH_SECONDS} s", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
