"""The transaction of a request: committed before the answer is sent, rolled back on any error."""

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


# The default scope ends after the answer is sent: a failed commit would be answered with 200.
SessionDep = Annotated[Session, Depends(request_session, scope="function")]
