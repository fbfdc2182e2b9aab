"""Airflow's parts are healthy, its DAGs are parsed without errors, and a login with the generated password works."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform

_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class Params(KindParams):
    """Arguments of the kind."""

    dags: tuple[str, ...] = Field(min_length=1, description="DAG ids that must be there.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Log in, look at the health of each part, at import errors and at the list of DAGs."""
    from data_platform.clients.airflow import Airflow

    login = platform.credentials("airflow")
    airflow = Airflow(platform.address("airflow", "api").url, login["username"], login["password"], deadline.remaining)
    health = airflow.health()
    if sick := [part for part in _PARTS if health.get(part) != "healthy"]:
        raise CheckFailed(f"not healthy: {', '.join(sick)} (of {health})")

    def look() -> list[str]:
        if errors := airflow.import_errors():
            raise CheckFailed(f"DAG files with errors: {errors}")
        found = airflow.dag_ids()
        if missing := sorted(set(params.dags) - set(found)):
            raise CheckFailed(f"missing DAGs: {', '.join(missing)}")
        return found

    # The DAG processor needs a moment after a first start.
    return f"{len(_PARTS)} parts healthy, {len(deadline.retry(look, on=CheckFailed))} DAGs, no import errors"
