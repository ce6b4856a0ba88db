"""Migrations: an Alembic branch per app, applied under a lock, retried when a table is busy.

Revisions live in the `versions` folder of their app and are named after it (`catalog_1f0c9a2b`), so
that a database can tell which app a revision it does not know belongs to. Nothing but these folders
exists in a project: configuration and environment are here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import stamina
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect
from sqlalchemy.schema import CreateSchema

from buttress.db.backend import LockTimeout
from buttress.db.database import Database
from buttress.db.fingerprint import Difference, compare
from buttress.db.migration_scripts import (
    VERSION_TABLE,
    MigrationSource,
    Revision,
    alembic_config,
    ancestors,
    describe,
    environment_options,
    heads_referred_to,
    is_of,
    listed,
    ownership,
    readable_errors,
    script_directory,
    with_foundation,
)
from buttress.db.rollups import declared, install
from buttress.errors import Conflict, NotFound
from buttress.settings import PoolSettings

if TYPE_CHECKING:
    from buttress.db.migration_lint import Finding

__all__ = [
    "Difference",
    "MigrationSource",
    "Revision",
    "current",
    "downgrade",
    "drift",
    "history",
    "lint",
    "new_revision",
    "upgrade",
]

LOCK = "migrations"

# Alembic's own table cuts revisions at 32 characters; names of apps may be 30 long.
_VERSIONS = Table(VERSION_TABLE, MetaData(), Column("version_num", Text, primary_key=True))


def upgrade(
    database: Database,
    sources: Sequence[MigrationSource],
    *,
    target: str = "heads",
    lock_timeout_seconds: float = 2.0,
    patience_seconds: float = 120.0,
) -> list[Revision]:
    """Apply the revisions up to `target` (`heads`, `catalog@head`, a revision) and tell which.

    Connect as the owner. One process of all hosts migrates at a time; the others wait and then find
    nothing left to do. Each revision is one transaction. A statement that waits for a busy table
    keeps everybody who comes later waiting too, so it gives up after `lock_timeout_seconds` and the
    revision is tried again, at growing intervals, for `patience_seconds`.

    Roll-ups that the apps declare are made after the last revision, and renewed when declared
    differently.

    Raises `Conflict` when the database holds revisions of an app that is not among the sources,
    `NotFound` for an unknown target, `LockTimeout` when a table or the lock stayed busy.
    """
    return _migrate(
        database,
        sources,
        lambda config: command.upgrade(config, target),
        lock_timeout_seconds,
        patience_seconds,
        finish=partial(_install_rollups, sources) if target == "heads" else None,
    )


def downgrade(
    database: Database,
    sources: Sequence[MigrationSource],
    target: str,
    *,
    lock_timeout_seconds: float = 2.0,
    patience_seconds: float = 120.0,
) -> list[Revision]:
    """Undo revisions down to `target` (`catalog@base`, `catalog@-1`, a revision) and tell which.

    Waits and raises as `upgrade` does.
    """
    return _migrate(
        database,
        sources,
        lambda config: command.downgrade(config, target),
        lock_timeout_seconds,
        patience_seconds,
    )


def current(database: Database, sources: Sequence[MigrationSource]) -> list[Revision]:
    """The newest applied revision of each app."""
    newest = {revision.app: revision for revision in history(database, sources) if revision.applied}
    return sorted(newest.values(), key=lambda revision: revision.app)


def history(database: Database, sources: Sequence[MigrationSource]) -> list[Revision]:
    """All revisions in the order they are applied."""
    script = script_directory(sources)
    applied = ancestors(script, _applied_heads(database, script))
    return [
        describe(script, sources, found.revision, applied=found.revision in applied)
        for found in reversed(list(script.walk_revisions()))
    ]


def new_revision(
    database: Database,
    sources: Sequence[MigrationSource],
    app: str,
    message: str,
    *,
    autogenerate: bool = True,
) -> Path | None:
    """Write the next revision of an app; with `autogenerate`, what brings its tables to its models.

    The models are compared with a scratch database that all revisions were applied to, so what was
    tried by hand in `database` does not get in. Returns None when there is nothing to change.
    """
    sources = with_foundation(sources)
    source = next((source for source in sources if source.name == app), None)
    if source is None:
        raise NotFound(f"there is no app {app!r}", hint=f"Apps: {listed(sources)}.")
    source.versions.mkdir(parents=True, exist_ok=True)
    script = script_directory(sources)
    first = not any(is_of(found, source) for found in script.walk_revisions())
    depends_on = heads_referred_to(script, source, sources)

    def write(config: Config) -> Script | list[Script | None] | None:
        return command.revision(
            config,
            message,
            autogenerate=autogenerate,
            head="base" if first else f"{app}@head",
            branch_label=app if first else None,
            version_path=str(source.versions),
            rev_id=f"{app}_{secrets.token_hex(4)}",
            depends_on=depends_on,  # type: ignore[arg-type]  # a list is what it wants
        )

    with readable_errors():
        if not autogenerate:
            written = write(alembic_config(sources))
        else:
            with (
                _scratch(database, sources, ["heads"]) as scratch,
                scratch.engine.connect() as connection,
            ):
                options = environment_options(source.metadata, owns=ownership(source, sources))
                written = write(alembic_config(sources, connection, options))
    return Path(written.path) if isinstance(written, Script) else None


def drift(database: Database, sources: Sequence[MigrationSource]) -> list[Difference]:
    """How the schema differs from what its applied revisions make; an empty list when it does not.

    A scratch database is migrated to the same revisions and the catalogues of both are compared:
    tables, columns, types, defaults, constraints, indexes, views, triggers, functions, row-level
    security, policies and grants. What a move brought is left out. The role must be allowed to
    create databases.
    """
    heads = _applied_heads(database, script_directory(sources))
    with _scratch(database, sources, heads) as scratch, scratch.connection() as connection:
        _install_rollups(sources, connection)
        expected = scratch.backend.fingerprint(connection)
    with database.connection(read_only=True) as connection:
        found = database.backend.fingerprint(connection)
    return [
        difference
        for difference in compare(expected, found)
        if VERSION_TABLE not in (difference.item.name, difference.item.table)
    ]


def lint(sources: Sequence[MigrationSource], database: Database | None = None) -> list[Finding]:
    """What is unsafe in revisions when others use the database meanwhile.

    With a database, only in those not yet applied to it. A revision allows what it means to do with
    `lint_allow = {"drop-table": "the reason"}`.
    """
    from buttress.db.migration_lint import lint_revisions, render  # the parser is slow to import

    script = script_directory(sources)
    applied = ancestors(script, _applied_heads(database, script)) if database else set()
    in_order = reversed(list(script.walk_revisions()))
    rendered = [render(found.revision, found.module) for found in in_order]
    return [finding for finding in lint_revisions(rendered) if finding.revision not in applied]


def _migrate(
    database: Database,
    sources: Sequence[MigrationSource],
    run: Callable[[Config], None],
    lock_timeout_seconds: float,
    patience_seconds: float,
    finish: Callable[[Connection], None] | None = None,
) -> list[Revision]:
    sources = with_foundation(sources)
    script = script_directory(sources)
    done: dict[str, Revision] = {}  # by id: an attempt that failed while committing comes again

    def note(*, step: MigrationInfo, **_: object) -> None:
        ids = [step.up_revision_id] if step.is_upgrade else step.source_revision_ids
        for id in filter(None, ids):
            done[id] = describe(script, sources, id, applied=step.is_upgrade)

    with (
        closing(_as_migrator(database, lock_timeout_seconds)) as migrator,
        migrator.lock(LOCK, wait_seconds=patience_seconds),
        readable_errors(),
    ):
        _create_version_table(migrator)
        _applied_heads(migrator, script)
        for attempt in stamina.retry_context(
            on=LockTimeout, attempts=None, timeout=patience_seconds, wait_initial=0.2, wait_max=10.0
        ):
            with attempt:
                with migrator.engine.connect() as connection:
                    run(alembic_config(sources, connection, environment_options(note=note)))
                if finish is not None:
                    with migrator.connection() as connection:
                        finish(connection)
    return list(done.values())


def _install_rollups(sources: Sequence[MigrationSource], connection: Connection) -> None:
    tables = inspect(connection)
    found = {rollup.name: rollup for source in sources for rollup in declared(source.metadata)}
    for rollup in found.values():
        if tables.has_table(rollup.table.name, schema=rollup.table.schema):
            install(connection, rollup)


def _as_migrator(database: Database, lock_timeout_seconds: float) -> Database:
    """The same database with a migration's patience: long statements, short waits for locks."""
    timeouts = database.timeouts.model_copy(
        update={"statement_seconds": 0.0, "lock_seconds": lock_timeout_seconds}
    )
    pool = PoolSettings.model_validate({"size": 2, "overflow": 0})  # the lock, and the work
    migrator = Database(
        database.url, pool=pool, timeouts=timeouts, application_name="buttress migrate"
    )
    migrator.backend.listen_for_migrations(migrator.engine)
    return migrator


def _create_version_table(migrator: Database) -> None:
    with migrator.connection() as connection:
        if migrator.url.schema:
            # Without it PostgreSQL would put the tables into the next schema of the search path.
            connection.execute(CreateSchema(migrator.url.schema, if_not_exists=True))
        _VERSIONS.create(connection, checkfirst=True)


@contextmanager
def _scratch(
    database: Database, sources: Sequence[MigrationSource], targets: Sequence[str]
) -> Iterator[Database]:
    """An empty database beside this one, migrated to the targets."""
    with database.backend.scratch(database.engine) as url:
        scratch = Database(url, timeouts=database.timeouts, application_name="buttress migrate")
        with closing(scratch):
            for target in targets:
                upgrade(scratch, sources, target=target)
            yield scratch


def _applied_heads(database: Database, script: ScriptDirectory) -> list[str]:
    """The newest applied revisions; raises `Conflict` when one is of an app that is not here."""
    with database.connection(read_only=True) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        heads = sorted(context.get_current_heads())
    known = {found.revision for found in script.walk_revisions()}
    unknown = [head for head in heads if head not in known]
    if unknown:
        apps = ", ".join(sorted({head.rpartition("_")[0] or head for head in unknown}))
        raise Conflict(
            f"{database.url.label} holds revisions of {apps} that are not installed here: "
            f"{', '.join(unknown)}",
            hint="Install that app, or its newer version, and leave it in BUTTRESS_APPS; to be rid "
            "of it, downgrade it to APP@base where it is still installed.",
        )
    return heads
