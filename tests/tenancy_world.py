"""A deployment with two people and rows of both in every table whose rows have owners."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

import notes
from buttress.access import Identity, people, permissions_of
from buttress.cache import install, watches
from buttress.db import tenancy
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.db.tenancy import as_system
from buttress.jobs.tables import install as install_jobs
from buttress.runtime import Runtime, select_apps
from buttress.settings import Settings


@dataclass(frozen=True)
class Owned:
    """A table, the column that says whose a row is, and a row of each of the two."""

    table: sa.Table
    owner: str
    secret: str
    """Stands in the row of Alice and in no other."""

    @property
    def column(self) -> sa.Column[UUID]:
        return self.table.c[self.owner]

    def row(self, owner: UUID | None, text: str | None = None) -> dict[str, Any]:
        """Values for a new row, with `text` where there is a place for it."""
        return {
            column.name: owner if column.name == self.owner else value_of(column, text)
            for column in self.table.columns
            if not column.computed and not (column.nullable and column.name != self.owner)
        }


@dataclass(frozen=True)
class Tenants:
    runtime: Runtime
    superuser: str
    """URL that is asked no policy."""
    alice: Identity
    bob: Identity
    admin: Identity
    tables: list[Owned]


def value_of(column: sa.Column[Any], text: str | None) -> Any:
    """A value a column takes; UniqueViolation is made unlikely."""
    match column.type:
        case sa.Uuid():
            return uuid4()
        case sa.Enum():
            return column.type.enums[0]
        case sa.String():
            return f"{text or 'nothing'} {secrets.token_hex(8)}"
        case sa.Integer():
            return secrets.randbelow(30_000)
        case sa.Numeric() | sa.Float():
            return 1
        case sa.Boolean():
            return True
        case sa.DateTime():
            return dt.datetime.now(dt.UTC)
        case sa.Date():
            return dt.datetime.now(dt.UTC).date()
        case sa.LargeBinary():
            return (text or "nothing").encode()
        case postgresql.JSONB() | sa.JSON():
            return {}
        case sa.ARRAY():
            return []
    raise AssertionError(f"tell value_of what {column} of type {column.type!r} takes")


def owned_tables(database: Database) -> list[Owned]:
    """What the catalogue tells, so that a new table of a new app is among them."""
    with database.connection() as connection:
        rows = connection.execute(sa.text(tenancy.OWNED + " ORDER BY 2")).all()
        return [
            Owned(
                sa.Table(row.name, sa.MetaData(), autoload_with=connection, resolve_fks=False),
                row.owner,
                secret=f"secret-{secrets.token_hex(6)}",
            )
            for row in rows
        ]


@contextmanager
def tenants(servers: Servers, folder: Path) -> Iterator[Tenants]:
    """The foundation, the installed apps and `notes`, as the apps connect to them."""
    name = f"test_tenancy_{secrets.token_hex(6)}"
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"create database {name} owner buttress_owner strategy file_copy")
    try:
        apps = [*select_apps(""), notes.app]
        with closing(Database(servers.postgres_url("owner", name))) as owner:
            upgrade(owner, [app.migrations for app in apps])
            install_jobs(owner)
            install(owner, [watch for watch in watches() if watch.table in existing(owner)])
        settings = Settings(
            _env_file=None,
            database_url=servers.postgres_url("app", name),
            redis_url=servers.valkey_url,
            home=folder,
        )
        with Runtime(settings) as runtime:
            runtime.apps = apps
            yield filled(runtime, servers.postgres_url("postgres", name))
    finally:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


def existing(database: Database) -> list[str]:
    with database.connection() as connection:
        return sa.inspect(connection).get_table_names()


def filled(runtime: Runtime, superuser: str) -> Tenants:
    """Two people, an admin, and a row of both in every table."""

    def person(name: str, role: str) -> Identity:
        with runtime.session() as session:
            made = people.create(session, name, role)
        return Identity(made.id, made.name, made.role, permissions_of(role))

    world = Tenants(
        runtime,
        superuser,
        person("alice@example.com", "analyst"),
        person("bob@example.com", "analyst"),
        person("root@example.com", "admin"),
        owned_tables(runtime.database),
    )
    loosen(superuser, world.tables)
    for owned in world.tables:
        fill(world, owned)
    return world


def fill(world: Tenants, owned: Owned) -> None:
    """A row of Alice and one of Bob."""
    with as_system("rows for tests"), world.runtime.database.connection() as connection:
        for who, text in ((world.alice, owned.secret), (world.bob, "bob's")):
            connection.execute(owned.table.insert(), [owned.row(who.person, text)])


def loosen(superuser: str, tables: list[Owned]) -> None:
    """Take rules away that rows made from types alone would break; policies stay."""
    with closing(Database(superuser)) as database, database.connection() as connection:
        for owned in tables:
            inspector = sa.inspect(connection)
            rules = inspector.get_check_constraints(owned.table.name)
            rules += inspector.get_foreign_keys(owned.table.name)  # type: ignore[arg-type]
            for rule in rules:
                connection.exec_driver_sql(
                    f'ALTER TABLE "{owned.table.name}" DROP CONSTRAINT "{rule["name"]}"'
                )
