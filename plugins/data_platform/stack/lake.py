"""Names of the lakehouse on which servers, jobs, pages and checks agree.

They are said here alone. Templates of configuration files are told them (`told`); what can read neither says the same,
and `tests/unit/stack/test_lake.py` holds it.
"""

from __future__ import annotations

#: Buckets. Who needs one claims it: `claims` of stack.yaml and of component.yaml.
RAW, QUARANTINE, REPORTS, TABLES = "raw", "quarantine", "reports", "lakehouse"
#: Folders of the bucket RAW beside those of the datasets: which files came lately, what each run worked on, and what
#: was decided about files.
ARRIVALS, MANIFESTS, DECISIONS = "_arrivals", "_manifests", "_decisions"
#: Where the object store is. One that is no cloud's takes any name; who signs a request must use the same.
REGION = "us-east-1"
#: The Iceberg catalog, by this name in Trino and in Spark; and Spark's at what readers see, whatever a run works on.
CATALOG, PUBLISHED = "lakehouse", "published"
#: The branch of it that readers see, and what begins the names of all others.
MAIN, BRANCH_PREFIX = "main", "audit_"
#: Where the files of its tables are, in the bucket TABLES.
FOLDER = "warehouse"
WAREHOUSE = f"s3://{TABLES}/{FOLDER}"
#: Its schemas, in the order of the data, and the one in which checks make tables for a moment.
FLOORS = ("raw", "staging", "marts")
SCRATCH = "scratch"


def table(name: str) -> str:
    """A table with its catalog.

    Args:
        name: floor and table, such as raw.fx_rates.
    """
    return f"{CATALOG}.{name}"


def told() -> dict[str, str]:
    """What templates of configuration files may name."""
    return {
        "LAKE_CATALOG": CATALOG,
        "LAKE_PUBLISHED": PUBLISHED,
        "LAKE_MAIN": MAIN,
        "LAKE_WAREHOUSE": WAREHOUSE,
        "LAKE_REGION": REGION,
    }
