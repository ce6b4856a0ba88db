"""What can be wrong with a deployment, each as a function of the world it is made in."""

from __future__ import annotations

import datetime as dt
import subprocess
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import psycopg
from sqlalchemy import select
from sqlalchemy.orm import Session

from buttress.backup import backups_of
from buttress.backup.site import site_of
from buttress.cache import cached, install
from buttress.check import Facts
from buttress.check.registry import NotApplicable
from buttress.settings import (
    BackupSettings,
    HealthSettings,
)
from cache_world import Stray, Table, mine
from integration.check_world import Case, World, with_facts

REMOTE = "postgresql://u:p@db.example.com/shop"
TENANTS = "create table guarded (id int primary key, owner_id int)"
SECURED = f"{TENANTS}; alter table guarded enable row level security"
POLICY = (
    "create policy own on guarded using (owner_id = (select current_setting('a.b', true)::int))"
)
OURS = POLICY.replace("policy own", "policy buttress_owner")


def plain(**values: object) -> Case:
    """Settings decide."""
    return lambda world: world.facts(**values)


def given(**names: str) -> Case:
    """The environment decides."""
    return lambda world: world.facts(given=names)


def sql(*seeds: str, role: str = "app") -> Case:
    """A database with these statements run in it decides."""
    return lambda world: world.sql(*seeds, role=role)


def encoded(encoding: str) -> Case:
    options = f"encoding '{encoding}' locale_provider libc locale 'C' template template0"
    return lambda world: world.at(
        world.servers.postgres_url("postgres", world.database(options=options))
    )


def pooled(world: World) -> Facts:
    """What greeted is not what answers, as behind PgBouncer."""
    facts = world.sql()
    with facts.database.connection() as connection:
        world.patch.setattr(
            type(connection.connection), "driver_connection",
            SimpleNamespace(info=SimpleNamespace(backend_pid=1)), raising=False,
        )  # fmt: skip
    return facts


def log_folder(*, writable: bool) -> Case:
    def case(world: World) -> Facts:
        (world.folder / "logs").mkdir()
        world.patch.setattr("buttress.check.observability.os.access", lambda *_: writable)
        return world.facts()

    return case


def patched(target: str, value: object) -> Case:
    """Something about the machine or the packages decides."""

    def case(world: World) -> Facts:
        world.patch.setattr(target, value)
        return world.facts()

    return case


def health_of(name: str) -> Case:
    def case(world: World) -> Facts:
        return world.facts(health=HealthSettings(token=name))

    return case


def repository(*, tracked: bool) -> Case:
    def case(world: World) -> Facts:
        facts = world.env_file("A_TOKEN=x\n")
        subprocess.run(["git", "init", "-q", world.folder], check=True)
        if tracked:
            subprocess.run(["git", "-C", world.folder, "add", ".env"], check=True)
        return facts

    return case


def rights(mode: int) -> Case:
    def case(world: World) -> Facts:
        facts = world.env_file("A_TOKEN=x\n")
        facts.given.path.chmod(mode)
        return facts

    return case


def mounted(kind: str) -> Case:
    def case(world: World) -> Facts:
        mounts = world.folder / "mounts"
        mounts.write_text(f"disk / ext4 rw 0 0\nnone /srv {kind} rw 0 0\n")
        world.patch.setattr("buttress.check.configuration.MOUNTS", mounts)
        return world.facts(home="/srv/buttress")

    return case


def streamlit_file(content: str) -> Case:
    def case(world: World) -> Facts:
        folder = world.folder / ".streamlit"
        folder.mkdir()
        (folder / "config.toml").write_text(content)
        return world.facts()

    return case


def server_says(**found: str) -> Case:
    """A server we cannot have here: another version, other limits."""
    return lambda world: with_facts(world.sql(), server=found)


def clock_off_by(seconds: float) -> Case:
    def case(world: World) -> Facts:
        facts = world.sql()
        now = dt.datetime.now(dt.UTC).timestamp()
        world.patch.setattr(
            "buttress.check.database.time", SimpleNamespace(time=lambda: now - seconds)
        )
        return facts

    return case


def standby(url: str) -> Case:
    return lambda world: world.facts(
        replica_urls=url.format(primary=world.servers.postgres_url("app", "postgres"))
    )


def unwatched(*, installed: bool) -> Case:
    def case(world: World) -> Facts:
        facts = world.runtime()
        Table.metadata.create_all(facts.open.owner_database.engine)
        if installed:
            install(facts.open.owner_database, mine())
        facts.open.cache.watching.verify()
        return facts

    return case


def reads_more(world: World) -> Facts:
    from buttress.cache import current

    @cached("check", tags=["~check"])
    def strays(session: Session) -> int:
        return len(session.scalars(select(Stray)).all())

    own = [entry for entry in current.registered() if entry.declaration.namespace == "check"]
    world.patch.setattr("buttress.cache.lint.current.registered", lambda: own)
    return world.at("sqlite:///none.db")


def invalid_index(world: World) -> Facts:
    name = world.database(
        "create table t (id int primary key, n int); insert into t values (1, 1), (2, 1)"
    )
    with suppress(psycopg.errors.UniqueViolation):
        world.run(name, "create unique index concurrently broken on t (n)")
    return world.at(world.servers.postgres_url("app", name))


def foreign_key(*more: str) -> Case:
    return sql(
        "create table parent (id int primary key)",
        "create table child (id int primary key, parent_id int references parent)",
        *more,
    )


def valkey_keys(number: int, key: str = "") -> Case:
    def case(world: World) -> Facts:
        facts = world.at("sqlite:///none.db")
        facts.open.cache_url = f"{world.servers.valkey_url}?db={number}"
        if key:
            facts.valkey.set(key, "1", px=30_000)
            world.exits.callback(facts.valkey.delete, key)
        return facts

    return case


def backup(**values: object) -> Case:
    return lambda world: world.facts(backup=BackupSettings(**values))


def kept(*, hours: float | None, proven_days: float | None = None) -> Case:
    """A store that holds one backup of that age."""

    def case(world: World) -> Facts:
        facts = world.facts(database_url=f"sqlite:///{world.folder}/a.db")
        now = dt.datetime.now(dt.UTC)
        drill = None
        if proven_days is not None:
            drill = SimpleNamespace(at=(now - dt.timedelta(days=proven_days)).isoformat())
        moment = (now - dt.timedelta(hours=hours or 0)).isoformat()
        made: Any = SimpleNamespace(
            manifest=SimpleNamespace(started_at=moment), drill=drill, verified=drill is not None
        )
        return with_facts(facts, made=[] if hours is None else [made])

    return case


def real_backup(*, damage: bool = False) -> Case:
    """A backup of a SQLite file, made and proven just now."""

    def case(world: World) -> Facts:
        import sqlite3

        path = world.folder / "a.db"
        with sqlite3.connect(path) as connection:
            connection.execute("create table t (n int)")
        connection.close()
        facts = world.facts(database_url=f"sqlite:///{path}")
        backups = backups_of(facts.settings, site_of(facts.settings, None))
        made = backups.create()
        if damage:
            manifest = world.folder / "backups" / made.id / "manifest.json"
            manifest.write_bytes(manifest.read_bytes()[:-9])
        return facts

    return case


def backup_role(role: str) -> Case:
    def case(world: World) -> Facts:
        name = world.database(SECURED, POLICY)
        url = world.servers.postgres_url(role, name)
        return world.at(
            world.servers.postgres_url("app", name), backup=BackupSettings(database_url=url)
        )

    return case


def people(role: str, *, disabled: bool = False) -> Case:
    """A person of that role."""
    return lambda world: world.sql(
        "insert into buttress_person (id, name, role, created_at, disabled_at) values"
        f" (gen_random_uuid(), 'ada', '{role}', now(), {'now()' if disabled else 'null'})",
        migrated=True,
    )


def jobs(*seeds: str) -> Case:
    """The tables of jobs with these rows in them."""
    return lambda world: world.sql(*seeds, migrated=True)


def job_row(status: str, *, hours_ago: float) -> str:
    return (
        "insert into buttress_jobs.workflow_status (workflow_uuid, status, name, created_at,"
        f" updated_at) values ('check', '{status}', 'n',"
        f" (extract(epoch from now()) - {hours_ago} * 3600) * 1000, 0)"
    )


def schedules_as_declared(world: World) -> Facts:
    declared = [job for job in world.shared.runtime.jobs.declared() if job.schedule]
    return world.sql(
        *(
            "insert into buttress_jobs.workflow_schedules (schedule_id, schedule_name,"
            f" workflow_name, schedule, context)"
            f" values ('{number}', '{job.name}', 'w', '{job.schedule}', 'c')"
            for number, job in enumerate(declared)
        ),
        migrated=True,
    )


def lock_file(content: str) -> Case:
    def case(world: World) -> Facts:
        (world.folder / "uv.lock").write_text(content)
        return world.facts()

    return case


def nothing(_: World) -> Facts:
    raise NotApplicable
