"""Receivers on loopback of what a deployment sends: spans by OTLP, events by Sentry's protocol."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver:
    """Keeps the bodies and headers of what is posted to it."""

    def __init__(self) -> None:
        received: list[tuple[str, dict[str, str], bytes]] = []

        class Keep(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                received.append((self.path, dict(self.headers.items()), body))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def text(self) -> str:
        """All of it, as one searches it for what must not be there."""
        return "\n".join(
            f"{path} {headers} {body.decode('utf-8', 'replace')}"
            for path, headers, body in self.received
        )

    @property
    def spans(self) -> list[Any]:
        """The spans of an OTLP receiver."""
        found = []
        for _, _, body in self.received:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found.extend(scope.spans)
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a Sentry receiver: the last line of each envelope."""
        return [
            msgspec.json.decode(body.strip().rpartition(b"\n")[2]) for _, _, body in self.received
        ]
