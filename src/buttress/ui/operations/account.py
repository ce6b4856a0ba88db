"""The page of one's own account: password, where one is signed in, tokens for programs."""

from __future__ import annotations

import streamlit as st

from buttress.access import PERMISSIONS, acting, people, signing_in, tokens
from buttress.access.tables import Person, Token
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session, signed_in
from buttress.ui.operations.lists import choose
from buttress.ui.operations.pressed import doing
from buttress.ui.problems import explained
from buttress.ui.text import moment

EXPIRY = {"30 days": 30, "90 days": 90, "1 year": 365, "Never": None}


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Your account", icon=":material/person:", url_path="account")


def show() -> None:
    """The page."""
    identity = signed_in()
    st.title("Your account")
    st.text(f"You are signed in as {identity.name}, {identity.role}.")
    st.html('<a class="way-out" href="/sign-out" target="_self">Sign out</a>')
    sections = {"Password": change_password, "Devices": sign_ins, "Tokens": own_tokens}
    opened = st.tabs(list(sections), key="section", on_change="rerun", bind="query-params")
    for tab, content in zip(opened, sections.values(), strict=True):
        if tab.open:
            with tab:
                content()


def me() -> Person:
    """Whoever looks at the page."""
    with page_session() as session:
        return people.find(session, signed_in().person)


def change_password() -> None:
    """Old, new, and the new one again."""
    if me().password is None:
        st.info("You sign in with your organisation's account; there is no password here.")
        return
    with st.form("password", clear_on_submit=True, border=True, width=480):
        old = st.text_input("Present password", type="password", autocomplete="current-password")
        new = st.text_input("New password", type="password", autocomplete="new-password")
        again = st.text_input("The same again", type="password", autocomplete="new-password")
        if not st.form_submit_button("Change password", type="primary"):
            return
    if new != again:
        st.error("Type the same one twice.", title="The passwords differ.")
        return
    identity = signed_in()
    with explained(), acting(identity):
        signing_in.change_password(
            current_runtime().session, identity.person, old=old, new=new, origin=identity.origin
        )
        st.success("Your password is changed. Your other devices are signed out.")


def sign_ins() -> None:
    """Where one is signed in, and a way to end it."""
    identity = signed_in()
    with page_session() as session:
        found = signing_in.sign_ins(session, people.find(session, identity.person))
    # By when they were seen they would change places, and a choice be lost, while one looks.
    found.sort(key=lambda one: (one.id != identity.sign_in, one.created_at))
    rows = [
        {
            "Browser": browser(one.agent),
            "This one": "here" if one.id == identity.sign_in else "",
            "Address": one.address,
            "Since": moment(one.created_at, st.context.timezone),
            "Last seen": moment(one.seen_at, st.context.timezone),
        }
        for one in found
    ]
    chosen = choose(rows, [one.id for one in found], "devices", alt="Where you are signed in")
    if st.button("Sign out the chosen devices", disabled=not chosen, icon=":material/logout:"):
        with doing(f"{plural(len(chosen), 'device')} signed out.") as session:
            for sign_in in chosen:
                signing_in.revoke(session, sign_in, person=identity.person)


BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome",
            "Safari/": "Safari"}  # fmt: skip
SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows",
           "Mac OS X": "macOS", "Linux": "Linux"}  # fmt: skip


def browser(agent: str) -> str:
    """`Firefox on Linux`; what is not known stays as it was said."""
    name = next((told for mark, told in BROWSERS.items() if mark in agent), "")
    system = next((told for mark, told in SYSTEMS.items() if mark in agent), "")
    return f"{name} on {system}" if name and system else name or agent


def own_tokens() -> None:
    """Tokens, a way to end them, and to make one; its text is shown once."""
    identity = signed_in()
    # Made before the list is drawn, the new one is in it.
    new_token()
    with page_session() as session:
        found = tokens.tokens(session, people.find(session, identity.person))
    if not found:
        st.markdown(
            "**No token yet.** A program sends one with each request to the API: "
            "`Authorization: Bearer bt_…`"
        )
        return
    rows = [token_line(one) for one in found]
    chosen = choose(rows, [one.id for one in found], "tokens", alt="Your tokens")
    if st.button("Revoke the chosen tokens", disabled=not chosen, icon=":material/key_off:"):
        with doing(f"{plural(len(chosen), 'token')} revoked.") as session:
            for token in chosen:
                tokens.revoke(session, token, person=identity.person)


def token_line(token: Token) -> dict[str, object]:
    """One token in columns."""
    zone = st.context.timezone
    return {
        "Name": token.name,
        "Begins with": f"bt_{token.id}",
        "May": ", ".join(token.permissions),
        "Expires": moment(token.expires_at, zone) if token.expires_at else "never",
        "Last used": moment(token.used_at, zone) if token.used_at else "never",
    }


def new_token() -> None:
    """The form for one more."""
    identity = signed_in()
    allowed = [name for name in PERMISSIONS if identity.may(name)]
    with st.form("token", border=True, width=480):
        st.markdown("**A new token**")
        name = st.text_input("What is it for?", placeholder="for example: nightly export")
        chosen = st.multiselect("What may it do?", allowed, default=["apps.read"])
        expiry = st.selectbox("How long is it good?", list(EXPIRY), index=1)
        if not st.form_submit_button("Make the token", type="primary"):
            return
    with explained():
        with page_session() as session:
            person = people.find(session, identity.person)
            made = tokens.create(session, person, name, chosen, days=EXPIRY[expiry])
        st.success("Copy it now: it is not shown again.", icon=":material/key:")
        st.code(made, language=None)
