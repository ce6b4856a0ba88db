"""The page of one's own account: password, where one is signed in, tokens for programs."""

from __future__ import annotations

import streamlit as st

from buttress.access import PERMISSIONS, acting, people, signing_in, tokens
from buttress.access.tables import Person
from buttress.ui.current import current_runtime, page_session, signed_in
from buttress.ui.operations.lists import choose
from buttress.ui.text import moment

EXPIRY = {"30 days": 30, "90 days": 90, "1 year": 365, "Never": None}


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Your account", icon=":material/person:", url_path="account")


def show() -> None:
    """The page."""
    identity = signed_in()
    st.title("Your account")
    st.markdown(f"You are signed in as **{identity.name}**, {identity.role}.")
    st.html('<a href="/sign-out" target="_self">Sign out</a>')
    password, devices, programs = st.tabs(["Password", "Devices", "Tokens"])
    with password:
        change_password()
    with devices:
        sign_ins()
    with programs:
        own_tokens()


def me() -> Person:
    """Whoever looks at the page."""
    with page_session() as session:
        return people.find(session, signed_in().person)


def change_password() -> None:
    """Old, new, and the new one again."""
    if me().password is None:
        st.info("You sign in with your organisation's account; there is no password here.")
        return
    with st.form("password", clear_on_submit=True, border=False):
        old = st.text_input("Present password", type="password", autocomplete="current-password")
        new = st.text_input("New password", type="password", autocomplete="new-password")
        again = st.text_input("The same again", type="password", autocomplete="new-password")
        if not st.form_submit_button("Change password", type="primary"):
            return
    if new != again:
        st.error("Type the same one twice.", title="The passwords differ.")
        return
    identity = signed_in()
    with acting(identity):
        signing_in.change_password(
            current_runtime().session, identity.person, old=old, new=new, origin=identity.origin
        )
    st.success("Your password is changed. Your other devices are signed out.")


def sign_ins() -> None:
    """Where one is signed in, and a way to end it."""
    identity = signed_in()
    with page_session() as session:
        found = signing_in.sign_ins(session, people.find(session, identity.person))
    rows = [
        {
            "This device": "✓" if one.id == identity.sign_in else "",
            "Browser": one.agent,
            "Address": one.address,
            "Since": moment(one.created_at, st.context.timezone),
            "Last seen": moment(one.seen_at, st.context.timezone),
        }
        for one in found
    ]
    chosen = choose(rows, [one.id for one in found], "devices")
    if st.button("Sign out the chosen devices", disabled=not chosen, icon=":material/logout:"):
        with page_session() as session:
            for sign_in in chosen:
                signing_in.revoke(session, sign_in, person=identity.person)
        st.rerun()


def own_tokens() -> None:
    """Tokens, a way to end them, and to make one; its text is shown once."""
    identity = signed_in()
    with page_session() as session:
        found = tokens.tokens(session, people.find(session, identity.person))
    if found:
        rows = [
            {
                "Name": one.name,
                "Begins with": f"bt_{one.id}",
                "May": ", ".join(one.permissions),
                "Expires": moment(one.expires_at, st.context.timezone)
                if one.expires_at
                else "never",
                "Last used": moment(one.used_at, st.context.timezone) if one.used_at else "never",
            }
            for one in found
        ]
        chosen = choose(rows, [one.id for one in found], "tokens")
        if st.button("Revoke the chosen tokens", disabled=not chosen, icon=":material/key_off:"):
            with page_session() as session:
                for token in chosen:
                    tokens.revoke(session, token, person=identity.person)
            st.rerun()
    else:
        st.markdown(
            "**No token yet.** A program sends one with each request to the API: "
            "`Authorization: Bearer bt_…`"
        )
    new_token()


def new_token() -> None:
    """The form for one more."""
    identity = signed_in()
    allowed = [name for name in PERMISSIONS if identity.may(name)]
    with st.form("token", border=True):
        st.markdown("**A new token**")
        name = st.text_input("What is it for?", placeholder="nightly export")
        chosen = st.multiselect("What may it do?", allowed, default=["apps.read"])
        expiry = st.selectbox("How long is it good?", list(EXPIRY), index=1)
        if not st.form_submit_button("Make the token"):
            return
    with page_session() as session:
        person = people.find(session, identity.person)
        made = tokens.create(session, person, name, chosen, days=EXPIRY[expiry])
    st.success("Copy it now: it is not shown again.", icon=":material/key:")
    st.code(made, language=None)
