"""What the platform asks of components, by capability: `stack.yaml` says which component stands for each.

These are the only words by which code knows a component. What speaks one server's protocol (`clients/<server>.py`) and
kinds of checks and claims may name theirs; tests/unit/stack/test_capabilities.py holds it.
"""

from __future__ import annotations

#: Runs the tasks that deploy, feed and check everything else.
ORCHESTRATOR = "orchestrator"
#: Databases by SQL, each of a role of its own.
DATABASE_SERVER = "database-server"
#: Objects by S3.
OBJECT_STORE = "s3"
#: Takes files in, judges them and stores them unchanged.
FLOWS = "flows"
#: Names, states and branches of tables.
TABLE_CATALOG = "table-catalog"
#: Questions in SQL over all tables.
QUERY_ENGINE = "query-engine"
#: Programs that load and maintain tables (its tool `submit`).
JOBS = "jobs"
#: Jobs as objects of the cluster, which it turns into pods; on Kubernetes alone.
SPARK_APPLICATIONS = "spark-applications"
#: Volumes of a cluster, by its classes; on Kubernetes alone.
VOLUMES = "volumes"
#: Tables made of tables, and their documentation (its tool `dbt`).
MODELS = "models"
#: Judges tables by expectations (its tool `validate`).
VALIDATION = "validation"
#: Draws pages for analysts (its tool `draw`).
REPORTS = "reports"
#: Where data came from, as its producers tell it.
LINEAGE_CATALOG = "lineage-catalog"
