"""Run the endpoint: `python -m datahub_lite`, told by environment variables (see settings)."""

from __future__ import annotations

import logging
import sys

import uvicorn

from datahub_lite import app, settings

#: Seconds for requests under way when it is stopped.
_STOP_SECONDS = 5


def main() -> int:
    """Serve until stopped; 2 when the settings are wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        told = settings.read()
    except ValueError as error:
        print(f"datahub_lite: {error}", file=sys.stderr)
        return 2
    uvicorn.run(
        app.create(told),
        host=told.host,
        port=told.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
