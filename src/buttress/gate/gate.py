"""The gate: every request and every WebSocket passes here, and nothing else leads in."""

from __future__ import annotations

import logging
from collections.abc import Collection
from urllib.parse import quote, urlsplit

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from buttress.access import Identity, acting
from buttress.access.lookup import Identities
from buttress.access.secrets import TOKEN_PREFIX
from buttress.api.problems import problem
from buttress.errors import (
    BadInput,
    ButtressError,
    Forbidden,
    NotFound,
    NotSignedIn,
    TooMany,
    Unavailable,
)
from buttress.gate.bodies import LimitedBody
from buttress.gate.cookies import cookie_name, cookies
from buttress.gate.headers import adding
from buttress.gate.incidents import Incidents
from buttress.gate.origin import Arrival, arrival, parse_networks
from buttress.gate.owners import Owners
from buttress.gate.pages import SIGN_IN, pages
from buttress.gate.rates import Rates
from buttress.gate.sockets import WatchedSocket
from buttress.runtime import Runtime

log = logging.getLogger(__name__)

OPEN_TO_ALL = ("/health", "/sign-in", "/sign-out")
"""Paths, with all below them, that need nobody to be signed in."""
PUBLISHED = ("/static",)
"""The workspace's scripts and styles, which anybody can download from a package registry."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SIGN_INS_A_MINUTE = 120
TOKENS_SHARE = 0.5
"""Of what a person may ask: a program gone wild leaves them room."""
READING = ("GET", "HEAD", "OPTIONS")
IDENTITY_HEADER = "x-buttress-sign-in"
"""What the workspace is told; whoever sends it from outside is not believed."""
OURS = b"x-buttress-"


class Gate:
    """An ASGI application around another.

    Parameters
    ----------
    inside
        The API with the workspace.
    runtime
        The open deployment.
    """

    def __init__(self, inside: ASGIApp, runtime: Runtime) -> None:
        self.inside = inside
        self.runtime = runtime
        settings = runtime.settings.access
        self.identities: Identities = runtime.identities
        self.owners = Owners()
        self.rates = Rates(settings.requests_per_minute)
        self.token_rates = Rates(max(1, round(settings.requests_per_minute * TOKENS_SHARE)))
        self.sign_ins = Rates(SIGN_INS_A_MINUTE)
        self.incidents = Incidents(runtime.session)
        self.body_bytes = settings.body_bytes
        self._proxies = parse_networks(settings.trusted_proxies)
        self._base = urlsplit(settings.base_url)
        self._pages = pages(runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or answer why not."""
        if scope["type"] == "lifespan":
            await self.inside(scope, receive, send)
            return
        headers = Headers(scope=scope)
        came = arrival(scope, headers, self._proxies)
        # What we tell the inside must come from nowhere else.
        scope = dict(scope)
        scope["headers"] = [pair for pair in scope["headers"] if not pair[0].startswith(OURS)]
        if scope["type"] == "http":
            scope["scheme"] = came.scheme
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, headers, came)
        else:
            await self._request(scope, receive, adding(send, came), headers, came)

    async def _request(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, came: Arrival
    ) -> None:
        path: str = scope["path"]
        identity: Identity | None = None
        try:
            self._refuse_foreign_host(path, came)
            if is_below(path, ("/health",)) and scope["method"] not in READING:
                raise NotFound(f"nothing is changed at {path}", hint="Ask with GET.")
            identity = await self._identify(headers, came, path)
            if is_below(path, OPEN_TO_ALL) or self._is_open_metrics(path):
                self._refuse_foreign_site(scope["method"], headers, came)
            else:
                if identity is None:
                    raise NotSignedIn("nobody is signed in", hint="Sign in, or send a token.")
                if identity.token is None:
                    self._refuse_foreign_site(scope["method"], headers, came)
                self._refuse_what_is_anothers(path, identity)
            if is_below(path, (SIGN_IN,)) and scope["method"] not in READING:
                self._refuse_beyond(self.sign_ins, came.origin.address)
            in_api = is_below(path, ("/api",))
            body = LimitedBody(receive, send, self.body_bytes if in_api else None)
            if in_api:
                self._refuse_too_many(identity, came)
                body.refuse_announced(headers)
        except ButtressError as error:
            await self._answer(error, scope, headers, came)(scope, receive, send)
            if isinstance(error, Forbidden) and identity is not None:
                await self.incidents.forbidden(identity, scope["method"], path)
            return
        with acting(identity):
            if is_below(path, (SIGN_IN, "/sign-out")):
                scope["state"] = scope.get("state", {}) | {"came": came}
                await self._pages(scope, receive, send)
                return
            if not in_api:
                self._tell(scope, identity)
            try:
                await self.inside(scope, body.receive, body.send)
            except Exception:
                # Cut off while it read, the inside fails in ways of its own.
                if not body.refused:
                    raise
            if body.refused and not body.answered:
                await self._answer(body.refused, scope, headers, came)(scope, receive, send)
        if body.status == 403 and identity is not None:
            await self.incidents.forbidden(identity, scope["method"], path)

    async def _socket(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, came: Arrival
    ) -> None:
        cookie = self._cookie(headers, came)
        try:
            self._refuse_foreign_host(scope["path"], came)
            if headers.get("origin", "").lower() != came.site:
                raise Forbidden("a page of another site asked")
            if cookie is None:
                raise NotSignedIn("nobody is signed in")
            identity = await self._of_cookie(cookie, came)
        except ButtressError as error:
            if cookie is not None or isinstance(error, Forbidden):
                self.incidents.refused(error.message, "WEBSOCKET", scope["path"], came.origin)
            await receive()
            await send({"type": "websocket.close", "code": 4401})
            return

        async def still(active: bool) -> bool:
            try:
                if active:
                    await self._of_cookie(cookie, came)
                else:
                    # A page that renews itself is no sign of a person.
                    await self._of_sign_in(identity)
            except NotSignedIn:
                return False
            except Unavailable:
                return True  # nobody can tell: pages say that the database is away
            return True

        self._tell(scope, identity)
        with acting(identity):
            await WatchedSocket(receive, send, identity, still, self.owners).serve(
                self.inside, scope
            )

    async def _identify(self, headers: Headers, came: Arrival, path: str) -> Identity | None:
        """Who is asking, None for nobody; raises NotSignedIn for a token that is not good."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        # At /health another token counts too, which only the health itself knows.
        here = is_below(path, ("/api", "/metrics")) or (
            is_below(path, ("/health",)) and token.startswith(TOKEN_PREFIX)
        )
        if kind.lower() == "bearer" and here:
            return await self._of_token(token, came)
        cookie = self._cookie(headers, came)
        if cookie is None:
            return None
        if is_below(path, PUBLISHED):
            # A page that is open must be able to say that the database is away.
            once = self.identities.once_known_cookie(cookie, came.origin)
            if once is not None:
                return once
        try:
            return await self._of_cookie(cookie, came)
        except NotSignedIn:
            return None
        except Unavailable:
            if is_below(path, OPEN_TO_ALL):
                return None
            raise

    async def _of_cookie(self, cookie: str, came: Arrival) -> Identity:
        known = self.identities.known_cookie(cookie, came.origin)
        if known is not None:
            return known
        return await anyio.to_thread.run_sync(self.identities.of_cookie, cookie, came.origin)

    async def _of_sign_in(self, identity: Identity) -> None:
        assert identity.sign_in is not None
        if self.identities.known_sign_in(identity.sign_in) is None:
            await anyio.to_thread.run_sync(self.identities.of_sign_in, identity.sign_in)

    async def _of_token(self, token: str, came: Arrival) -> Identity:
        known = self.identities.known_token(token, came.origin)
        if known is not None:
            return known
        return await anyio.to_thread.run_sync(self.identities.of_token, token, came.origin)

    def _cookie(self, headers: Headers, came: Arrival) -> str | None:
        return cookies(headers).get(cookie_name(came)) or None

    def _refuse_foreign_host(self, path: str, came: Arrival) -> None:
        """A page of another site must not reach us through a name that it controls."""
        name = urlsplit(f"//{came.host}").hostname
        if is_below(path, ("/health",)) or name in LOOPBACK:
            return
        if self._base.hostname is not None and name != self._base.hostname:
            raise BadInput(
                f"this is not {name}",
                hint=f"Open {self._base.geturl()}; see BUTTRESS_ACCESS__BASE_URL.",
            )
        if self._base.hostname is None and self.runtime.settings.environment == "development":
            raise BadInput(
                f"{name} is not the address of this deployment",
                hint="Set BUTTRESS_ACCESS__BASE_URL to the address people open.",
            )

    def _refuse_foreign_site(self, method: str, headers: Headers, came: Arrival) -> None:
        """What changes something is asked by our own pages only."""
        if method in READING:
            return
        fetched = headers.get("sec-fetch-site")
        if fetched is not None:
            own = fetched in ("same-origin", "none")
        else:
            own = headers.get("origin", "").lower() == came.site
        if not own:
            raise Forbidden(
                "a page of another site asked", hint="Programs send a token instead of a cookie."
            )

    def _refuse_what_is_anothers(self, path: str, identity: Identity) -> None:
        if not self.owners.may(path, identity.person):
            raise NotFound(f"there is no {path}")

    def _refuse_too_many(self, identity: Identity | None, came: Arrival) -> None:
        if identity is not None and identity.token is not None:
            self._refuse_beyond(self.token_rates, identity.token)
        # By the person too: many tokens are no way to ask more often.
        self._refuse_beyond(self.rates, str(identity.person) if identity else came.origin.address)

    def _refuse_beyond(self, rates: Rates, who: str) -> None:
        wait = rates.seconds_to_wait(who)
        if wait:
            raise TooMany(f"more than {rates.per_minute} requests a minute", after_seconds=wait)

    def _is_open_metrics(self, path: str) -> bool:
        return path == "/metrics" and self.runtime.settings.monitor.metrics

    def _tell(self, scope: Scope, identity: Identity | None) -> None:
        if identity is not None and identity.sign_in is not None:
            headers = MutableHeaders(scope=scope)
            headers[IDENTITY_HEADER] = str(identity.sign_in)
            scope["headers"] = headers.raw

    def _answer(
        self, error: ButtressError, scope: Scope, headers: Headers, came: Arrival
    ) -> Response:
        """A person is led to the sign-in; a program is told what is wrong."""
        # Who shows nothing is a visitor; who shows something that is not good may be an intruder.
        shown = "authorization" in headers or self._cookie(headers, came) is not None
        visitor = isinstance(error, NotSignedIn) and not shown
        if visitor:
            log.debug("visitor", extra={"path": scope["path"], **_told(came)})
        else:
            self.incidents.refused(error.message, scope["method"], scope["path"], came.origin)
        navigates = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")
        if isinstance(error, NotSignedIn) and navigates:
            query = scope["query_string"].decode("latin-1")
            wanted = scope["path"] + (f"?{query}" if query else "")
            there = SIGN_IN if wanted == "/" else f"{SIGN_IN}?next={quote(wanted, safe='/')}"
            return RedirectResponse(there, status_code=303)
        more = {}
        if isinstance(error, NotSignedIn):
            more["www-authenticate"] = "Bearer"
        if isinstance(error, TooMany):
            more["retry-after"] = str(max(1, round(error.after_seconds)))
        return problem(
            error.http_status, error.message, hint=error.hint, headers=more,
            request_id=came.origin.request_id,
        )  # fmt: skip


def is_below(path: str, places: Collection[str]) -> bool:
    """Whether a path is one of these, or below one."""
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _told(came: Arrival) -> dict[str, str]:
    return {"request_id": came.origin.request_id, "address": came.origin.address}
