"""Airflow's DAG of `fx_rates`: what is its own is in datasets/fx_rates/."""

from data_platform.dagkit.pipelines import draw_pipeline

draw_pipeline("fx_rates")
