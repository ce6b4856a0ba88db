"""The page where an admin sees who is here, invites, changes roles, disables."""

from __future__ import annotations

import streamlit as st

from buttress.access import ROLES, links, people, require, signing_in
from buttress.access.tables import Person
from buttress.ui.current import current_runtime, page_session
from buttress.ui.operations.lists import choose
from buttress.ui.text import count, moment, plain


def show() -> None:
    """The page."""
    require("people.manage")
    st.title("People")
    with page_session() as session:
        found = people.everybody(session)
        signed_in = {one.person_id: one.seen_at for one in reversed(signing_in.sign_ins(session))}
    with st.grid(3, min_column_width=170, border=True):
        st.metric("People", count(sum(person.disabled_at is None for person in found)))
        st.metric("Admins", count(sum(person.role == "admin" for person in found)))
        st.metric("Signed in now", count(len(signed_in)))
    rows = [
        {
            "Name": person.name,
            "Role": person.role,
            "State": state(person),
            "Last seen": moment(signed_in[person.id], st.context.timezone)
            if person.id in signed_in
            else "",
            "Since": moment(person.created_at, st.context.timezone),
        }
        for person in found
    ]
    chosen = choose(rows, [person.id for person in found], "people", several=False)
    if chosen:
        one_person(next(person for person in found if person.id == chosen[0]))
    else:
        st.caption("Choose somebody to change their role, send a link, or let them in no more.")
    invite()


def state(person: Person) -> str:
    """In a word."""
    if person.disabled_at is not None:
        return "disabled"
    return "signs in elsewhere" if person.issuer else "active"


def one_person(person: Person) -> None:
    """What can be done with one."""
    with st.container(border=True):
        st.markdown(f"**{plain(person.name)}**")
        role = st.selectbox("Role", ROLES, index=ROLES.index(person.role), key=f"r{person.id}")
        buttons = st.columns(4)
        if buttons[0].button(
            "Save role", key=f"role-{person.id}", disabled=role == person.role, width="stretch"
        ):
            with page_session() as session:
                people.change_role(session, people.find(session, person.id), role)
            st.rerun()
        if buttons[1].button(
            "Link for a new password", key=f"password-{person.id}", width="stretch"
        ):
            with page_session() as session:
                secret = links.for_new_password(session, people.find(session, person.id))
            show_link(secret, f"Send it to {person.name}. It works once, for two hours.")
        if buttons[2].button("Sign out everywhere", key=f"out-{person.id}", width="stretch"):
            with page_session() as session:
                for one in signing_in.sign_ins(session, people.find(session, person.id)):
                    signing_in.revoke(session, one.id)
            st.rerun()
        enabled = person.disabled_at is None
        if buttons[3].button(
            "Disable" if enabled else "Enable", key=f"enable-{person.id}", width="stretch"
        ):
            with page_session() as session:
                (people.disable if enabled else people.enable)(
                    session, people.find(session, person.id)
                )
            st.rerun()


def invite() -> None:
    """The form for one more."""
    with st.form("invite", border=True):
        st.markdown("**Invite somebody**")
        name = st.text_input("Name or e-mail address")
        role = st.selectbox("Role", ROLES)
        if not st.form_submit_button("Make a link"):
            return
    with page_session() as session:
        secret = links.invite(session, name, role)
    show_link(secret, f"Send it to {name}. It works once, for seven days.")


def show_link(secret: str, text: str) -> None:
    """A link to copy; nobody can look it up later."""
    base = current_runtime().settings.access.base_url or str(st.context.url).partition("/people")[0]
    st.success(text, icon=":material/link:")
    st.code(f"{base.rstrip('/')}/sign-in/link/{secret}", language=None)
