"""Deployments with one thing wrong, made from real servers, for the tests of `buttress check`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from buttress.check import Facts
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.jobs.tables import install
from buttress.runtime import Runtime
from buttress.settings import Given, Settings, TimeoutSettings

Case = Callable[["World"], Facts]
ROOT = Path(__file__).parents[2]


class Shared:
    """A database without tables, and a migrated one with its runtime: faults are rolled back."""

    def __init__(self, servers: Servers, folder: Path, exits: ExitStack) -> None:
        world = World(servers, folder, pytest.MonkeyPatch(), exits, self)
        self.facts = world.runtime()
        self.runtime = self.facts.open
        install(self.runtime.owner_database)
        migrated = self.runtime.database.url.label.rpartition("/")[2]
        self.migrated = Database(servers.postgres_url("postgres", migrated))
        self.empty = Database(servers.postgres_url("postgres", world.database()))
        for database in (self.migrated, self.empty):
            exits.callback(database.close)


class InTransaction:
    """A database all of whose sessions are one transaction that is undone."""

    def __init__(self, like: Database, connection: Connection) -> None:
        self.backend, self.url = like.backend, like.url
        self._connection = connection

    @contextmanager
    def connection(self, *, read_only: bool = False) -> Iterator[Connection]:
        yield self._connection


class World:
    """What a case is made from; all it opens is closed with it."""

    def __init__(
        self,
        servers: Servers,
        tmp_path: Path,
        patch: pytest.MonkeyPatch,
        exits: ExitStack,
        shared: Shared,
    ) -> None:
        self.shared = shared
        self.servers = servers
        self.folder = tmp_path
        self.patch = patch
        self.exits = exits

    def settings(self, **values: object) -> Settings:
        """Settings that read no file."""
        return Settings(_env_file=None, **{"home": self.folder, **values})

    def facts(self, *, given: dict[str, str] | None = None, **values: object) -> Facts:
        """Facts of settings alone; nothing is open."""
        return Facts(self.settings(**values), Given(dict(given or {})), self.folder, None, "closed")

    def env_file(self, content: str, environment: dict[str, str] | None = None) -> Facts:
        """Facts with a file `.env`."""
        path = self.folder / ".env"
        path.write_text(content)
        pairs = dict(line.split("=", 1) for line in content.splitlines())
        return Facts(self.settings(), Given(environment or {}, pairs, path), self.folder)

    def database(self, *seeds: str, options: str = "") -> str:
        """The name of a new database, after these statements of the superuser."""
        name = f"test_check_{secrets.token_hex(6)}"
        admin = self.servers.postgres_url("postgres", "postgres")
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(
                f"create database {name} owner buttress_owner {options or 'strategy file_copy'}"
            )
        self.exits.callback(self._drop, name)
        self.run(name, *seeds)
        return name

    def run(self, name: str, *seeds: str, role: str = "postgres") -> None:
        """Statements in a database, each by itself."""
        url = self.servers.postgres_url(role, name)
        with psycopg.connect(url, autocommit=True) as connection:
            for seed in seeds:
                connection.execute(seed)

    def sql(self, *seeds: str, role: str = "app", migrated: bool = False) -> Facts:
        """Facts of one of the shared databases with these faults, as one of the roles."""
        shared = self.shared
        database = shared.migrated if migrated else shared.empty
        connection = self.exits.enter_context(database.engine.connect())
        self.exits.callback(connection.rollback)
        for seed in (*seeds, "reset role"):
            connection.exec_driver_sql(seed.replace("%", "%%"))
        if role != "postgres":
            connection.exec_driver_sql(f"set local role buttress_{role}")
        runtime: Any = SimpleNamespace(
            database=InTransaction(database, connection), apps=[], servers=None,
            jobs=shared.runtime.jobs, settings=shared.runtime.settings,
        )  # fmt: skip
        return Facts(self.settings(), Given(), self.folder, runtime)

    def at(self, url: str, **values: object) -> Facts:
        """Facts of a database as it is, without the rest of a runtime."""
        database = Database(url, timeouts=TimeoutSettings(start_seconds=0, restart_seconds=0))
        self.exits.callback(database.close)
        runtime: Any = SimpleNamespace(
            database=database, owner_database=database, apps=[], servers=None, cache_url="",
            settings=self.settings(database_url=url, **values),
        )  # fmt: skip
        return Facts(runtime.settings, Given(), self.folder, runtime)

    def runtime(self, *seeds: str, migrated: bool = True, **values: object) -> Facts:
        """Facts of an open runtime on a new database, seeded after it was migrated."""
        name = self.database()
        url = self.servers.postgres_url("owner", name)
        settings = self.settings(
            database_url=url, redis_url=values.pop("redis_url", self.servers.valkey_url), **values
        )
        runtime = self.exits.enter_context(Runtime(settings))
        runtime.apps.clear()  # their tables are not what is checked here
        if migrated:
            prepare(runtime.owner_database, [], jobs=False)
        self.run(name, *seeds)
        return Facts(settings, Given(), self.folder, runtime)

    def _drop(self, name: str) -> None:
        admin = self.servers.postgres_url("postgres", "postgres")
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


def with_facts(facts: Facts, **known: object) -> Facts:
    """The same, where some of it is known already."""
    vars(facts).update(known)
    return facts
