"""One verb each, as a step in the Airflow UI."""
