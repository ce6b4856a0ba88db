"""The frame around every page: navigation, connection badge, and the one place for errors."""

from __future__ import annotations

import streamlit as st

from buttress import health
from buttress.app import App
from buttress.errors import ButtressError
from buttress.telemetry import entering
from buttress.ui import apps, cache, home, moves, queries
from buttress.ui.current import current_runtime
from buttress.ui.problems import explain
from buttress.ui.theme import LOGO, MARK, STYLE


def show() -> None:
    """Show the page the address names."""
    st.set_page_config(page_title="Buttress", page_icon=MARK, layout="wide")
    st.html(STYLE)
    st.logo(LOGO, size="large", icon_image=MARK)
    page = st.navigation(sections())
    with st.sidebar:
        connection_badge()
    try:
        with entering("page", page.url_path or "home"):
            page.run()
    except ButtressError as error:
        explain(error)


def sections() -> dict[str, list[st.Page]]:
    """Our own pages, then those of each app under its title."""
    pages = {
        "": [
            st.Page(home.show, title="Home", icon=":material/home:", default=True),
            moves.page(),
            st.Page(apps.show, title="Apps", icon=":material/apps:", url_path="apps"),
            st.Page(queries.show, title="Queries", icon=":material/speed:", url_path="queries"),
            st.Page(cache.show, title="Cache", icon=":material/bolt:", url_path="cache"),
        ]
    }
    for app in current_runtime().apps:
        if own := app_pages(app):
            pages[app.title] = own
    return pages


def app_pages(app: App) -> list[st.Page]:
    """The pages an app recorded."""
    return [
        st.Page(page.render, title=page.title, icon=f":material/{page.icon}:", url_path=page.path)
        for page in app.pages
    ]


@st.fragment(run_every="15s")
def connection_badge() -> None:
    """One line at the foot of the navigation: which database, and does it answer?"""
    database = health.database(current_runtime())
    if database.status == "pass":
        st.badge(database.detail, icon=":material/check_circle:", color="green")
    else:
        st.badge("Database connection lost. Retrying", icon=":material/sync_problem:", color="red")
