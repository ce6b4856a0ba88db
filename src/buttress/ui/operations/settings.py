"""The page of settings: what is in force, and where each value came from."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import require
from buttress.settings import given, in_force
from buttress.ui.current import current_runtime
from buttress.ui.text import count


def page() -> Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Settings", icon=":material/settings:", url_path="settings")


def show() -> None:
    """The page."""
    require("settings.read")
    st.title("Settings")
    found = in_force(current_runtime().settings, given())
    changed = [one for one in found if one.origin != "default"]
    st.caption(
        f"{count(len(changed))} of {count(len(found))} are not at their default. They are set as "
        "environment variables or in `.env`, and read when a process starts; the environment wins. "
        "Secrets are never shown. All are explained in docs/reference/settings.md."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find", placeholder="any word", width=260).strip().casefold()
        only = st.toggle("Only what is set", value=False)
    rows = [
        {
            "Setting": one.name,
            "Value": one.value,
            "From": one.origin,
            "Meaning": one.meaning,
        }
        for one in (changed if only else found)
        if words in f"{one.name} {one.meaning}".casefold()
    ]
    if not rows:
        st.info("No setting is like that. Leave the field empty to see all.")
        return
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        alt="Settings in force, with where each came from",
        column_config={
            "Setting": st.column_config.TextColumn(width=280),
            "Value": st.column_config.TextColumn(width=120),
            "From": st.column_config.TextColumn(width=90),
        },
    )
