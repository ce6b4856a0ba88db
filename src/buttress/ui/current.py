"""The runtime the workspace serves. Streamlit allows one application per process, and so do we."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from buttress.runtime import Runtime

_serving: list[Runtime] = []


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


@contextmanager
def page_session() -> Iterator[Session]:
    """One transaction for a page: committed at the end, rolled back when an exception leaves it."""
    with current_runtime().session() as session:
        yield session
