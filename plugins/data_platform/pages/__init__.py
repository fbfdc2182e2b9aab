"""The pages that the platform adds to Airflow."""
