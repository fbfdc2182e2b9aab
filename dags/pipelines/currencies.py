"""Airflow's DAG of `currencies`: what is its own is in datasets/currencies/."""

from data_platform.dagkit.pipelines import draw_pipeline

draw_pipeline("currencies")
