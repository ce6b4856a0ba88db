"""The workspace as an ASGI application, to be mounted beside the API."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from buttress.runtime import Runtime
from buttress.ui.current import serve
from buttress.ui.problems import explain
from buttress.ui.theme import apply_theme

SCRIPT = Path(__file__).with_name("script.py")


def create_workspace(runtime: Runtime) -> st.App:
    """The workspace of an open runtime; a process can have one."""
    apply_theme()
    # `explain` logs what a page raises; Streamlit would print it once more, in a form of its own.
    logging.getLogger("streamlit.error_util").disabled = True
    serve(runtime)
    return st.App(SCRIPT, on_script_error=explain)
