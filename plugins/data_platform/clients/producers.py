"""Who tells the catalog of lineage about data, in DataHub's words: platforms of its jobs and models."""

from __future__ import annotations

#: Take files in.
NIFI = "nifi"
#: Loads tables.
SPARK = "spark"
#: Runs the tasks.
AIRFLOW = "airflow"
#: Makes tables of tables.
DBT = "dbt"
