"""How long Airflow's connections to its database wait for a server that is gone: named in airflow.cfg.

Without these a connection whose server has vanished without a word (a pulled cable, a node that was switched off) is
waited for by TCP's own rules: two hours where it was idle, a quarter of an hour where something was sent.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Of psycopg2, by the names of libpq (https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS), in
#: seconds; the last one in milliseconds. A server that is there and works on a long statement answers probes.
SYNCHRONOUS: Mapping[str, int] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: Of asyncpg (https://magicstack.github.io/asyncpg/current/api/index.html#connection), in seconds: for a connection and
#: for each statement. Only the API server has such connections, and its statements are short.
ASYNCHRONOUS: Mapping[str, int] = {"timeout": 10, "command_timeout": 60}
