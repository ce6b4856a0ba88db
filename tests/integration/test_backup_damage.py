"""Damage of every kind to what is stored: refused before a database is used, or found by the drill."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

import test_backup
from backup_forged import data_of, forge
from buttress.backup import Backups, database, postgresql
from buttress.backup.keys import Key
from buttress.backup.pruning import named_by
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, Unsupported
from buttress.settings import BackupSettings

site = test_backup.site

TRIES = 1000
SEEDED = 100


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    chance = random.Random(8)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table notes (id integer primary key, text, amount real)")
        connection.executemany(
            "insert into notes (text, amount) values (?, ?)",
            [(chance.randbytes(150).hex(), chance.random()) for _ in range(4000)],
        )
        connection.commit()
    return path


def opened(file: Path, tmp_path: Path, secret: str = "") -> Backups:
    url = parse_database_url(f"sqlite:///{file}")
    store = FolderStore(tmp_path / "store")
    return Backups(Site(url, url, url, tmp_path / "home"), store, BackupSettings(key=secret))


def damage(whole: bytes, chance: random.Random) -> bytes:
    """One bit flipped, or everything behind a place cut off."""
    damaged = bytearray(whole)
    if chance.random() < 0.6:
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    else:
        del damaged[chance.randrange(len(whole)) :]
    return bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("secret", ["", "a key of some length"])
def test_every_flip_and_every_cut_is_refused_before_a_database_is_used(
    file, tmp_path, monkeypatch, secret
):
    backups = opened(file, tmp_path, secret)
    backups.create(drill=False)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update notes set text = upper(text) where id % 50 = 3")
    backup = backups.create(drill=False)  # has differences too
    names = named_by(backups.store, [backup.manifest])
    assert any("." in name for name in names)
    paths = [tmp_path / "store" / name for name in sorted(names)]
    paths += sorted((tmp_path / "store" / backup.id).iterdir())

    def used(*_: object, **__: object) -> None:
        raise AssertionError("a database was used")

    monkeypatch.setattr(database, "_save", used)
    monkeypatch.setattr(Key, "of", cache(Key.of))  # derived once, not a thousand times
    chance = random.Random(20)
    live = file.read_bytes()
    refused = 0
    for _ in range(TRIES):
        path = chance.choice(paths)
        whole = path.read_bytes()
        path.write_bytes(damage(whole, chance))
        with pytest.raises((BadInput, Unsupported)):
            backups.restore(backup.id)
        refused += 1
        path.write_bytes(whole)
    assert refused == TRIES
    assert file.read_bytes() == live


@pytest.mark.slow
def test_the_drill_finds_every_value_that_was_changed_behind_the_checksums(file, tmp_path):
    backups = opened(file, tmp_path)
    backup = backups.create()
    whole = data_of(backups, backup)
    other = tmp_path / "other.db"
    chance = random.Random(21)

    for number in range(SEEDED):
        other.write_bytes(whole)
        with closing(sqlite3.connect(other)) as connection, connection:
            connection.execute(
                CHANGES[number % len(CHANGES)], {"id": chance.randrange(1, 4001), "n": number}
            )
        forge(backups, backup, other.read_bytes())

        assert backups.verify(backup.id).differences, number
        assert not backups.find(backup.id).verified
        with pytest.raises(BadInput, match="not what was backed up"):
            backups.restore(backup.id)


CHANGES = [
    "update notes set amount = amount + 1e-9 where id = :id",
    "update notes set text = substr(text, 1, 299) || 'z' where id = :id",
    "update notes set amount = amount || 'x' where id = :id",
    "update notes set text = cast(text as blob) where id = :id",
    "update notes set id = 100000 + :n where id = :id",
    "update notes set text = null where id = :id",
    "delete from notes where id = :id",
    "insert into notes (text) values ('one more')",
    "create index more on notes (text)",
    "update notes set text = text || char(0) where id = :id",
]


@pytest.mark.slow
def test_the_drill_finds_changed_rows_and_filtered_ones_in_a_dump_of_postgresql(site, tmp_path):
    backups = Backups(site, FolderStore(tmp_path / "store"), BackupSettings())
    backup = backups.create()
    whole = data_of(backups, backup)

    for old, new in (
        (b"customer 77\t", b"customer 78\t"),
        (b"\t1250.00\t", b"\t1250.01\t"),
        (b'{"n": 1999}', b'{"n": 1998}'),
        (b"2026-01-01 05:00:00", b"2026-01-01 05:00:01"),
        (b"499\t499", b"499\t498"),
    ):
        assert whole.count(old) == 1, old
        forge(backups, backup, whole.replace(old, new))
        assert backups.verify(backup.id).differences, old

    test_backup.change(site, "alter table customers enable row level security")
    test_backup.change(site, "delete from customers where id > 1990")
    filtered = data_of(backups, backups.create(drill=False))
    forge(backups, backup, filtered)
    assert "table public.customers has 1990 rows instead of 2000" in "".join(
        backups.verify(backup.id).differences
    )
    assert test_backup.databases(site) == {postgresql.name_of(site.owner)}
