"""Errors to Sentry, or what speaks its protocol; needs the extra `sentry`.

An event holds the type of the error and where in the code it was raised, the event and the fields
of the log line, and the ids of request and job. Local variables, bodies, headers, addresses and
names of people are left out, and so is the text of errors that are not ours: it may hold data.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from buttress.errors import ButtressError
from buttress.telemetry.redaction import without_secrets
from buttress.telemetry.whom import context

CLOSE_SECONDS = 2.0
LEFT_OUT = ("request", "user", "breadcrumbs", "server_name", "modules")
PERSONAL = ("person", "address", "agent")


def start(dsn: str, environment: str) -> None:
    """Send every line logged as an error from now on; raises BadDsn."""
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=f"buttress@{version('buttress')}",
        # Only what is named here: the others read requests, queries and bodies.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
        before_send=scrubbed,
    )


def stop() -> None:
    """Send what has not been sent, for two seconds at most."""
    sentry_sdk.get_client().close(timeout=CLOSE_SECONDS)
    sentry_sdk.get_global_scope().set_client(None)


def scrubbed(event: Event, hint: Hint) -> Event:
    """The event without what does not leave the house."""
    found: dict[str, Any] = {k: v for k, v in event.items() if k not in LEFT_OUT}
    for error in (found.get("exception") or {}).get("values") or []:
        if not _is_ours(error, hint):
            error["value"] = ""
    extra = {k: v for k, v in (found.get("extra") or {}).items() if k not in PERSONAL}
    extra.pop("sys.argv", None)
    if "logentry" in found:  # the values it was put together from are left out
        found["logentry"] = {"message": found["logentry"].get("formatted", "")}
    found["extra"] = extra
    here = context()
    ids = {"request_id": here.request_id, "job_id": here.job_id}
    found["tags"] = {**(found.get("tags") or {}), **{k: v for k, v in ids.items() if v}}
    cleaned: Any = {key: _cleaned(value, key) for key, value in found.items()}
    return cleaned  # type: ignore[no-any-return]


def _cleaned(value: object, name: str) -> object:
    # Moments stay as they are: the SDK writes them itself.
    return value if name == "timestamp" else without_secrets(value)


def _is_ours(described: dict[str, Any], hint: Hint) -> bool:
    error = (hint.get("exc_info") or (None, None, None))[1]
    while error is not None:
        if type(error).__name__ == described.get("type"):
            return isinstance(error, ButtressError)
        error = error.__cause__ or error.__context__
    return False
