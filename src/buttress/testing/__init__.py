"""Pytest fixtures on a real PostgreSQL, for Buttress's tests and yours.

In `conftest.py`:

    pytest_plugins = ["buttress.testing"]

One embedded server runs for all tests, in `var/test` below pytest's root folder, and is found again
by the next run; a test's database costs some 40 ms. Durability is switched off there: nothing in
that folder is worth keeping.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from buttress.access import Identity, Role, permissions_of
from buttress.db.embedded import Servers, start_servers
from buttress.db.url import parse_database_url
from buttress.testing.models import ModelServer

SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PREFIX = "test_"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --backend, which decides what the fixture `backend_url` is."""
    parser.addoption(
        "--backend",
        choices=["postgresql", "sqlite"],
        default="postgresql",
        help="the database that tests with `backend_url` run on",
    )


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """The embedded PostgreSQL and Valkey of this run, shared with runs at the same time."""
    with start_servers(pytestconfig.rootpath / "var" / "test", settings=SETTINGS) as running:
        with _administrator(running) as connection:
            _drop_what_ended_runs_left(connection)
        yield running


@pytest.fixture
def database_url(servers: Servers) -> Iterator[str]:
    """URL of an empty database of the test's own, connecting as its owner."""
    # The process's number tells a later run whether the one that made it is still alive.
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    with _administrator(servers) as connection:
        statement = sql.SQL("create database {} owner buttress_owner strategy file_copy")
        connection.execute(statement.format(sql.Identifier(name)))
        yield servers.postgres_url("owner", name)
        _drop(connection, name)


@pytest.fixture
def conninfo(database_url: str) -> str:
    """What psycopg, ADBC and PostgreSQL's tools connect with to the database of `database_url`."""
    return parse_database_url(database_url).conninfo


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def backend_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database of the kind chosen by --backend."""
    fixture = {"postgresql": "database_url", "sqlite": "sqlite_url"}
    url: str = request.getfixturevalue(fixture[request.config.getoption("--backend")])
    return url


def someone(role: Role = "analyst", name: str = "someone@example.com") -> Identity:
    """A person who is signed in: `with acting(someone("admin")): …` does all inside as them."""
    return Identity(uuid4(), name, role, permissions_of(role))


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A server that answers like OpenAI's, by a script, on a free port of loopback."""
    with ModelServer() as server:
        yield server


def _administrator(servers: Servers) -> psycopg.Connection:
    # Only the superuser may end connections of all roles that a test left open.
    return psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True)


def _drop(connection: psycopg.Connection, name: str) -> None:
    statement = sql.SQL("drop database if exists {} with (force)")
    connection.execute(statement.format(sql.Identifier(name)))


def _drop_what_ended_runs_left(connection: psycopg.Connection) -> None:
    names = connection.execute(
        "select datname from pg_database where starts_with(datname, %s)", [PREFIX]
    ).fetchall()
    for (name,) in names:
        process = name.removeprefix(PREFIX).partition("_")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            _drop(connection, name)
