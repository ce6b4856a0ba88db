"""Backups in a bucket of S3, on a server of that kind on loopback."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from buttress.backup import Backups
from buttress.backup.site import Site
from buttress.backup.store import open_store
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, Unavailable
from buttress.settings import BackupSettings
from s3_server import KEY_ID, Bucket, s3_server

URL = "s3://backups/of/the-shop"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with s3_server() as bucket:
        for name, value in {
            "AWS_ENDPOINT_URL": bucket.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": "a-test-secret",
            "AWS_REGION": "eu-west-1",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table notes (id integer primary key, text)")
        connection.executemany(
            "insert into notes (text) values (hex(randomblob(?)))", [(400,)] * 8000
        )
        connection.commit()
    return path


def opened(file: Path, tmp_path: Path, **settings: object) -> Backups:
    url = parse_database_url(f"sqlite:///{file}")
    store = open_store(URL, default=tmp_path)
    return Backups(Site(url, url, url, tmp_path / "home"), store, BackupSettings(**settings))


@pytest.mark.parametrize(
    "secret", ["", pytest.param("a key of some length", marks=pytest.mark.slow)]
)
def test_a_bucket_of_s3_takes_proves_shares_restores_and_prunes(bucket, file, tmp_path, secret):
    backups = opened(file, tmp_path, key=secret, daily=1, monthly=0)
    first = backups.create()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update notes set text = lower(text) where id % 200 = 0")

    second = backups.create()

    assert first.verified
    assert second.verified
    assert first.manifest.chunked.chunks > 1
    assert second.manifest.new_bytes < first.manifest.new_bytes / 10
    assert all(name.startswith("of/the-shop/") for name in bucket.objects)
    assert len(backups.store.chunks()) == len(
        [name for name in bucket.objects if "/chunks/" in name]
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("delete from notes")
    assert backups.restore(first.id).rows == 8000
    assert [one.id for one in backups.prune()] == [first.id]
    assert [one.id for one in backups.all()] == [second.id]


def test_a_flipped_bit_in_a_bucket_is_refused(bucket, file, tmp_path):
    backups = opened(file, tmp_path)
    backups.create()
    name = max(bucket.objects, key=lambda name: len(bucket.objects[name][0]))
    data, made = bucket.objects[name]
    bucket.objects[name] = (data[:500] + bytes([data[500] ^ 1]) + data[501:], made)

    with pytest.raises(BadInput, match="damaged"):
        backups.restore()


def test_a_bucket_that_is_full_or_away_gets_no_backup_and_says_so(bucket, file, tmp_path):
    backups = opened(file, tmp_path)
    bucket.refuse_from = 4
    with pytest.raises(Unavailable, match=r"s3://backups/of/the-shop"):
        backups.create()
    bucket.refuse_from = None

    assert backups.all() == []
    assert backups.create().verified


def test_wrong_credentials_are_told_with_the_cure(bucket, file, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")

    with pytest.raises(Unavailable) as refused:
        opened(file, tmp_path).create()

    assert "credentials" in refused.value.hint
