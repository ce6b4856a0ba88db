"""The frame around every page: navigation, connection badge, and the one place for errors."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from buttress.access import Identity, Permission, acting
from buttress.app import App
from buttress.errors import ButtressError
from buttress.telemetry import entering
from buttress.ui import apps, cache, connection, home, moves, queries
from buttress.ui.current import current_runtime, signed_in
from buttress.ui.operations import (
    account,
    audit,
    backups,
    health,
    jobs,
    logs,
    models,
    people,
    settings,
)
from buttress.ui.problems import explain
from buttress.ui.text import plain
from buttress.ui.theme import LOGO, MARK, STYLE

IDENTITY = "identity"


def show() -> None:
    """Show the page the address names."""
    st.set_page_config(page_title="Buttress", page_icon=MARK, layout="wide")
    st.html(STYLE)
    st.logo(LOGO, size="large", icon_image=MARK)
    try:
        identity = who()
    except ButtressError as error:
        connection.watch()
        explain(error)
        return
    page = st.navigation(sections(identity), expanded=True)
    # Only now does the browser know which page is open. A part that asked to be renewed earlier
    # would be done under another page's name, for which Streamlit's client drops what it shows.
    connection.watch()
    with st.sidebar:
        foot(identity)
    with acting(identity), entering("page", page.url_path or "home"):
        try:
            connection.wait_if_lost()
            page.run()
        except Exception as error:  # noqa: BLE001  # the edge: pages of apps may fail in any way
            explain(error)


def who() -> Identity:
    """Who looks at the page; while the database is away whoever it was, for the navigation alone.

    Raises `NotSignedIn`, and `Unavailable` when nobody was known yet.
    """
    known: Identity | None = st.session_state.get(IDENTITY)
    if known is not None and connection.is_lost():
        return known
    identity = st.session_state[IDENTITY] = signed_in()
    return identity


def foot(identity: Identity) -> None:
    """Below the navigation: is the database there, and as whom does one act?"""
    connection.badge()
    st.caption(f"{plain(identity.name)}, {identity.role}  \nButtress {connection.release()}")


def sections(identity: Identity) -> dict[str, list[st.Page]]:
    """What somebody may see: home, each app under its title, then what runs the deployment."""
    found: dict[str, list[st.Page]] = {
        "": [st.Page(home.show, title="Home", icon=":material/home:", default=True)]
    }
    for app in current_runtime().apps:
        found[app.title] = app_pages(app, identity)
    for title, pages in OURS.items():
        found[title] = [page() for needs, page in pages if identity.may(needs)]
    return {title: pages for title, pages in found.items() if pages}


OURS: dict[str, list[tuple[Permission, Callable[[], st.Page]]]] = {
    "Operations": [
        ("health.read", health.page),
        ("jobs.read", jobs.page),
        ("backups.read", backups.page),
        ("logs.read", logs.page),
        ("queries.read", queries.page),
        ("cache.read", cache.page),
    ],
    "Records": [
        ("moves.read", moves.page),
        ("models.usage", models.page),
        ("audit.read", audit.page),
    ],
    "Set-up": [
        ("people.manage", people.page),
        ("health.read", apps.page),
        ("settings.read", settings.page),
        ("apps.read", account.page),
    ],
}
"""The pages every deployment has, with what each needs."""


def app_pages(app: App, identity: Identity) -> list[st.Page]:
    """The pages of an app that somebody may see."""
    return [
        st.Page(page.render, title=page.title, icon=f":material/{page.icon}:", url_path=page.path)
        for page in app.pages
        if identity.may(page.needs)
    ]
