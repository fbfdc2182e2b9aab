"""### Deploy the platform

Brings every component to what `stack/` says: `observe → plan → apply → wait → verify`, each component after those that
must be there before.
Nothing to change means nothing is done; `apply` and `wait` are then skipped, and `verify` too when all checks passed
within the last hour with this very definition. From `prepare` to `release` the run holds the platform's lease: nothing
else changes the platform meanwhile, and `stack_health` and `stack_drift` are skipped.

**Owner:** platform team. **When it fails:** the failed task's log names the component, the cause and what to do. Mend
it and clear the failed task, or trigger the DAG again: it goes on where it stopped. When somebody else holds the
platform, `prepare` names him: wait until that has ended.

Parameter `components`: deploy only these and what they depend on.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from data_platform.dagkit.components import DEFAULTS, deploy_groups
from data_platform.operators.looks import SELECTION
from data_platform.targets.current import current_stack

with DAG(
    "stack_deploy",
    schedule=None,
    max_active_runs=1,
    catchup=False,
    default_args=DEFAULTS,
    tags=["stack"],
    doc_md=__doc__,
    params={SELECTION: Param([], type="array", items={"type": "string"}, title="Components (empty for all)")},
):
    deploy_groups(current_stack())
