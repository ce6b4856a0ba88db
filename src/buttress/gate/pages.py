"""The pages for whoever is not in yet: sign in, sign up by a link, choose a new password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import parse_qs, quote

import anyio
import anyio.to_thread
from jinja2 import Environment, PackageLoader, Template
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from buttress.access import links, oidc, people, signing_in
from buttress.access.oidc import Provider
from buttress.access.passwords import SHORTEST
from buttress.errors import BadInput, ButtressError, NotFound, TooMany
from buttress.gate.cookies import (
    cookie_name,
    cookies,
    forget_cookie,
    forget_ticket,
    keep_ticket,
    read_ticket,
    set_cookie,
)
from buttress.gate.origin import Arrival
from buttress.runtime import Runtime
from buttress.ui.theme import LOGO, MARK

Result = TypeVar("Result")
SIGN_IN = "/sign-in"
LARGEST_FORM = 10_000
FORM_SECONDS = 10.0
SIGN_INS_AT_ONCE = 4
LINK_TITLES = {
    "first": ("Set up Buttress", "Choose the name and password of the first admin."),
    "invitation": ("You are invited", "Choose a password, and you are in."),
    "reset": ("A new password", "Choose one. Every device you are signed in on is signed out."),
}


@dataclass(frozen=True)
class Field:
    """One line of a form."""

    name: str
    label: str
    type: str = "text"
    autocomplete: str = "off"
    value: str = ""
    note: str = ""


def pages(runtime: Runtime) -> Starlette:
    """The application that answers below /sign-in, and /sign-out."""
    shown = Pages(runtime)
    return Starlette(
        routes=[
            Route(SIGN_IN, shown.ask, methods=["GET"]),
            Route(SIGN_IN, shown.sign_in, methods=["POST"]),
            Route(f"{SIGN_IN}/provider", shown.leave, methods=["GET"]),
            Route(f"{SIGN_IN}/back", shown.come_back, methods=["GET"]),
            Route(f"{SIGN_IN}/link/{{secret}}", shown.ask_by_link, methods=["GET"]),
            Route(f"{SIGN_IN}/link/{{secret}}", shown.use_link, methods=["POST"]),
            Route("/sign-out", shown.ask_to_sign_out, methods=["GET"]),
            Route("/sign-out", shown.sign_out, methods=["POST"]),
        ]
    )


class Pages:
    """What each page does; all of it is asked by people, so it answers with pages."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.provider = Provider(runtime.settings.oidc)
        # Passwords take their turns: who waits for one must not keep others' requests waiting.
        self._turns = anyio.CapacityLimiter(SIGN_INS_AT_ONCE)

    async def ask(self, request: Request) -> Response:
        """The form to sign in, or a word on how the first admin comes in."""
        if not await self._in_thread(self._any_admin):
            return page(
                "Nobody can sign in yet",
                text="Open the link that `buttress up` printed when it started, or make a new one "
                "with `buttress people first`.",
            )
        return self._form({"next": request.query_params.get("next", "")})

    async def sign_in(self, request: Request) -> Response:
        """Look at name and password."""
        came = arrival_of(request)
        form: dict[str, str] = {}
        try:
            form = await form_of(request)
            secret = await self._in_thread(
                lambda: signing_in.sign_in(
                    self.runtime.session, form.get("name", ""), form.get("password", ""),
                    came.origin,
                )
            )  # fmt: skip
        except ButtressError as error:
            return self._form(form, problem=error)
        return self._let_in(came, secret, wanted(form.get("next", "")))

    async def leave(self, request: Request) -> Response:
        """Send the browser to the provider."""
        if not self.provider.configured:
            return self._form({})
        back, there = self._back(arrival_of(request)), wanted(request.query_params.get("next", ""))
        try:
            address, ticket = await self._in_thread(lambda: self.provider.begin(back, there))
        except ButtressError as error:
            return self._form({}, problem=error)
        response = RedirectResponse(address, status_code=303)
        keep_ticket(response, arrival_of(request), ticket)
        return response

    async def come_back(self, request: Request) -> Response:
        """Let in whoever the provider says it is."""
        came = arrival_of(request)
        ticket = read_ticket(request.headers, came)
        if ticket is None or not self.provider.configured:
            return self._form({})

        def let_in() -> str:
            answer = dict(request.query_params)
            claims = self.provider.finish(self._back(came), ticket, answer)
            with self.runtime.session() as session:
                person = oidc.person_for(session, claims, role=self.runtime.settings.oidc.role)
                return signing_in.begin(session, person, came.origin, how="provider")

        try:
            secret = await self._in_thread(let_in)
        except ButtressError as error:
            return self._form({}, problem=error)
        response = self._let_in(came, secret, ticket.there)
        forget_ticket(response, came)
        return response

    async def ask_by_link(self, request: Request) -> Response:
        """The form of a link that works once."""
        secret = request.path_params["secret"]
        try:
            purpose, name = await self._in_thread(lambda: self._link(secret))
        except NotFound as error:
            return not_working(error)
        return link_form(purpose, name, secret)

    async def use_link(self, request: Request) -> Response:
        """Sign up, or take the new password; and let in."""
        came, secret = arrival_of(request), request.path_params["secret"]
        purpose, name, typed = "first", None, ""

        def use(form: dict[str, str]) -> str:
            if form.get("password") != form.get("again"):
                raise BadInput("the passwords differ", hint="Type the same one twice.")
            with self.runtime.session() as session:
                person = links.use(
                    session, secret, name=form.get("name"), password=form.get("password", ""),
                    origin=came.origin,
                )  # fmt: skip
                return signing_in.begin(session, person, came.origin, how=f"link: {purpose}")

        try:
            purpose, name = await self._in_thread(lambda: self._link(secret))
            form = await form_of(request)
            typed = form.get("name", "")
            cookie = await self._in_thread(lambda: use(form))
        except NotFound as error:
            return not_working(error)
        except ButtressError as error:
            return link_form(purpose, name, secret, typed=typed, problem=error)
        return self._let_in(came, cookie, "/")

    async def ask_to_sign_out(self, request: Request) -> Response:
        """One button: an address alone must not sign anybody out."""
        return page("Sign out?", action="/sign-out", button="Sign out")

    async def sign_out(self, request: Request) -> Response:
        """End the sign-in of this browser."""
        came = arrival_of(request)
        secret = cookies(request.headers).get(cookie_name(came))
        if secret:

            def end(secret: str) -> None:
                with self.runtime.session() as session:
                    signing_in.sign_out(session, secret)

            await anyio.to_thread.run_sync(end, secret)
            self.runtime.identities.forget(secret)
        response = RedirectResponse(SIGN_IN, status_code=303)
        forget_cookie(response, came)
        return response

    def _let_in(self, came: Arrival, secret: str, there: str) -> Response:
        response = RedirectResponse(there or "/", status_code=303)
        set_cookie(response, came, secret, self.runtime.identities.lifetimes)
        return response

    def _back(self, came: Arrival) -> str:
        base = self.runtime.settings.access.base_url.rstrip("/") or came.site
        return f"{base}{SIGN_IN}/back"

    def _form(self, form: dict[str, str], *, problem: ButtressError | None = None) -> Response:
        return sign_in_form(form, problem=problem, provider=self.provider.configured)

    def _any_admin(self) -> bool:
        with self.runtime.session() as session:
            return people.any_admin(session)

    def _link(self, secret: str) -> tuple[str, str | None]:
        with self.runtime.session() as session:
            link = links.find(session, secret)
            return link.purpose, link.name

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await anyio.to_thread.run_sync(work, limiter=self._turns)


def sign_in_form(
    form: dict[str, str], *, problem: ButtressError | None = None, provider: bool = False
) -> Response:
    """Name and password; what was typed stays, but for the password."""
    there = wanted(form.get("next", ""))
    elsewhere = f"{SIGN_IN}/provider" + (f"?next={quote(there, safe='/')}" if there else "")
    return page(
        "Sign in",
        fields=[
            Field(
                "name", "Name or e-mail address", autocomplete="username",
                value=form.get("name", ""),
            ),
            Field("password", "Password", "password", "current-password"),
        ],
        action=SIGN_IN, button="Sign in", next=there, problem=problem,
        elsewhere=elsewhere if provider else "",
        elsewhere_label="Sign in with your organisation's account",
    )  # fmt: skip


def link_form(
    purpose: str,
    name: str | None,
    secret: str,
    *,
    typed: str = "",
    problem: ButtressError | None = None,
) -> Response:
    """Name and password, or the password alone where the name is settled."""
    title, text = LINK_TITLES[purpose]
    fields = [
        Field(
            "password", "Password", "password", "new-password",
            note=f"At least {SHORTEST} characters; four unusual words do well.",
        ),
        Field("again", "The same again", "password", "new-password"),
    ]  # fmt: skip
    if purpose == "first":
        named = Field("name", "Name or e-mail address", autocomplete="username", value=typed)
        fields.insert(0, named)
    return page(
        title, text=f"{text} You are {name}." if name else text, fields=fields,
        action=f"{SIGN_IN}/link/{quote(secret)}", button="Continue", problem=problem,
    )  # fmt: skip


def not_working(error: ButtressError) -> Response:
    """For a link that was used or is too old."""
    return page(
        "This link does not work any more", text=error.hint or "", elsewhere=SIGN_IN,
        elsewhere_label="Sign in", status=404,
    )  # fmt: skip


def page(
    title: str,
    *,
    text: str = "",
    problem: ButtressError | None = None,
    status: int | None = None,
    **more: object,
) -> Response:
    """One page; an error's own status unless given."""
    told = (
        f"{problem.message[:1].upper()}{problem.message[1:]}. {problem.hint or ''}"
        if problem
        else ""
    )
    content = _template().render(title=title, text=text, problem=told, logo=LOGO, mark=MARK, **more)
    headers = {"cache-control": "no-store"}
    if isinstance(problem, TooMany):
        headers["retry-after"] = str(max(1, round(problem.after_seconds)))
    return HTMLResponse(
        content, status_code=status or (problem.http_status if problem else 200), headers=headers
    )


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; raises BadInput for what is none."""
    body = bytearray()
    with anyio.move_on_after(FORM_SECONDS) as limit:
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_FORM:
                raise BadInput("the form is too large")
    if limit.cancelled_caught:
        raise BadInput("the form did not arrive in time")
    try:
        return {name: found[0] for name, found in parse_qs(body.decode("utf-8")).items()}
    except ValueError as error:
        raise BadInput("the form cannot be read") from error


def arrival_of(request: Request) -> Arrival:
    """Where the request came from, as the gate read it."""
    came: Arrival = request.state.came
    return came


def wanted(path: str) -> str:
    """Where to go afterwards: an address of ours, or nothing."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside else ""


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader("buttress.gate"), autoescape=True)
    return environment.get_template("page.html")
