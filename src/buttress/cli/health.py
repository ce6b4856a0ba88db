"""`buttress health`: what the running server of this deployment says of itself."""

from __future__ import annotations

import http.client
import json as documents
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Annotated, Any

import typer

from buttress.cli.context import err, load_settings, out, plain
from buttress.errors import BadInput

if TYPE_CHECKING:
    from buttress.settings import Settings

TIMEOUT_SECONDS = 5.0
COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def health(
    url: Annotated[
        str | None,
        typer.Option(help="Address of the server.", show_default="BUTTRESS_HOST and BUTTRESS_PORT"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Ask the running server of this deployment how it is; the exit code is 0 unless it fails.

    It asks over HTTP and opens nothing itself, so a container may do so every few seconds. Details
    are shown in development, or with BUTTRESS_HEALTH__TOKEN.

    Example: buttress health --json
    """
    settings = load_settings()
    base = (url or address(settings)).rstrip("/")
    status, content = fetch(base, settings)
    if json:
        out.print_json(data=content)
    else:
        show(content)
    if status != 200:
        raise typer.Exit(1)


def address(settings: Settings) -> str:
    """Where `buttress up` listens."""
    from buttress.cli.address import address

    return address(settings)


def fetch(base: str, settings: Settings) -> tuple[int, dict[str, Any]]:
    """The details if we may see them, else the summary; a server that is not there has failed.

    Raises
    ------
    BadInput
        The address is none, or what answers there is not Buttress.
    """
    if not base.startswith(("http://", "https://")):
        raise BadInput(f"{base!r} is no address", hint="Write it like http://127.0.0.1:8501.")
    try:
        status, content = get(f"{base}/health/detailed", settings)
        if status == 401:
            status, content = get(f"{base}/health", settings)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        err.print(f"no answer from {plain(base)}: {type(reason).__name__}")
        return 0, {"status": "fail", "detail": f"no answer from {base}"}
    if "status" not in content:
        raise BadInput(f"what answers at {base} is not Buttress", hint="Name the right --url.")
    return status, content


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A server that sends us elsewhere would send the token there."""

    def redirect_request(self, *_: object) -> None:
        """Nothing is asked in its place: the status arrives as it is."""


def get(url: str, settings: Settings) -> tuple[int, dict[str, Any]]:
    """One request: its status and its document, empty when it is none; raises OSError."""
    request = urllib.request.Request(url)  # the caller has checked its scheme
    if token := settings.health.token.get_secret_value():
        request.add_header("authorization", f"Bearer {token}")
    # The server is asked itself, not whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    try:
        content = documents.loads(body)
    except ValueError:
        content = {}
    return status, content if isinstance(content, dict) else {}


def show(content: dict[str, Any]) -> None:
    """One line for each check, and what to do about those that do not pass."""
    from rich.table import Table

    status = str(content["status"])
    out.print(f"[{COLOURS.get(status, 'red')}]{status}[/]")
    checks: dict[str, dict[str, Any]] = content.get("checks", {})
    table = Table("check", "status", "detail", box=None, pad_edge=False)
    for name, found in checks.items():
        colour = COLOURS.get(found["status"], "red")
        hint = f"  {plain(found['hint'])}" if "hint" in found else ""
        table.add_row(
            plain(name),
            f"[{colour}]{found['status']}[/]",
            f"{plain(found['detail'])}[dim]{hint}[/]",
        )
    if checks:
        out.print(table)
