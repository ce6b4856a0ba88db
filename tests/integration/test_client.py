"""The client of the API against a deployment behind its gate, and against servers that fail."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from buttress.access import people
from buttress.app import App
from buttress.client import Client, sending
from buttress.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    TooMany,
    Unavailable,
)
from buttress.jobs import Job
from buttress.jobs.tables import install
from buttress.jobs.worker import Worker
from buttress.runtime import Runtime
from web_world import gated, served, token_of

app = App("probe", title="Probe")


@app.job
def count(to: int) -> int:
    """A job that says how far it is."""
    Job.progress(to, to, "counted")
    return to


@app.job
def fail() -> None:
    """A job that fails."""
    raise BadInput("nothing to count")


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    install(modules_runtime.owner_database)
    app.load = lambda surface: None  # type: ignore[method-assign]
    modules_runtime.apps.append(app)
    return modules_runtime


@pytest.fixture(scope="module")
def address(runtime: Runtime):
    with served(gated(runtime)) as url:
        yield url


@pytest.fixture(scope="module")
def api(runtime: Runtime, address: str):
    with Client(address, token_of(runtime, "root@example.com")) as client:
        yield client


def test_it_knows_who_it_is_and_lists_page_by_page(runtime, api):
    with runtime.session() as session:
        for number in range(5):
            people.create(session, f"p{number}@example.com", "viewer")

    assert (api.me().name, api.me().role) == ("root@example.com", "admin")
    found = [person.name for person in api.people(role="viewer", limit=2)]
    assert found == [f"p{number}@example.com" for number in range(5)]
    told = [entry.object for entry in api.audit(action="person.*", limit=2)]
    assert told == [*reversed(found), "root@example.com"]
    with pytest.raises(Forbidden, match="a token may not invite people"):
        api.post("people/invitations", {"name": "ann@example.com"})


def test_refusals_are_the_errors_of_the_house(runtime, address, api):
    eve = token_of(runtime, "eve@example.com", "viewer")
    with Client(address, eve) as client, pytest.raises(Forbidden, match=r"eve@.* may not invite"):
        list(client.people())
    with Client(address, "bt_forged") as nobody, pytest.raises(NotSignedIn):
        nobody.me()
    with pytest.raises(NotFound) as caught:
        api.job("none")
    assert "request " in caught.value.message
    with pytest.raises(BadInput, match="role"):
        list(api.people(role="king"))
    person = next(api.people(role="admin"))
    with pytest.raises(Conflict) as conflict:
        api.patch(f"people/{person.id}", {"role": "analyst"}, etag='"old"')
    assert conflict.value.hint == "Read it again, then change that."


def test_files_go_up_in_blocks_and_come_back_whole(api, tmp_path):
    content = bytes(range(256)) * 8000
    (tmp_path / "big.bin").write_bytes(content)
    made = api.upload(tmp_path / "big.bin")
    written = api.download(made.id, tmp_path / "back.bin")
    again = io.BytesIO()
    api.download(str(made.id), again)

    assert (made.name, made.bytes, written) == ("big.bin", len(content), len(content))
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "back.bin").read_bytes() == again.getvalue() == content
    assert [file.id for file in api.files(limit=1)] == [made.id]
    with pytest.raises(NotFound):
        api.download("00000000-0000-0000-0000-000000000000", tmp_path / "none.bin")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.bin", "big.bin"]


def test_jobs_are_followed_stopped_and_retried(runtime, api):
    waiting = runtime.jobs.enqueue(count, 3, delay_seconds=600).id
    api.post(f"jobs/{waiting}/pause")
    paused = [job.id for job in api.jobs(state="paused")]
    api.post(f"jobs/{waiting}/resume")
    stopped = api.post(f"jobs/{waiting}/cancel")
    with Worker(runtime.jobs, concurrency=1):
        done = api.wait(runtime.jobs.enqueue(count, 3).id)
        failed = api.wait(runtime.jobs.enqueue(fail).id)
        api.post(f"jobs/{failed.id}/retry")
        again = api.wait(failed.id)
    told = api.get(f"jobs/{done.id}")

    assert paused == [waiting]
    assert stopped == {"ids": [waiting]}
    assert (done.state, done.progress.done, done.progress.note) == ("done", 3, "counted")
    assert (failed.state, again.state) == ("failed", "failed")
    assert "nothing to count" in failed.error
    assert told["history"][-1]["total"] == 3
    states = [job.state for job in api.jobs(limit=1)]
    assert states == ["failed", "done", "cancelled"]
    assert {queue["name"] for queue in api.get("queues")} >= {"default"}
    with pytest.raises(Unavailable, match=r"job .* is waiting after"):
        api.wait(runtime.jobs.enqueue(count, 3).id, timeout_seconds=0.1)
    with pytest.raises(Conflict):
        api.post(f"jobs/{done.id}/cancel")


class Scripted(BaseHTTPRequestHandler):
    """Answers by a script; None closes the connection without an answer."""

    protocol_version = "HTTP/1.1"
    script: list[tuple[int, dict[str, str], bytes] | None]
    seen: list[tuple[str, str, str, bytes]]

    def answer(self) -> None:
        body = b""
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        key = self.headers.get("idempotency-key", "")
        self.seen.append((self.command, self.path, key, body))
        step = self.script.pop(0)
        if step is None:
            self.close_connection = True
            return
        status, headers, content = step
        self.send_response(status)
        for name, value in (headers | {"content-length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  # so the library calls them

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted(*script):
    handler = type("Ours", (Scripted,), {"script": list(script), "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with Client(url, "bt_x", timeout_seconds=2, patience_seconds=5) as client:
            yield client, handler.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


OK = (200, {}, b'{"n": 1}')


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.001)


def test_a_post_is_sent_again_with_its_key_until_it_is_answered():
    with scripted(None, (503, {}, b"<html>"), (429, {"retry-after": "0"}, b"{}"), OK) as (
        api,
        seen,
    ):
        assert api.post("x", {"a": 1}) == {"n": 1}

    assert len({(method, path, body) for method, path, _, body in seen}) == 1
    keys = {key for *_, key, _ in seen}
    assert len(keys) == 1
    assert keys != {""}


def test_it_waits_as_long_as_it_is_told():
    with scripted((429, {"retry-after": "1"}, b"{}"), OK) as (api, _):
        began = time.monotonic()
        api.get("x")
        assert time.monotonic() - began >= 1
    with scripted((503, {"retry-after": "3600"}, b"{}")) as (api, seen), pytest.raises(Unavailable):
        api.get("x")
    assert len(seen) == 1


def test_what_may_be_done_already_is_not_sent_twice_without_a_key():
    with scripted(None) as (api, seen), pytest.raises(Unavailable):
        api.patch("x", {})
    with scripted((503, {}, b"{}")) as (api, _), pytest.raises(Unavailable):
        api.patch("x", {})
    with scripted((409, {}, b'{"detail": "no"}')) as (api, _), pytest.raises(Conflict, match="no"):
        api.post("x")
    assert len(seen) == 1


def test_it_gives_up_after_so_many_attempts():
    with scripted(*[(429, {}, b"{}")] * 5) as (api, seen), pytest.raises(TooMany):
        api.get("x")
    assert len(seen) == 5


def test_an_upload_begins_anew(tmp_path):
    made = (
        b'{"id": "00000000-0000-0000-0000-000000000000", "name": "a", "media_type": "x", "bytes": 5,'
        b' "sha256": "", "app": "api", "created_at": "2026-01-01T00:00:00Z", "new": 1}'
    )
    with scripted((503, {}, b"{}"), (201, {}, made)) as (api, seen):
        source = io.BytesIO(b"xxhello")
        source.seek(2)
        assert api.upload(source, name="a").bytes == 5

    assert [body for *_, body in seen] == [b"hello", b"hello"]
    assert seen[0][2] == seen[1][2] != ""


def test_a_download_that_is_damaged_leaves_no_file(tmp_path: Path):
    with scripted((200, {"etag": '"0000"'}, b"other")) as (api, _), pytest.raises(Unavailable):
        api.download("x", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {}, b"<html>"), BadInput), ((302, {"location": "http://elsewhere"}, b""), BadInput),
        ((422, {}, b'{"detail": "d", "errors": [{"where": "a", "message": "m"}]}'), BadInput),
        ((404, {}, b"[]"), NotFound),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_ours_is_told(answer, error):
    with scripted(answer) as (api, _), pytest.raises(error):
        api.me()
