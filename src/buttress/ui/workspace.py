"""The frame around every page: navigation, connection badge, and the one place for errors."""

from __future__ import annotations

import streamlit as st

from buttress import health
from buttress.access import Identity, Permission, acting
from buttress.app import App
from buttress.errors import ButtressError
from buttress.telemetry import entering
from buttress.ui import apps, cache, home, moves, queries
from buttress.ui.current import current_runtime, signed_in
from buttress.ui.operations import (
    account,
    audit,
    backups,
    jobs,
    logs,
    models,
    people,
    settings,
)
from buttress.ui.operations import (
    health as health_page,
)
from buttress.ui.problems import explain
from buttress.ui.text import plain
from buttress.ui.theme import LOGO, MARK, STYLE


def show() -> None:
    """Show the page the address names."""
    st.set_page_config(page_title="Buttress", page_icon=MARK, layout="wide")
    st.html(STYLE)
    st.logo(LOGO, size="large", icon_image=MARK)
    try:
        identity = signed_in()
    except ButtressError as error:
        explain(error)
        return
    page = st.navigation(sections(identity), expanded=True)
    with st.sidebar:
        connection_badge()
        st.caption(f"{plain(identity.name)} · {identity.role}")
    try:
        with acting(identity), entering("page", page.url_path or "home"):
            page.run()
    except ButtressError as error:
        explain(error)


def sections(identity: Identity) -> dict[str, list[st.Page]]:
    """What somebody may see: home, each app under its title, then what runs the deployment."""
    found: dict[str, list[st.Page]] = {
        "": [st.Page(home.show, title="Home", icon=":material/home:", default=True)]
    }
    for app in current_runtime().apps:
        found[app.title] = app_pages(app, identity)
    found["Operations"] = [page for needs, page in operations() if identity.may(needs)]
    found["You"] = [account.page()]
    return {title: pages for title, pages in found.items() if pages}


def operations() -> list[tuple[Permission, st.Page]]:
    """The pages every deployment has, with what each needs."""
    return [
        ("health.read", health_page.page()),
        ("jobs.read", jobs.page()),
        ("backups.read", backups.page()),
        ("logs.read", logs.page()),
        ("models.usage", models.page()),
        ("moves.read", moves.page()),
        ("health.read", st.Page(apps.show, title="Apps", icon=":material/apps:", url_path="apps")),
        (
            "queries.read",
            st.Page(queries.show, title="Queries", icon=":material/speed:", url_path="queries"),
        ),
        (
            "cache.read",
            st.Page(cache.show, title="Cache", icon=":material/bolt:", url_path="cache"),
        ),
        (
            "people.manage",
            st.Page(people.show, title="People", icon=":material/group:", url_path="people"),
        ),
        (
            "audit.read",
            st.Page(audit.show, title="Audit log", icon=":material/history:", url_path="audit"),
        ),
        ("settings.read", settings.page()),
    ]


def app_pages(app: App, identity: Identity) -> list[st.Page]:
    """The pages of an app that somebody may see."""
    return [
        st.Page(page.render, title=page.title, icon=f":material/{page.icon}:", url_path=page.path)
        for page in app.pages
        if identity.may(page.needs)
    ]


@st.fragment(run_every="15s")
def connection_badge() -> None:
    """One line at the foot of the navigation: which database, and does it answer?"""
    database = health.database(current_runtime())
    if database.status == "pass":
        st.badge(database.detail, icon=":material/check_circle:", color="green")
    else:
        st.badge("Database connection lost. Retrying", icon=":material/sync_problem:", color="red")
