"""Airflow's parts are healthy, its DAGs are parsed without errors, and the generated password alone opens it."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.clients.airflow import Airflow

_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class Params(KindParams):
    """Arguments of the kind."""

    dags: tuple[str, ...] = Field(min_length=1, description="DAG ids that must be there.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Try a wrong password, log in, look at the health of each part, at import errors and at the list of DAGs."""
    _require_refusal(platform, deadline)
    with connect.airflow(platform, deadline.remaining) as airflow:
        health = airflow.health()
        if sick := [part for part in _PARTS if health.get(part) != "healthy"]:
            raise CheckFailed(f"not healthy: {', '.join(sick)} (of {health})")
        # The DAG processor needs a moment after a first start.
        found = deadline.retry(lambda: _dags(airflow, params.dags), on=CheckFailed)
    return f"a wrong password gets no token, {len(_PARTS)} parts healthy, {len(found)} DAGs, no import errors"


def _require_refusal(platform: Platform, deadline: Deadline) -> None:
    """Raise when a wrong password gets a token, and when the answer is about something else."""
    import httpx

    with connect.airflow(platform, deadline.remaining, "not-the-password") as stranger:
        try:
            stranger.log_in()
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.UNAUTHORIZED:
                return
            raise CheckFailed(f"no answer about the password: {error}") from None
    raise CheckFailed("a wrong password gets a token")


def _dags(airflow: Airflow, wanted: tuple[str, ...]) -> list[str]:
    if errors := airflow.import_errors():
        raise CheckFailed(f"DAG files with errors: {errors}")
    found = airflow.dag_ids()
    if missing := sorted(set(wanted) - set(found)):
        raise CheckFailed(f"missing DAGs: {', '.join(missing)}")
    return found
