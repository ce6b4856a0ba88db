"""A deployment with the catalog."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from buttress.access import Identity, acting
from buttress.access.tables import Person
from buttress.app import App
from buttress.apps.catalog import app
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.llm import asking
from buttress.runtime import Runtime
from buttress.settings import Settings
from buttress.testing import someone
from buttress.testing.models import ModelServer
from llm_world import Gateway, gateway


@pytest.fixture(scope="session")
def prepared(servers: Servers) -> Iterator[str]:
    """The name of a database with all tables of a deployment with the catalog, to be cloned."""
    name = f"test_{os.getpid()}_catalog_{secrets.token_hex(4)}"
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner buttress_owner strategy file_copy")
        apps: list[App] = [app]
        with closing(Database(servers.postgres_url("owner", name))) as database:
            prepare(database, apps)
        yield name
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def runtime(
    servers: Servers, prepared: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """A deployment with nothing in it, for the tests of a module."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    folder: Path = tmp_path_factory.mktemp("catalog")
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(
            f"create database {name} owner buttress_owner template {prepared} strategy file_copy"
        )
        settings = Settings(
            _env_file=None,
            database_url=servers.postgres_url("app", name),
            redis_url=servers.valkey_url,
            home=folder,
            apps="catalog",
        )
        with Runtime(settings) as opened:
            yield opened
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def worker_environment(runtime: Runtime) -> dict[str, str]:
    """What a worker of the same deployment is started with."""
    return {
        **os.environ,  # noqa: TID251 — the worker is started as people start it
        "DATABASE_URL": runtime.settings.database_url.get_secret_value(),
        "REDIS_URL": runtime.settings.redis_url.get_secret_value(),
        "BUTTRESS_HOME": str(runtime.settings.home),
        "BUTTRESS_APPS": "catalog",
    }


@pytest.fixture(scope="module")
def ana(runtime: Runtime) -> Identity:
    """An analyst."""
    return _person(runtime, "ana@example.com")


@pytest.fixture(scope="module")
def bento(runtime: Runtime) -> Identity:
    """Another one."""
    return _person(runtime, "bento@example.com")


@pytest.fixture
def as_ana(ana: Identity) -> Iterator[Identity]:
    """All of the test is done by Ana."""
    with acting(ana):
        yield ana


def _person(runtime: Runtime, name: str) -> Identity:
    identity = someone("analyst", name)
    with runtime.session() as session:
        session.add(
            Person(id=identity.person, name=name, role=identity.role, created_at=datetime.now(UTC))
        )
    return identity


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModelServer, Gateway]]:
    """A language model on loopback, and the gateway that asks it."""
    file: Path = tmp_path_factory.mktemp("calls") / "calls.db"
    with ModelServer() as server, gateway(f"sqlite:///{file}", server) as llm:
        yield server, llm


@pytest.fixture
def server(opened: tuple[ModelServer, Gateway]) -> ModelServer:
    """The model, which remembers no request."""
    opened[0].forget()
    return opened[0]


@pytest.fixture
def llm(opened: tuple[ModelServer, Gateway], monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The gateway; nobody waits half a second between two attempts."""
    monkeypatch.setattr(asking, "FIRST_WAIT_SECONDS", 0.01)
    return opened[1]
