"""The one place that puts an error into words on a page."""

from __future__ import annotations

import logging

import streamlit as st

from buttress.errors import ButtressError, Unavailable

log = logging.getLogger(__name__)


def explain(error: Exception) -> bool:
    """Show an error as one box; always True, which tells Streamlit that it has been shown.

    An error of ours says what to do. The text of any other stays in the log: it may hold data.
    """
    if not isinstance(error, ButtressError):
        log.error("page failed", exc_info=error)
        st.error("The log of this deployment says why.", title="This page failed.")
        return True
    title = f"{error.message[:1].upper()}{error.message[1:]}."
    if isinstance(error, Unavailable):
        log.warning("page unavailable", extra={"reason": error.message})
        st.warning(error.hint or "Reload the page to try again.", title=title)
    else:
        st.error(error.hint or "", title=title)
    return True
