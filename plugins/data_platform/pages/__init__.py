"""The pages that the platform adds to Airflow."""

#: Where Airflow serves them.
PREFIX = "/data-platform"
