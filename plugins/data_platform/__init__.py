"""How the platform works: model, plan, targets, checks and the Airflow side. See plugins/README.md."""
