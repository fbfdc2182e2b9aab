"""What is done with a dataset on its way: flow, files, audit, documentation, way and lineage. No Airflow."""
