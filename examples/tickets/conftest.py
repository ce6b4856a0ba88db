"""Fixtures of Buttress: `database_url` is an empty PostgreSQL database of the test's own."""

pytest_plugins = ["buttress.testing"]
