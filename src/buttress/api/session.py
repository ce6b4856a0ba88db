"""The transaction of a request: committed before the answer is sent, rolled back on any error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from buttress.runtime import Runtime


def request_session(request: Request) -> Iterator[Session]:
    """One session as role `app` for one request, in which a key that it brought is claimed."""
    runtime: Runtime = request.app.state.runtime
    with runtime.session() as session:
        claim = getattr(request.state, "claim", None)
        if claim is not None:
            claim.begin(session)
        yield session


# The default scope ends after the answer is sent: a failed commit would be answered with 200.
SessionDep = Annotated[Session, Depends(request_session, scope="function")]


def open_runtime(request: Request) -> Runtime:
    """The deployment that answers."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(open_runtime)]
