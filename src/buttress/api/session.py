"""The transaction of a request: committed before the answer is sent, rolled back when anything raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from buttress.runtime import Runtime


def request_session(request: Request) -> Iterator[Session]:
    """One session as role `app` for one request."""
    runtime: Runtime = request.app.state.runtime
    with runtime.session() as session:
        yield session


# The default scope ends after the answer was sent: a failed commit would have been answered with 200.
SessionDep = Annotated[Session, Depends(request_session, scope="function")]
