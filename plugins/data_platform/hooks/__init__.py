"""What Airflow knows of the platform: connections derived from components."""
