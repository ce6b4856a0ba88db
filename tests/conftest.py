"""Fixtures for all tests: the ones we share with our users."""

pytest_plugins = ["buttress.testing"]
