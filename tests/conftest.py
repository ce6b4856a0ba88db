"""Fixtures for all tests: the ones we share with our users."""

from hypothesis import settings

pytest_plugins = ["buttress.testing"]

# A busy machine is no fault of the code that is tried: pytest's own limit ends what hangs.
settings.register_profile("buttress", deadline=None)
settings.load_profile("buttress")
