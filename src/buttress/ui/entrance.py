"""What is added to the page of HTML from which Streamlit starts.

Opened at /jobs, Streamlit's client does not know whether it is served below / or below /jobs. It
asks at both, and browsers tell the refused one as an error in the console. A script tells it
before it asks; it is a file of ours, as the content policy allows none inside of a page.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Scope, Send

PATH = "/entrance.js"
SCRIPT = 'window.__streamlit = { BACKEND_BASE_URL: window.location.origin + "/" };\n'
TAG = f'<head>\n    <script src="{PATH}"></script>'.encode()
DAY_SECONDS = 86_400


async def script(_: Request) -> Response:
    """The script."""
    kept = {"cache-control": f"private, max-age={DAY_SECONDS}"}
    return Response(SCRIPT, media_type="text/javascript", headers=kept)


ENTRANCE = Route(PATH, script, methods=["GET"])


def entered(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """The same request and `send`, so that an answer of HTML bears the script and our name."""
    if "text/html" not in Headers(scope=scope).get("accept", ""):
        return scope, send
    # A compressed page could not be added to; it has some kilobytes.
    plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
    return {**scope, "headers": plain}, Page(send).send


class Page:
    """Holds an answer of HTML back until it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Pass on what the application says; of HTML, once all of it is there."""
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if not kind.startswith("text/html"):
                await self._send(message)
            else:
                self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            await self._whole(self._start)

    async def _whole(self, start: Message) -> None:
        body = self._body.replace(b"<head>", TAG, 1)
        body = body.replace(b"<title>Streamlit</title>", b"<title>Buttress</title>", 1)
        headers = MutableHeaders(scope=start)
        if self._body:  # an answer to HEAD has none, and tells the length of the other
            headers["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})
