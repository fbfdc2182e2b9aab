"""Fixtures that several rooms of tests share."""

pytest_plugins = ["tests.running", "tests.lake"]
