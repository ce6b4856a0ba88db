"""The database as the installed apps expect it: revisions, roll-ups, watched tables, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buttress.app import App
    from buttress.db.database import Database
    from buttress.db.migrations import Revision


@dataclass(frozen=True)
class Prepared:
    """What had to be done; empty when the database was as expected."""

    revisions: list[Revision] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    """Tables whose changes the cache is told of from now on."""
    unwatched: list[str] = field(default_factory=list)
    """Tables it is no longer told of."""
    jobs: bool = False
    """Whether the tables of jobs were made or renewed."""


def prepare(
    database: Database, apps: Sequence[App], *, target: str = "heads", jobs: bool = True
) -> Prepared:
    """Apply the revisions up to `target`, with the roll-ups; then have the cache's tables watched
    and make the tables of jobs, unless `jobs` says that somebody else does.

    Connect as the owner, and give all installed apps. Raises what `buttress.db.migrations.upgrade`
    raises.
    """
    from buttress import cache
    from buttress.db import migrations
    from buttress.jobs import tables

    revisions = migrations.upgrade(database, [app.migrations for app in apps], target=target)
    installed = cache.install(database)
    made = jobs and tables.install(database)
    return Prepared(revisions, installed.tables, installed.removed, made)
