"""The database a deployment backs up, as the roles that may read, own and swap it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from buttress.db.embedded import Servers, start_servers
from buttress.db.url import DatabaseURL, parse_database_url
from buttress.settings import Settings


@dataclass(frozen=True)
class Site:
    """One database under the roles a backup needs; on servers of yours they may be one."""

    reader: DatabaseURL
    """Sees every row, past row-level security."""
    owner: DatabaseURL
    """Owns the database and may create others."""
    admin: DatabaseURL
    """May end the sessions of others, for the swap."""
    home: Path
    """Where scratch files may lie."""


def site_of(settings: Settings, servers: Servers | None) -> Site:
    """The database of a deployment."""
    url = settings.database_url.get_secret_value()
    if url == "embedded":
        assert servers is not None, "the runtime is not open"
        return Site(
            parse_database_url(servers.postgres_url("backup")),
            parse_database_url(servers.postgres_url("owner")),
            parse_database_url(servers.postgres_url("postgres")),
            settings.home,
        )
    own = parse_database_url(url)
    given = settings.backup.database_url.get_secret_value()
    role = parse_database_url(given) if given else own
    return Site(role, role, role, settings.home)


@contextmanager
def open_site(settings: Settings) -> Iterator[Site]:
    """The same, with the embedded server running meanwhile, and no connection to the database."""
    if settings.database_url.get_secret_value() != "embedded":
        yield site_of(settings, None)
        return
    with start_servers(settings.home) as servers:
        yield site_of(settings, servers)
