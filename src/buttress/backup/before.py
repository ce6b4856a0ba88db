"""A backup before something changes a database that has something to lose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa
from sqlalchemy import inspect

from buttress.backup.backups import backups_of, open_backups
from buttress.backup.shelf import Backup
from buttress.backup.site import Site
from buttress.db.url import parse_database_url
from buttress.errors import ButtressError
from buttress.settings import Settings

if TYPE_CHECKING:
    from buttress.db.database import Database
    from buttress.db.migrations import MigrationSource


LARGE_IMPORT = 100_000
"""Rows."""


def before_migration(
    settings: Settings, database: Database, sources: Sequence[MigrationSource]
) -> Backup | None:
    """Back up when revisions are pending and the database has tables; `None` when not.

    `BUTTRESS_BACKUP__BEFORE_CHANGES` switches it off. Raises what `Backups.create` raises: without
    the backup nothing should be migrated.
    """
    from buttress.db import migrations

    if not settings.backup.before_changes:
        return None
    pending = [one.id for one in migrations.history(database, sources) if not one.applied]
    if not pending or not _has_tables(database):
        return None
    with _told_how_to_do_without(), open_backups(settings) as backups:
        return backups.create(f"before {len(pending)} migrations up to {pending[-1]}")


def before_import(
    settings: Settings, database: Database, table: str | sa.Table, *, rows: int | None
) -> Backup | None:
    """Back up before `import_rows` changes a table that has rows; `None` when it need not.

    Whoever calls `import_rows` calls this first, outside of its transaction. `rows` is how many
    come, `None` when nobody knows; fewer than `LARGE_IMPORT` are no reason for a backup.
    `BUTTRESS_BACKUP__BEFORE_CHANGES` switches it off. Raises what `Backups.create` raises: without
    the backup nothing should be imported.

        before_import(runtime.settings, runtime.database, "sales.campaign", rows=len(frame))
        import_rows(runtime.database, "sales.campaign", frame)
    """
    if not settings.backup.before_changes or (rows is not None and rows < LARGE_IMPORT):
        return None
    if not _has_rows(database, table):
        return None
    coming = "rows" if rows is None else f"{rows:,} rows"
    with _told_how_to_do_without(), open_backups(settings) as backups:
        return backups.create(f"before an import of {coming} into {table}")


class _Place(Protocol):
    @property
    def conninfo(self) -> str: ...


def before_move(settings: Settings) -> Callable[[_Place], None] | None:
    """What a move calls before it replaces tables; `None` when the setting says no backup.

    The database that is moved to is backed up as the role that moves.
    """
    if not settings.backup.before_changes:
        return None

    def back_up(place: _Place) -> None:
        url = parse_database_url(place.conninfo)
        with _told_how_to_do_without():
            backups_of(settings, Site(url, url, url, settings.home)).create("before a move")

    return back_up


@contextmanager
def _told_how_to_do_without() -> Iterator[None]:
    try:
        yield
    except ButtressError as error:
        without = "To go on without a backup, set BUTTRESS_BACKUP__BEFORE_CHANGES=false."
        error.hint = f"{error.hint} {without}" if error.hint else without
        raise


def _has_rows(database: Database, table: str | sa.Table) -> bool:
    if isinstance(table, str):
        schema, _, name = table.rpartition(".")
        found = sa.table(name, schema=schema or None)
    else:
        found = table
    with database.session(read_only=True) as session:
        any_row = sa.select(sa.literal(1)).select_from(found).limit(1)
        return session.execute(any_row).first() is not None


def _has_tables(database: Database) -> bool:
    with database.session(read_only=True) as session:
        return bool(inspect(session.connection()).get_table_names())
