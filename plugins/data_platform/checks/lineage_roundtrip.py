"""The catalog keeps what two kinds of producer say about one table, or: it refuses a write without its token."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after
from data_platform.stack.capabilities import LINEAGE_CATALOG
from data_platform.stack.holders import CHECKS
from data_platform.stack.lake import CATALOG, TABLES, table

if TYPE_CHECKING:
    from data_platform.clients.datahub import DataHub

#: Begins the name of everything that this check makes.
SCRATCH = "check_lineage_"
_JOB_KIND = "spark"
_PRODUCER = "https://github.com/OpenLineage/OpenLineage"


class Params(KindParams):
    """Arguments of the kind."""

    component: str = Field(
        default=LINEAGE_CATALOG, description="Component with the endpoint, from which checks have a token."
    )
    endpoint: str = Field(default="http", description="One of its endpoints.")
    expect: Literal["stored", "refused"] = Field(default="stored", description="With the token, or without it.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Write lineage and read it back, or try to write without the token."""
    scratch = SCRATCH + uuid.uuid4().hex
    with connect.datahub(platform, CHECKS, deadline.remaining, params.component, params.endpoint) as datahub:
        if params.expect == "refused":
            return _refused(datahub, scratch)
        return _stored(datahub, scratch)


def event(scratch: str) -> dict[str, Any]:
    """The OpenLineage event of a Spark job that writes `<scratch>.daily` from `<scratch>.orders`.

    As Spark does, it names tables by their paths, says in facets which tables these are, and names the source of a
    column by its path alone.
    """
    place = {"namespace": f"s3://{TABLES}", "name": f"{scratch}/orders-{uuid.uuid4()}"}

    def told(path: dict[str, str], name: str, **facets: Any) -> dict[str, Any]:
        symlink = {"namespace": f"s3://{TABLES}", "name": f"{scratch}.{name}", "type": "TABLE"}
        catalog = {"framework": "iceberg", "type": "nessie", "name": CATALOG}
        return {**path, "facets": {"symlinks": {"identifiers": [symlink]}, "catalog": catalog, **facets}}

    columns = {"fields": {"amount": {"inputFields": [{**place, "field": "price"}]}}}
    target = {"namespace": f"s3://{TABLES}", "name": f"{scratch}/daily-{uuid.uuid4()}"}
    return {
        "eventType": "COMPLETE",
        "eventTime": datetime.now(UTC).isoformat(),
        "producer": _PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(uuid.uuid4())},
        "job": {"namespace": SCRATCH, "name": f"{scratch}.daily", "facets": {"jobType": {"integration": _JOB_KIND}}},
        "inputs": [told(place, "orders")],
        "outputs": [told(target, "daily", columnLineage=columns)],
    }


def _stored(datahub: DataHub, scratch: str) -> str:
    from data_platform.clients.datahub import dataset_urn, field_urn

    rates, orders, daily = (dataset_urn("iceberg", table(f"{scratch}.{n}")) for n in ("rates", "orders", "daily"))
    flow = f"urn:li:dataFlow:({_JOB_KIND},{SCRATCH}.{scratch},PROD)"
    made = [rates, orders, daily, f"urn:li:dataJob:({flow},daily)", flow]

    def delete() -> None:
        # It runs every hour: nothing may stay.
        for urn in made:
            datahub.delete(urn)

    with removed_after(delete, f"{scratch} in the catalog", required=True):
        datahub.emit_dataset(rates, "made by a check")
        datahub.emit_dataset(daily, "made by a check", [rates])
        datahub.post_openlineage(event(scratch))
        found = datahub.lineage(daily)
        if found.upstreams != {rates, orders}:
            raise CheckFailed(
                f"{daily} should come from {rates} (emitter) and {orders} (OpenLineage), "
                f"but comes from {', '.join(sorted(found.upstreams)) or 'nothing'}"
            )
        column = (field_urn(orders, "price"), field_urn(daily, "amount"))
        if found.columns != {column}:
            raise CheckFailed(f"the column lineage should be {column}, but is {sorted(found.columns)}")
        for urn in made:
            datahub.remove(urn)
        if left := [urn for urn in made if not datahub.is_removed(urn)]:
            raise CheckFailed(f"soft-deleted, but not marked as removed: {', '.join(left)}")
    if left := [urn for urn in made if datahub.exists(urn)]:
        raise CheckFailed(f"deleted, but still there: {', '.join(left)}")
    return f"{scratch}.daily: upstreams rates (emitter) and orders (OpenLineage), 1 column edge; {len(made)} removed"


def _refused(datahub: DataHub, scratch: str) -> str:
    from data_platform.clients.datahub import dataset_urn

    urn = dataset_urn("iceberg", table(f"{scratch}.intruder"))
    tried = {"without a token": None, "with a wrong token": uuid.uuid4().hex}
    answers = {how: datahub.status_of_write(urn, token) for how, token in tried.items()}
    evidence = ", ".join(f"{status} {how}" for how, status in answers.items())
    stored = datahub.exists(urn)
    if stored:
        datahub.delete(urn)
    if stored or set(answers.values()) != {HTTPStatus.UNAUTHORIZED}:
        raise CheckFailed(f"a write should be answered with 401 and not stored: {evidence}; stored: {stored}")
    return evidence
