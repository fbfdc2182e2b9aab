"""PostgreSQL refuses a login with a wrong password."""

from __future__ import annotations

import psycopg

from data_platform.checks.base import CheckFailed, Deadline, Params, Platform
from data_platform.clients import connect


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Try to log in with a wrong password; anything but the refusal of the password is a failure."""
    del params, deadline
    try:
        connect.postgres_as_admin(platform, connect.MAINTENANCE, "not-the-password").close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return "password authentication failed, as it should"
        raise CheckFailed(f"no answer about the password: {error}") from None
    raise CheckFailed("a wrong password was accepted")
