"""Databases of other locales and encodings come back as they were."""

from __future__ import annotations

import secrets

import msgspec
import psycopg
import pytest
from psycopg import sql

from backup_forged import rewrite
from buttress.backup import Backups, locales
from buttress.backup.manifest import DatabaseProperties, Locale
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.url import parse_database_url
from buttress.errors import Unsupported
from buttress.settings import BackupSettings


@pytest.fixture(params=["encoding 'UTF8' locale_provider libc locale 'C'",
                        "encoding 'LATIN1' locale_provider libc locale 'C'"])  # fmt: skip
def backups(request, servers, tmp_path):
    """Of a database that differs in locale, or in encoding too, from the server's others."""
    name = f"locales_{secrets.token_hex(4)}"
    url = parse_database_url(servers.postgres_url("owner", name))
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner buttress_owner template template0 "
                      + request.param)  # fmt: skip
        with psycopg.connect(url.conninfo) as connection:
            connection.execute("create table t (x text primary key)")
            connection.execute("insert into t values ('z'), ('Z'), ('a'), ('B'), ('é')")
        superuser = parse_database_url(servers.postgres_url("postgres", name))
        site = Site(superuser, url, superuser, tmp_path / "home")
        yield Backups(site, FolderStore(tmp_path / "store"), BackupSettings())
        for (left,) in admin.execute(
            "select datname from pg_database where starts_with(datname, %s)", [name]
        ).fetchall():
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(left)))


def seen(backups: Backups) -> object:
    with psycopg.connect(backups.site.owner.conninfo) as connection:
        row = connection.execute(
            "select array_agg(x order by x), lower('É'), 'É' ~* 'é' from t"
        ).fetchone()
        return row, locales.read(connection)


def test_a_restored_database_sorts_and_encodes_as_the_one_that_was_backed_up(backups):
    before = seen(backups)
    backup = backups.create()
    assert backup.verified
    assert backup.manifest.properties.locale.collate == "C"

    backups.restore()

    assert seen(backups) == before


@pytest.mark.parametrize("backups", ["encoding 'UTF8' locale_provider libc locale 'C'"],
                         indirect=True)  # fmt: skip
def test_a_locale_the_server_does_not_have_is_refused_before_anything_is_restored(backups):
    backup = backups.create(drill=False)
    manifest = backup.manifest
    unknown = msgspec.structs.replace(
        manifest.properties, locale=Locale("c", "xx_YY.utf8", "xx_YY.utf8")
    )
    rewrite(backups, msgspec.structs.replace(manifest, properties=unknown))

    with pytest.raises(Unsupported, match="xx_YY"):
        backups.restore()

    assert seen(backups)


def test_another_locale_is_a_difference_and_one_nobody_recorded_is_none():
    expected = DatabaseProperties(locale=Locale("c", "C", "C"))
    found = DatabaseProperties(locale=Locale("b", "C", "C", "C.UTF-8"))

    assert locales.differences(expected, expected) == []
    assert locales.differences(DatabaseProperties(), found) == []
    assert locales.differences(expected, found) == [
        "locale is UTF8 builtin C.UTF-8 C C instead of UTF8 libc C C"
    ]
