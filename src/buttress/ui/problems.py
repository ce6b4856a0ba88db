"""The one place that puts an error into words on a page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import streamlit as st

from buttress.access import current
from buttress.errors import ButtressError, Unavailable
from buttress.telemetry import context, working_for
from buttress.ui.connection import Waiting

log = logging.getLogger(__name__)


def explain(error: Exception) -> bool:
    """Show an error as one box; always True, which tells Streamlit that it has been shown.

    An error of ours says what to do. The text of any other stays in the log: it may hold data.
    What is logged is found there by the request id in the box.
    """
    if isinstance(error, Waiting):
        st.caption("Waiting for the database.")
        return True
    if isinstance(error, ButtressError) and error.http_status < 500:
        st.error(error.hint or "", title=sentence(error))
        return True
    request_id = context().request_id or uuid4().hex
    with working_for(request_id=request_id):
        if isinstance(error, Unavailable):
            log.warning("page unavailable", extra={"reason": error.message})
            st.warning(error.hint or "Reload the page to try again.", title=sentence(error))
        elif isinstance(error, ButtressError):
            log.error("page failed", extra={"reason": error.message})
            st.error(error.hint or "", title=sentence(error))
        else:
            log.error("page failed", exc_info=error)
            st.error(
                "Reload the page. If it fails again, give an admin the request id: "
                "the log says under it what went wrong.",
                title="This page failed.",
            )
    where_to_look(request_id)
    return True


@contextmanager
def explained() -> Iterator[None]:
    """What an error of ours says stands where it happened, and the rest of the page is drawn."""
    try:
        yield
    except ButtressError as error:
        explain(error)


def sentence(error: ButtressError) -> str:
    """What happened, as a sentence."""
    return f"{error.message[:1].upper()}{error.message[1:]}."


def where_to_look(request_id: str) -> None:
    """The request id, and for those who may read it the way to the log."""
    identity = current()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Request id `{request_id}`", width="content")
        if identity is not None and identity.may("logs.read"):
            st.html(f'<a href="/logs?request={request_id}" target="_self">Open the log</a>')
