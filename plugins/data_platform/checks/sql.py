"""A query gives the expected value."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.stack.capabilities import QUERY_ENGINE


class Params(KindParams):
    """Arguments of the kind."""

    component: str = Field(default=QUERY_ENGINE, description="Component that takes the query, by Trino's protocol.")
    endpoint: str = Field(default="http", description="One of its endpoints.")
    catalog: str | None = Field(default=None, description="Catalog of names that say none.")
    sql: str = Field(min_length=1, description="One query.")
    expect: int | str | bool = Field(description="First value of its first row.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Run the query and compare the first value of its first row."""
    seconds = deadline.remaining
    with connect.trino(platform, seconds, params.catalog, provider=params.component, endpoint=params.endpoint) as trino:
        found = trino.value(params.sql)
    if type(found) is not type(params.expect) or found != params.expect:
        raise CheckFailed(f"{params.sql}: expected {params.expect!r}, found {found!r}")
    return f"{params.sql}: {found!r}"
