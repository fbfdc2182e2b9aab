"""The platform at a glance: for `status`, for the table at the end of `up`, and for the pages in Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_platform.clients.connect import API
from data_platform.datasets import pipelines as looked
from data_platform.datasets.pipeline_state import Pipeline
from data_platform.records import leases, results
from data_platform.records.results import KeptResult
from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.targets.base import Target
from data_platform.targets.pages import page_of

#: Conditions of a component that need no care.
GOOD = frozenset({"running", "installed"})


def latest_results(target: Target) -> list[KeptResult]:
    """Newest result of each check; none where the database does not answer."""
    try:
        return results.latest(target)
    except Exception:  # noqa: BLE001 - the condition of postgresql says why
        return []


def holder(target: Target) -> dict[str, str] | None:
    """Who changes the platform at present, what for, since when and until when unless he goes on; None for nobody."""
    try:
        lease = leases.current(target, patience=0)
    except Exception:  # noqa: BLE001 - as above
        return None
    if lease is None:
        return None
    since, until = (at.isoformat(timespec="seconds") for at in (lease.acquired_at, lease.expires_at))
    return {"holder": lease.holder, "purpose": lease.purpose, "since": since, "until": until}


def describe(target: Target, pipelines: Sequence[Pipeline] = ()) -> dict[str, Any]:
    """Every component with its condition, addresses and newest check results. The contract of `status --json`.

    Args:
        target: whose.
        pipelines: those of its datasets, where somebody has looked at them.
    """
    kept = latest_results(target)
    components = []
    for name, item in target.stack.components.items():
        declared = {check.name for check in item.component.all_checks}
        components.append(
            {
                "name": name,
                "namespace": item.part,
                "version": item.component.version,
                "summary": item.component.summary,
                "state": target.condition(name),
                "page": page_of(target, name),
                "endpoints": {
                    e: target.public_url(name, e) if "people" in spec.audience else target.internal_address(name, e).url
                    for e, spec in item.component.endpoints.items()
                },
                "checks_declared": len(declared),
                "checks": [
                    {
                        "name": r.name,
                        "status": r.status,
                        "seconds": r.seconds,
                        "evidence": r.evidence,
                        "at": r.at.isoformat(timespec="seconds"),
                    }
                    for r in kept
                    if r.component == name and r.name in declared
                ],
            }
        )
    return {
        "target": target.name,
        "profile": target.stack.profile,
        "airflow": {"url": target.public_url(ORCHESTRATOR, API)},
        "lease": holder(target),
        "components": components,
        "pipelines": looked.told(target, pipelines),
    }


def is_healthy(found: dict[str, Any]) -> bool:
    """Whether every component is there and no newest check failed. Pipelines are not asked: a new platform has none
    that has run, and one may be paused on purpose.
    """
    return all(
        c["state"] in GOOD and all(check["status"] != "failed" for check in c["checks"]) for c in found["components"]
    )
