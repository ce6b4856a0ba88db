"""As much of S3 on loopback as an object store client asks for; what it holds ends with it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 7
"""Names a listing tells at a time, so that clients have to ask again."""
KEY_ID = "a-test-key"


@dataclass
class Bucket:
    """What the server holds, and what went wrong on purpose."""

    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    refuse_from: int | None = None
    """Every request that writes is answered 507 from this one on."""
    writes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""


@contextmanager
def s3_server() -> Iterator[Bucket]:
    """A bucket named `backups` on a free port."""
    bucket = Bucket()

    class Answers(_Answers):
        held = bucket

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    held: Bucket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _read(self) -> tuple[str, dict[str, str], bytes] | None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        if f"Credential={KEY_ID}/" not in self.headers.get("Authorization", ""):
            self._answer(403, "<Error><Code>InvalidAccessKeyId</Code></Error>")
            return None
        _, bucket, key = (*unquote(url.path).split("/", 2), "")[:3]
        if bucket != "backups":
            self._answer(404, "<Error><Code>NoSuchBucket</Code></Error>")
            return None
        return key, query, body

    def _answer(self, status: int, body: str | bytes = b"", **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _refused(self) -> bool:
        with self.held.lock:
            self.held.writes += 1
            if self.held.refuse_from is None or self.held.writes < self.held.refuse_from:
                return False
        self._answer(403, "<Error><Code>QuotaExceeded</Code><Message>full</Message></Error>")
        return True

    def do_PUT(self) -> None:
        if (asked := self._read()) is None or self._refused():
            return
        key, query, body = asked
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        with self.held.lock:
            if "uploadId" in query:
                self.held.uploads[query["uploadId"]][int(query["partNumber"])] = body
            else:
                self.held.objects[key] = (body, datetime.now(UTC))
        self._answer(200, ETag=f'"{tag}"')

    def do_POST(self) -> None:
        if (asked := self._read()) is None:
            return
        key, query, body = asked
        if "uploads" in query:
            number = str(len(self.held.uploads))
            self.held.uploads[number] = {}
            self._answer(
                200,
                f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>",
            )
        elif "uploadId" in query:
            parts = self.held.uploads.pop(query["uploadId"])
            whole = b"".join(parts[number] for number in sorted(parts))
            self.held.objects[key] = (whole, datetime.now(UTC))
            self._answer(
                200,
                '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>',
            )
        else:
            names = re.findall(rb"<Key>(.*?)</Key>", body)
            for name in names:
                self.held.objects.pop(name.decode(), None)
            told = "".join(f"<Deleted><Key>{name.decode()}</Key></Deleted>" for name in names)
            self._answer(200, f"<DeleteResult>{told}</DeleteResult>")

    def do_DELETE(self) -> None:
        if (asked := self._read()) is not None:
            self.held.objects.pop(asked[0], None)
            self._answer(204)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if (asked := self._read()) is None:
            return
        key, query, _ = asked
        if not key:
            self._list(query)
        elif key not in self.held.objects:
            self._answer(404, "<Error><Code>NoSuchKey</Code></Error>")
        else:
            data, made = self.held.objects[key]
            self._answer(200, data, Last_Modified=format_datetime(made, usegmt=True), ETag='"x"')

    def _list(self, query: dict[str, str]) -> None:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        with self.held.lock:
            names = sorted(name for name in self.held.objects if name.startswith(prefix))
        found: dict[str, str] = {}
        for name in names:
            rest, separator, _ = name[len(prefix) :].partition("/")
            if query.get("delimiter") and separator:
                folder = f"{prefix}{rest}/"
                found[folder] = (
                    f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
                )
            else:
                data, made = self.held.objects[name]
                found[name] = (
                    f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size><ETag>x</ETag>"
                    f"<LastModified>{made:%Y-%m-%dT%H:%M:%S}.000Z</LastModified></Contents>"
                )
        wanted = [name for name in sorted(found) if name > after]
        page = wanted[:PAGE]
        more = (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
            if len(wanted) > PAGE
            else "<IsTruncated>false</IsTruncated>"
        )
        self._answer(
            200,
            f"<ListBucketResult>{more}{''.join(found[name] for name in page)}</ListBucketResult>",
        )
