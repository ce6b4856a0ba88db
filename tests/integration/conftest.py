"""Fixtures that several modules of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buttress.db.database import Database
from buttress.db.embedded import Servers
from cache_world import World, databases, fresh


@pytest.fixture
def both(servers: Servers) -> Iterator[tuple[Database, Database]]:
    """A new database with the tables of `cache_world`, as its owner and as the apps."""
    with databases(servers) as opened:
        yield opened


@pytest.fixture
def shop(both: tuple[Database, Database]) -> Iterator[World]:
    """Its rows as they are at first, and a cache over them."""
    with fresh(*both) as opened:
        yield opened
