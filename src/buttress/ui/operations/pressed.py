"""What becomes of a press: it is done and said in passing, or refused and said on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from buttress.errors import ButtressError
from buttress.ui.current import page_session
from buttress.ui.problems import explain

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@contextmanager
def doing(said: str) -> Iterator[Session]:
    """A transaction for what a button does, then the page anew with these words on it.

    What is refused is explained where the button stands, and the rest of the page is drawn. An
    outage is the whole page's. What is done to jobs within commits by itself: the transaction only
    records it, a moment later.
    """
    begun = False
    try:
        with page_session() as session:
            begun = True
            yield session
    except ButtressError as error:
        if not begun or error.http_status >= 500:
            raise
        explain(error)
        return
    st.toast(said, icon=":material/check:")
    st.rerun()
