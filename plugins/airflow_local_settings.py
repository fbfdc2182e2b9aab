"""Airflow imports this module by its name: how its servers reach the metadata database."""

from data_platform.hooks.failover import create_async_metadata_engine, create_metadata_engine

__all__ = ["create_async_metadata_engine", "create_metadata_engine"]
