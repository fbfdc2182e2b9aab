"""Writes rows one after another, until some seconds after it was told, and prints which of them were acknowledged.

Arguments: host, port, a file by which it is told, seconds. The password comes by PGPASSWORD; role and database are
`drill`. Runs in a pod.
"""

from __future__ import annotations

import json
import pathlib
import signal
import sys
import time

import psycopg

#: A server that says nothing for so long is given up, as a client of ours would.
PATIENCE = 5
#: Seconds after which it ends although nobody told it: the drill is gone.
FORSAKEN = 900


def give_up(*_: object) -> None:
    """End what waits. The connection is closed and nothing is cancelled: a cancelled wait for the second copy would be
    reported as a row written.
    """
    raise TimeoutError(f"no answer in {PATIENCE} s")


signal.signal(signal.SIGALRM, give_up)
host, port, told, seconds = sys.argv[1:]
acknowledged: list[int] = []
errors: list[str] = []
longest, connection, number = 0.0, None, 0
last = time.monotonic()
end, is_told = last + FORSAKEN, False
while time.monotonic() < end:
    if not is_told and pathlib.Path(told).exists():
        end, is_told = time.monotonic() + float(seconds), True
    number += 1
    signal.alarm(PATIENCE)
    try:
        if connection is None:
            connection = psycopg.connect(
                host=host,
                port=port,
                user="drill",
                dbname="drill",
                connect_timeout=3,
                autocommit=True,
                prepare_threshold=None,
            )
        connection.execute("insert into drill (number) values (%s)", (number,))
    except (psycopg.Error, TimeoutError) as error:
        errors.append(str(error).strip())
        if connection is not None:
            connection.close()
        connection = None
        signal.alarm(0)
        # Ask again soon, but leave the cores to those who elect.
        time.sleep(0.1)
        continue
    now = time.monotonic()
    longest, last = max(longest, now - last), now
    acknowledged.append(number)
signal.alarm(0)
# Without an acknowledgement since then it is a gap too.
longest = max(longest, time.monotonic() - last)
print(json.dumps({"acknowledged": acknowledged, "longest": longest, "errors": sorted(set(errors)), "tried": number}))
