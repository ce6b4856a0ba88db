"""Uploads on a real database and a real store: told by content, shared, owned, and deleted."""

import gc
import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from buttress.api.files import file_response
from buttress.db.database import Database
from buttress.db.tenancy import as_system
from buttress.errors import BadInput, NotFound, Refused, TooLarge, Unavailable
from buttress.files import File, Files, for_owner
from buttress.files.types import check_allowed, type_of
from buttress.settings import FilesSettings

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


class EverybodysDatabase(Database):
    """Whose uploads are seen is what the tests of tenancy ask; here it is those of everybody."""

    @contextmanager
    def session(self, **options):
        with as_system("tests of files"), super().session(**options) as session:
            yield session


@pytest.fixture
def database(foundation_url):
    with closing(EverybodysDatabase(foundation_url)) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def files(database, folder):
    return Files(database, FilesSettings(limit_bytes=1_000_000), default=folder)


@pytest.fixture
def put(database, files):
    def keep(content=PDF, name="price list.pdf", **more):
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        with database.session() as session:
            return files.put(session, stream, name=name, app="catalog", **more)

    return keep


def stored(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def workbook(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.xml": "<w/>",
            **members,
        }.items():
            made.writestr(name, content)
    return file.getvalue()


def test_an_upload_comes_back_as_it_was(database, files, put, folder):
    me = uuid4()
    id = put(owner=me, name="../Olá\u202e.pdf").id

    with database.session() as session:
        file = for_owner(session, id, me)
    assert (file.name, file.media_type, file.bytes) == ("Olá.pdf", "application/pdf", len(PDF))
    assert file.created_at.tzinfo is not None
    assert files.read(file) == PDF
    with files.open(file) as opened:
        assert opened.read() == PDF
    digest = hashlib.sha256(PDF).hexdigest()
    assert stored(folder) == [folder / digest[:2] / digest[2:4] / digest]


def test_a_foreign_file_is_as_unknown_as_none(database, put):
    mine = put(owner=uuid4())
    nobodys = put(owner=None)

    with database.session() as session:
        for id in (mine.id, nobodys.id, uuid4()):
            with pytest.raises(NotFound, match=str(id)):
                for_owner(session, id, uuid4())


def test_one_content_is_kept_once_and_goes_with_its_last_upload(database, files, put, folder):
    first, second = put(name="a.pdf"), put(name="b.pdf")
    assert len(stored(folder)) == 1

    with database.session() as session:
        files.delete(session, first)
    assert files.read(second) == PDF
    with database.session() as session:
        files.delete(session, second)
        assert len(stored(folder)) == 1, "not before the commit"
    assert stored(folder) == []


class Undone(Exception):
    """Ends a transaction."""


def test_what_is_undone_leaves_the_store_as_it_was(database, files, put, folder):
    kept = put()

    def change():
        with database.session() as session:
            files.delete(session, kept)
            files.put(session, [b"%PDF-", b"other"], name="x.pdf", app="catalog")
            assert len(stored(folder)) == 2
            raise Undone

    with pytest.raises(Undone):
        change()

    assert len(stored(folder)) == 1
    assert files.read(kept) == PDF


def test_a_content_deleted_and_uploaded_in_one_transaction_stays(database, files, put):
    old = put()
    with database.session() as session:
        files.delete(session, old)
        new = files.put(session, [PDF], name="x.pdf", app="catalog")

    assert files.read(new) == PDF


def test_uploads_and_deletions_at_once_never_lose_a_content(database, files, put, folder):
    def come_and_go(number):
        file = put(name=f"{number}.pdf")
        with database.session() as session:
            if number % 3:
                files.delete(session, file)
                return None
        return file

    with ThreadPoolExecutor(6) as threads:
        left = [file for file in threads.map(come_and_go, range(48)) if file]

    assert len(left) == 16
    assert all(files.read(file) == PDF for file in left)
    with database.session() as session:
        for file in left:
            files.delete(session, file)
    assert stored(folder) == []


def test_a_deletion_waits_for_an_upload_of_the_same_content(database, files, put):
    """Without the lock it would see no other upload, and take the content away from this one."""
    old = put()
    if database.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")

    def remove():
        with database.session() as session:
            files.delete(session, old)

    thread = threading.Thread(target=remove)
    with database.session() as session:
        new = files.put(session, [PDF], name="new.pdf", app="catalog")
        thread.start()
        thread.join(0.7)
    thread.join(10)

    assert files.read(new) == PDF


def test_what_a_crash_left_is_swept(database, files, put, folder):
    kept = put()
    orphan = hashlib.sha256(b"orphan").hexdigest()
    files._contents.keep(orphan, io.BytesIO(b"orphan"))

    assert files.sweep() == 1
    assert files.read(kept) == PDF
    assert len(stored(folder)) == 1
    assert files.sweep() == 0


def test_a_damaged_content_is_told(files, put, folder):
    file = put()
    stored(folder)[0].write_bytes(PDF.replace(b"obj", b"OBJ"))

    with pytest.raises(Unavailable, match="damaged"):
        files.read(file)
    stored(folder)[0].unlink()
    with pytest.raises(Unavailable, match="could not read a file") as caught, files.open(file):
        pass
    assert "BUTTRESS_FILES__STORE" in caught.value.hint


def test_a_file_too_large_is_refused_while_it_is_read(put, folder):
    read = []

    def endless():
        yield b"%PDF-1.7\n"
        while True:
            read.append(1)
            yield b"x" * 100_000

    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        put(endless())
    assert len(read) <= 11
    with pytest.raises(TooLarge, match="10 bytes"):
        put(limit_bytes=10)
    assert stored(folder) == []


@pytest.mark.parametrize(
    ("content", "name", "allowed", "words"),
    [
        (b"", "x.pdf", None, "empty"),
        (b"MZ" + b"\0" * 100, "x.pdf", None, "ends in .pdf"),
        (PDF, "x.exe", None, "ends in .exe, but its content is application/pdf"),
        (PDF, "x.xlsx", ["application/pdf"], "ends in .xlsx"),
        (PDF, "x", ["text/csv", "image/*"], "application/pdf is not taken here"),
        (b"a,b\n1,2\n", "x.pdf", None, "ends in .pdf, but its content is text/plain"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "x.csv", None, "content is image/png"),
        (workbook(), "x.docx", None, "spreadsheetml"),
        (b"<script>", "x.png", None, "content is text/plain"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "x.xlsx", None, "ole-storage"),
    ],
)
def test_content_and_name_must_agree_and_be_taken(content, name, allowed, words):
    with pytest.raises(BadInput, match=words) as caught:
        check_allowed(type_of(io.BytesIO(content), name), allowed)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (PDF, "x.PDF", "application/pdf"),
        (PDF, "report", "application/pdf"),
        (PDF, "report v1.2", "application/pdf"),
        (b"a,b\n1,2\n", "x.csv", "text/csv"),
        ("preço;€\n".encode("cp1252"), "x.csv", "text/csv"),
        ("ü".encode("utf-16"), "x.txt", "text/plain"),
        (b"{}", "x.json", "application/json"),
        (workbook(), "x.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\0" * 50, "x.jpg", "image/jpeg"),
        (b"RIFF\0\0\0\0WAVEfmt ", "x.wav", "audio/wav"),
    ],
)
def test_types_are_told_by_content(content, name, kind):
    assert type_of(io.BytesIO(content), name) == kind


def test_an_upload_of_another_type_is_not_kept(put, folder):
    for name, allowed in (("x.exe", None), ("x.pdf", ["image/*"])):
        with pytest.raises(BadInput):
            put(PDF, name, allowed=allowed)

    assert stored(folder) == []


def test_a_bomb_is_refused_before_it_is_kept(put, folder):
    bomb = workbook(**{"xl/worksheets/sheet1.xml": bytes(20 << 20)})
    with pytest.raises(Refused, match="times its size"):
        put(bomb, "prices.xlsx")

    assert stored(folder) == []


def test_a_quota_counts_one_persons_files(database, folder):
    files = Files(database, FilesSettings(quota_bytes=len(PDF) * 2), default=folder)
    me = uuid4()

    def put(owner):
        with database.session() as session:
            files.put(session, [PDF], name="x.pdf", app="catalog", owner=owner)

    put(me)
    put(me)
    with pytest.raises(TooLarge, match="together"):
        put(me)
    put(uuid4())
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(File)) == 3


def test_a_download_is_an_attachment_and_asked_for_again(files, put):
    file = put(name="Olá.pdf")
    api = FastAPI()

    @api.get("/file")
    def get(request: Request):
        return file_response(files, file, request)

    client = TestClient(api)
    answer = client.get("/file")
    again = client.get("/file", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.content == PDF
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(PDF))
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, PDF[:4]),
        ("bytes=5-", 206, PDF[5:]),
        ("bytes=-6", 206, PDF[-6:]),
        ("bytes=-99999", 206, PDF),
        ("bytes=4-99999", 206, PDF[4:]),
        ("bytes=99999-", 416, b""),
        ("bytes=9-3", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=-", 416, b""),
        ("bytes=0-1,4-5", 200, PDF),
        ("lines=1-2", 200, PDF),
    ],
)
def test_parts_of_a_download_may_be_asked_for(asked, status, part):
    class Kept:
        def blocks(self, file):
            return iter([PDF[:7], PDF[7:20], PDF[20:]])

    file = File(sha256="0" * 64, bytes=len(PDF), media_type="application/pdf", name="x.pdf")
    api = FastAPI()

    @api.get("/get")
    def get(request: Request):
        return file_response(Kept(), file, request)

    answer = TestClient(api).get("/get", headers={"Range": asked})

    assert (answer.status_code, answer.content) == (status, part)
    assert answer.headers["content-length"] == str(len(part))
    old = TestClient(api).get("/get", headers={"Range": asked, "If-Range": '"other"'})
    assert old.content == PDF


def test_memory_stays_bounded_whatever_the_size(database, folder):
    files = Files(database, FilesSettings(limit_bytes=1 << 30), default=folder)

    def resident():
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    with database.session() as session:
        blocks = (b"%PDF-" + bytes(1 << 20) for _ in range(100))
        file = files.put(session, blocks, name="x.pdf", app="catalog")
    with files.open(file) as opened:
        assert opened.seek(0, 2) == file.bytes
    assert resident() - before < 50_000_000


def test_a_bucket_keeps_files_too(database, tmp_path):
    files = Files(database, FilesSettings(store="memory:///files"), default=tmp_path)
    with database.session() as session:
        file = files.put(session, [PDF], name="x.pdf", app="catalog")
    assert files.read(file) == PDF
    with database.session() as session:
        files.delete(session, file)
    with pytest.raises(Unavailable):
        files.read(file)


def test_the_table_of_the_migration_is_the_model_s(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from buttress.files.tables import FileBase

    with database.connection() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name == "buttress_file"},
        )
        assert compare_metadata(context, FileBase.metadata) == []


def test_importing_the_jail_does_not_start_anything():
    code = "import buttress.fetch; from buttress.jail.keeper import keeper; assert keeper._process is None"
    subprocess.run([sys.executable, "-c", code], check=True)
