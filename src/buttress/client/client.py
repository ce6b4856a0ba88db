"""The client: a method for each thing most programs do; `get`, `post` … for the routes of apps."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar, overload
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
import msgspec

from buttress.client.sending import Sender
from buttress.client.types import Entry, File, Job, Me, Person, Token, Usage
from buttress.errors import BadInput, Unavailable

T = TypeVar("T")
BLOCK_BYTES = 1 << 18
FIRST_LOOK_SECONDS, SELDOMEST_LOOK_SECONDS = 0.05, 2.0


class Client:
    """Speaks to one deployment, as the person whose token it has. Threads may share it.

    Parameters
    ----------
    base_url
        The address people open: `https://app.example.com`.
    token
        Made in the workspace or by `POST /api/v1/tokens`.
    timeout_seconds
        How long the deployment may be silent.
    attempts
        How often a request is sent when no answer comes, or 429, 502, 503, 504 do. A POST has a key
        of its own by which the deployment does it once.
    patience_seconds
        The longest `Retry-After` that is waited for.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_seconds: float = 30.0,
        attempts: int = 5,
        patience_seconds: float = 60.0,
    ) -> None:
        self._http = httpx2.Client(
            base_url=f"{base_url.rstrip('/')}/api/v1/",
            headers={"authorization": f"Bearer {token}", "accept": "application/json"},
            timeout=timeout_seconds,
            # A redirect would take the token elsewhere.
            follow_redirects=False,
        )
        self._sender = Sender(self._http, attempts=attempts, patience_seconds=patience_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @overload
    def get(self, path: str, type: type[T], **params: Any) -> T: ...

    @overload
    def get(self, path: str, **params: Any) -> Any: ...

    def get(self, path: str, type: Any = Any, **params: Any) -> Any:
        """What a route below `/api/v1/` answers, as that type."""
        return self._decoded(self._send("GET", path, params=params), type)

    def post(self, path: str, json: Any = None, *, key: str | None = None, **params: Any) -> Any:
        """Send JSON; `key` for a request that another process may have sent already."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self._decoded(self._send("POST", path, headers, json=json, params=params), Any)

    def put(self, path: str, json: Any, **params: Any) -> Any:
        """Put JSON in the place of what is there."""
        return self._decoded(self._send("PUT", path, json=json, params=params), Any)

    def patch(self, path: str, json: Any, *, etag: str | None = None, **params: Any) -> Any:
        """Change something; with `etag` only if it is what was read. Sent once."""
        headers = {"If-Match": etag} if etag else {}
        return self._decoded(self._send("PATCH", path, headers, json=json, params=params), Any)

    def delete(self, path: str, **params: Any) -> None:
        """Delete something."""
        self._send("DELETE", path, params=params)

    @overload
    def each(self, path: str, type: type[T], **params: Any) -> Iterator[T]: ...

    @overload
    def each(self, path: str, **params: Any) -> Iterator[Any]: ...

    def each(self, path: str, type: Any = Any, **params: Any) -> Iterator[Any]:
        """All items of a list, asked for page by page as they are taken."""
        cursor: str | None = None
        while True:
            page = self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            for item in page["items"]:
                yield msgspec.convert(item, type)
            cursor = page["next"]
            if cursor is None:
                return

    def me(self) -> Me:
        """Who is asking, and what they may."""
        return self.get("me", Me)

    def people(self, **params: Any) -> Iterator[Person]:
        """Everybody, for admins."""
        return self.each("people", Person, **params)

    def tokens(self, **params: Any) -> Iterator[Token]:
        """One's own tokens."""
        return self.each("tokens", Token, **params)

    def audit(self, **params: Any) -> Iterator[Entry]:
        """The audit log, the newest first."""
        return self.each("audit", Entry, **params)

    def usage(self, **params: Any) -> Iterator[Usage]:
        """What language models took: `by=["day", "model"]`, `since`, `until`."""
        return self.each("usage", Usage, **params)

    def jobs(self, **params: Any) -> Iterator[Job]:
        """Jobs, the newest first."""
        return self.each("jobs", Job, **params)

    def job(self, job_id: str) -> Job:
        """One job."""
        return self.get(f"jobs/{quote(job_id, safe='')}", Job)

    def wait(self, job_id: str, *, timeout_seconds: float = 60.0) -> Job:
        """A job once it has ended, however it did; raises `Unavailable` when it takes longer."""
        give_up, pause = time.monotonic() + timeout_seconds, FIRST_LOOK_SECONDS
        while not (job := self.job(job_id)).ended:
            if time.monotonic() + pause > give_up:
                raise Unavailable(
                    f"job {job_id} ({job.name}) is {job.state} after {timeout_seconds} seconds",
                    hint="It goes on; ask again later. If it only waits, is a worker running?",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, SELDOMEST_LOOK_SECONDS)
        return job

    def files(self, **params: Any) -> Iterator[File]:
        """One's own files, the newest first."""
        return self.each("files", File, **params)

    def upload(self, source: str | os.PathLike[str] | IO[bytes], *, name: str = "") -> File:
        """Keep a file, sent in blocks as it is read; an open one must be seekable."""
        if isinstance(source, str | os.PathLike):
            with Path(source).open("rb") as file:
                return self.upload(file, name=name or Path(source).name)
        start = source.tell()

        def blocks() -> Iterator[bytes]:
            source.seek(start)
            while block := source.read(BLOCK_BYTES):
                yield block

        headers = {
            "Idempotency-Key": str(uuid4()),
            "content-type": "application/octet-stream",
        }
        response = self._send(
            "POST", "files", headers, content=blocks, params={"name": name or "upload"}
        )
        return msgspec.json.decode(response.content, type=File)

    def download(self, file_id: UUID | str, target: str | os.PathLike[str] | IO[bytes]) -> int:
        """Write a file's content to a path or an open file; how many bytes.

        A path gets its file when it is whole. Raises `Unavailable` when it is not what was kept.
        """
        if isinstance(target, str | os.PathLike):
            path = Path(target)
            beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
            try:
                with beside.open("xb") as file:
                    written = self.download(file_id, file)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            return written
        response = self._sender.send(
            "GET", f"files/{quote(str(file_id), safe='')}", headers={}, stream=True
        )
        digest, written = hashlib.sha256(), 0
        try:
            for block in response.iter_bytes():
                digest.update(block)
                written += target.write(block)
        except httpx2.TransportError as error:
            raise Unavailable("the download broke off", hint="Begin it again.") from error
        finally:
            response.close()
        if response.headers.get("etag", "").strip('"') != digest.hexdigest():
            raise Unavailable("the download is not the file that was kept", hint="Begin it again.")
        return written

    def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        if more.get("json", ...) is None:
            del more["json"]
        if not more.get("params", True):
            del more["params"]
        return self._sender.send(method, path.lstrip("/"), headers=headers or {}, **more)

    def _decoded(self, response: httpx2.Response, type: Any) -> Any:
        if response.status_code == 204 or not response.content:
            return None
        try:
            return msgspec.json.decode(response.content, type=type)
        except msgspec.MsgspecError as error:
            raise BadInput(
                f"{response.request.url.path} answered something else: {error}",
                hint="Is this the address of a Buttress deployment, of the same version?",
            ) from error
