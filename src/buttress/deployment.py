"""The database as the installed apps expect it: revisions, roll-ups, watched tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buttress.db.database import Database
    from buttress.db.migrations import MigrationSource, Revision


@dataclass(frozen=True)
class Prepared:
    """What had to be done; empty when the database was as expected."""

    revisions: list[Revision] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    """Tables whose changes the cache is told of from now on."""
    unwatched: list[str] = field(default_factory=list)
    """Tables it is no longer told of."""


def prepare(
    database: Database, sources: Sequence[MigrationSource], *, target: str = "heads"
) -> Prepared:
    """Apply the revisions up to `target`, with the roll-ups, then have the cache's tables watched.

    Connect as the owner, and give the sources of all installed apps. Raises what
    `buttress.db.migrations.upgrade` raises.
    """
    from buttress.cache import install
    from buttress.db import migrations

    revisions = migrations.upgrade(database, sources, target=target)
    installed = install(database)
    return Prepared(revisions, installed.tables, installed.removed)
