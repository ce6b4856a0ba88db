"""Fixtures that several modules of this folder share."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.jobs.tables import install as install_jobs
from buttress.runtime import Runtime
from buttress.settings import Settings
from cache_world import World, databases, fresh
from llm_world import one_database


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
    with to_be_cloned(request, tmp_path_factory, lambda database: upgrade(database, [])) as made:
        yield made


@pytest.fixture(scope="session")
def jobs_foundation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str | Path]:
    """A database with the tables of jobs, to be cloned."""
    with to_be_cloned(request, tmp_path_factory, install_jobs) as made:
        yield made


@contextmanager
def to_be_cloned(
    request: pytest.FixtureRequest,
    folders: pytest.TempPathFactory,
    prepare: Callable[[Database], object],
) -> Iterator[str | Path]:
    """A prepared database: its name, or SQLite's file."""
    if request.config.getoption("--backend") == "sqlite":
        file = folders.mktemp("foundation") / "foundation.db"
        with closing(Database(f"sqlite:///{file}")) as database:
            prepare(database)
        yield file
        return
    servers: Servers = request.getfixturevalue("servers")
    name = f"test_{os.getpid()}_foundation_{secrets.token_hex(4)}"
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner buttress_owner strategy file_copy")
        with closing(Database(servers.postgres_url("owner", name))) as database:
            prepare(database)
        yield name
        admin.execute(f"drop database {name} with (force)")


@contextmanager
def cloned(foundation: str | Path, servers: Callable[[], Servers], folder: Path) -> Iterator[str]:
    """URL of a database of its own that is as the other was, connecting as its owner."""
    if isinstance(foundation, Path):
        yield f"sqlite:///{shutil.copy(foundation, folder / 'foundation.db')}"
        return
    running = servers()
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(running.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(
            f"create database {name} owner buttress_owner template {foundation} strategy file_copy"
        )
        yield running.postgres_url("owner", name)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def foundation_url(
    request: pytest.FixtureRequest, foundation: str | Path, tmp_path: Path
) -> Iterator[str]:
    """That of one test."""
    with cloned(foundation, lambda: request.getfixturevalue("servers"), tmp_path) as url:
        yield url


@pytest.fixture
def jobs_url(
    request: pytest.FixtureRequest, jobs_foundation: str | Path, tmp_path: Path
) -> Iterator[str]:
    """URL of a database of one test that has the tables of jobs."""
    with cloned(jobs_foundation, lambda: request.getfixturevalue("servers"), tmp_path) as url:
        yield url


@pytest.fixture(scope="module")
def modules_foundation_url(
    request: pytest.FixtureRequest,
    foundation: str | Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """That of all tests of a module."""
    folder = tmp_path_factory.mktemp("database")
    with cloned(foundation, lambda: request.getfixturevalue("servers"), folder) as url:
        yield url


@pytest.fixture(scope="session")
def calls_url(servers: Servers) -> Iterator[str]:
    """URL of the database in which the tests of the model gateway keep their calls."""
    with one_database(servers) as url:
        yield url


@pytest.fixture(scope="module")
def modules_runtime(
    modules_foundation_url: str, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """A deployment on that database, for all tests of a module."""
    settings = Settings(
        _env_file=None,
        database_url=modules_foundation_url,
        redis_url=servers.valkey_url,
        home=tmp_path_factory.mktemp("home"),
    )
    with Runtime(settings) as runtime:
        runtime.apps.clear()  # the database has none of their tables
        yield runtime
