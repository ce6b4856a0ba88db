"""The workspace as an ASGI application, to be mounted beside the API."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st
from starlette.types import Receive, Scope, Send

from buttress.runtime import Runtime
from buttress.ui.current import serve
from buttress.ui.entrance import ENTRANCE, entered
from buttress.ui.problems import explain
from buttress.ui.theme import apply_theme

SCRIPT = Path(__file__).with_name("script.py")


class Workspace(st.App):
    """Streamlit, whose page knows where it is served."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with our script in each page of HTML."""
        if scope["type"] == "http":
            scope, send = entered(scope, send)
        await super().__call__(scope, receive, send)


def create_workspace(runtime: Runtime) -> Workspace:
    """The workspace of an open runtime; a process can have one."""
    apply_theme()
    # `explain` logs what a page raises; Streamlit would print it once more, in a form of its own.
    logging.getLogger("streamlit.error_util").disabled = True
    serve(runtime)
    return Workspace(SCRIPT, routes=[ENTRANCE], on_script_error=explain)
