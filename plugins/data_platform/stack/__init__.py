"""What the platform is, read from `stack/`: model, graph, bindings and plan. Pure: no Airflow, no network."""
