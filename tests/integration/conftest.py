"""Fixtures that several modules of this folder share."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
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


@pytest.fixture(scope="session")
def foundation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str | Path]:
    """A database with the foundation's revisions, to be cloned: its name, or SQLite's file."""
    if request.config.getoption("--backend") == "sqlite":
        file = tmp_path_factory.mktemp("foundation") / "foundation.db"
        with closing(Database(f"sqlite:///{file}")) as database:
            upgrade(database, [])
        yield file
        return
    servers: Servers = request.getfixturevalue("servers")
    name = f"test_{os.getpid()}_foundation_{secrets.token_hex(4)}"
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner buttress_owner strategy file_copy")
        with closing(Database(servers.postgres_url("owner", name))) as database:
            upgrade(database, [])
        yield name
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def foundation_url(
    request: pytest.FixtureRequest, foundation: str | Path, tmp_path: Path
) -> Iterator[str]:
    """URL of a database of the test's own that has the foundation's tables, as its owner."""
    if isinstance(foundation, Path):
        yield f"sqlite:///{shutil.copy(foundation, tmp_path / 'foundation.db')}"
        return
    servers: Servers = request.getfixturevalue("servers")
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(
            f"create database {name} owner buttress_owner template {foundation} strategy file_copy"
        )
        yield servers.postgres_url("owner", name)
        admin.execute(f"drop database {name} with (force)")
