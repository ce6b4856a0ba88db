"""The runtime the workspace serves. Streamlit allows one application per process, and so do we."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import streamlit as st

from buttress.access import Identity, Origin, acting, current
from buttress.errors import ConfigurationError, NotSignedIn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from buttress.runtime import Runtime

_serving: list[Runtime] = []

SIGN_IN = "sign_in"
"""Under this name Streamlit tells us which sign-in the gate saw when the browser connected."""


def serve(runtime: Runtime) -> None:
    """Make this the runtime whose pages are shown."""
    _serving[:] = [runtime]


def current_runtime() -> Runtime:
    """The runtime whose pages are shown; raises `ConfigurationError` outside of a workspace."""
    if not _serving:
        raise ConfigurationError(
            "no workspace is running in this process", hint="Start one with `buttress up`."
        )
    return _serving[0]


def signed_in() -> Identity:
    """Who looks at this page, as it is now; raises `NotSignedIn` when the sign-in has ended."""
    acting_here = current()
    if acting_here is not None:
        return acting_here
    told = st.user.get(SIGN_IN)
    if not told:
        raise NotSignedIn("nobody is signed in", hint="Reload the page and sign in.")
    identity = current_runtime().identities.of_sign_in(UUID(str(told)))
    # Each showing of a page is a request of its own, by which its lines in the log are found.
    return replace(identity, origin=Origin(request_id=uuid4().hex))


@contextmanager
def page_session() -> Iterator[Session]:
    """One transaction for a page, in the name of who looks at it.

    Committed at the end, rolled back when an exception leaves it.
    """
    # What a fragment does on its own is outside of what `workspace.show` has entered.
    identity = signed_in() if current() is not None or st.user.get(SIGN_IN) else None
    with acting(identity), current_runtime().session() as session:
        yield session
