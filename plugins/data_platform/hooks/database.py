"""How long Airflow's connections to its database wait for a server that is gone: named in airflow.cfg.

Without these a connection whose server has vanished without a word (a pulled cable, a node that was switched off) is
waited for by TCP's own rules: two hours where it was idle, a quarter of an hour where something was sent.
"""

from __future__ import annotations

from collections.abc import Mapping

#: One that has just become a copy is not taken for the server that writes.
_WRITES = "read-write"
#: Of psycopg2, by the names of libpq (https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS), in
#: seconds; the last one in milliseconds. A server that is there and works on a long statement answers probes.
#: Below the 30 that a failover takes, after which another server is there (docs/decisions/postgresql-ha.md).
SYNCHRONOUS: Mapping[str, int | str] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "target_session_attrs": _WRITES,
}
#: Of asyncpg (https://magicstack.github.io/asyncpg/current/api/index.html#connection), in seconds: for a connection and
#: for each statement. Only the API server has such connections, and its statements are short.
ASYNCHRONOUS: Mapping[str, int | str] = {"timeout": 5, "command_timeout": 60, "target_session_attrs": _WRITES}
