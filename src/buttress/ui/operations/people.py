"""The page where an admin sees who is here, invites, changes roles, disables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import streamlit as st

from buttress.access import ROLES, links, people, require, signing_in, tokens
from buttress.access.tables import Person
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session
from buttress.ui.operations.account import browser, token_line
from buttress.ui.operations.lists import choose, states
from buttress.ui.operations.looks import Colour
from buttress.ui.operations.pressed import doing
from buttress.ui.problems import explained
from buttress.ui.text import count, moment, plain

MEANING = (
    "Viewers see the apps; analysts also change data and see background work; admins also manage "
    "people, backups and settings."
)


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="People", icon=":material/group:", url_path="people")


def show() -> None:
    """The page."""
    require("people.manage")
    st.title("People")
    with page_session() as session:
        found = people.everybody(session)
        here = {one.person_id: one.seen_at for one in reversed(signing_in.sign_ins(session))}
    with st.grid(3, min_column_width=100, border=True):
        st.metric("People", count(sum(person.disabled_at is None for person in found)))
        st.metric("Admins", count(sum(person.role == "admin" for person in found)))
        st.metric("Signed in", count(len(here)))
    sections: dict[str, Callable[[], None]] = {
        "People": lambda: everybody(found, here),
        "Invitations": invitations,
        "Sign-ins": sign_ins,
        "Tokens": programs,
    }
    opened = st.tabs(list(sections), key="section", on_change="rerun", bind="query-params")
    for tab, content in zip(opened, sections.values(), strict=True):
        if tab.open:
            with tab:
                content()


def everybody(found: list[Person], here: dict[UUID, datetime]) -> None:
    """Who there is, and what can be done with one."""
    rows = [
        {
            "Name": person.name,
            "Role": person.role,
            "State": [state(person)],
            "Last seen": moment(here[person.id], st.context.timezone) if person.id in here else "",
            "Since": moment(person.created_at, st.context.timezone),
        }
        for person in found
    ]
    columns = {"State": states(PEOPLE.values())}
    chosen = choose(
        rows, [one.id for one in found], "people", several=False, alt="People", columns=columns
    )
    if chosen:
        person = next(person for person in found if person.id == chosen[0])
        one_person(person)
    else:
        st.caption("Choose somebody to change their role, send a link, or let them in no more.")


def invitations() -> None:
    """Invite somebody; who was invited and has not come yet."""
    invite()
    with page_session() as session:
        found = links.invitations(session)
    if not found:
        st.caption("Nobody is invited who has not come yet.")
        return
    rows = [
        {
            "Name": one.name,
            "Role": one.role,
            "Invited": moment(one.created_at, st.context.timezone),
            "Works until": moment(one.expires_at, st.context.timezone),
        }
        for one in found
    ]
    chosen = choose(rows, [one.id for one in found], "invitations", alt="Open invitations")
    if st.button("Withdraw the chosen", disabled=not chosen, icon=":material/link_off:"):
        with doing(f"{plural(len(chosen), 'link')} withdrawn.") as session:
            for invitation in chosen:
                links.revoke_invitation(session, invitation)


def sign_ins() -> None:
    """Who is signed in where, and a way to end it."""
    with page_session() as session:
        found = [(one, one.person.name) for one in signing_in.sign_ins(session)]
    # By when they were seen they would change places, and a choice be lost, while one looks.
    found.sort(key=lambda pair: (pair[1], pair[0].created_at))
    rows = [
        {
            "Name": name,
            "Browser": browser(one.agent),
            "Address": one.address,
            "Since": moment(one.created_at, st.context.timezone),
            "Last seen": moment(one.seen_at, st.context.timezone),
        }
        for one, name in found
    ]
    chosen = choose(rows, [one.id for one, _ in found], "sign-ins", alt="Who is signed in where")
    if st.button("Sign out the chosen", disabled=not chosen, icon=":material/logout:"):
        with doing(f"{plural(len(chosen), 'browser')} signed out.") as session:
            for sign_in in chosen:
                signing_in.revoke(session, sign_in)


def programs() -> None:
    """Everybody's tokens, and a way to end them."""
    with page_session() as session:
        found = [(one, one.person.name) for one in tokens.tokens(session)]
    if not found:
        st.caption("Nobody has a token. People make their own on the page of their account.")
        return
    rows = [{"Of": name, **token_line(one)} for one, name in found]
    chosen = choose(rows, [one.id for one, _ in found], "all-tokens", alt="Everybody's tokens")
    if st.button("Revoke the chosen", disabled=not chosen, icon=":material/key_off:"):
        with doing(f"{plural(len(chosen), 'token')} revoked.") as session:
            for token in chosen:
                tokens.revoke(session, token)


PEOPLE: dict[str, tuple[str, str, Colour]] = {
    word: (word, "", colour)  # type: ignore[misc]
    for word, colour in (("active", "green"), ("signs in elsewhere", "blue"), ("disabled", "gray"))
}


def state(person: Person) -> str:
    """In a word."""
    if person.disabled_at is not None:
        return "disabled"
    return "signs in elsewhere" if person.issuer else "active"


def one_person(person: Person) -> None:
    """What can be done with one."""
    name, enabled = plain(person.name), person.disabled_at is None
    with st.container(border=True):
        st.markdown(f"**{name}**")
        role = st.selectbox(
            "Role",
            ROLES,
            index=ROLES.index(person.role),
            key=f"role-{person.id}-{person.role}",
            width=240,
            help=MEANING,
        )
        offered = {
            "Save role": role != person.role,
            "Link for a new password": enabled,
            "Sign out everywhere": True,
            "Disable" if enabled else "Enable": True,
        }
        save, link, out, let = (
            column.button(label, key=f"{label}-{person.id}", disabled=not can, width="stretch")
            for column, (label, can) in zip(st.columns(4), offered.items(), strict=True)
        )
        if save:
            with doing(f"{name} is {role} now.") as session:
                people.change_role(session, people.find(session, person.id), role)
        if link:
            send_new_password(person)
        if out:
            with doing(f"{name} is signed out everywhere.") as session:
                for one in signing_in.sign_ins(session, people.find(session, person.id)):
                    signing_in.revoke(session, one.id)
        if let:
            with doing(f"{name} is {'disabled' if enabled else 'enabled'}.") as session:
                found = people.find(session, person.id)
                (people.disable if enabled else people.enable)(session, found)


def send_new_password(person: Person) -> None:
    """A link by which somebody chooses a new password."""
    with explained():
        with page_session() as session:
            secret = links.for_new_password(session, people.find(session, person.id))
        show_link(secret, f"Send it to {plain(person.name)}. It works once, for two hours.")


def invite() -> None:
    """The form for one more."""
    with st.form("invite", border=True, width=480):
        st.markdown("**Invite somebody**")
        name = st.text_input("Name or e-mail address", autocomplete="off")
        role = st.selectbox("Role", ROLES, help=MEANING)
        if not st.form_submit_button("Make a link", type="primary"):
            return
    with explained():
        with page_session() as session:
            secret = links.invite(session, name, role)
        show_link(secret, f"Send it to {plain(name)}. It works once, for seven days.")


def show_link(secret: str, text: str) -> None:
    """A link to copy; nobody can look it up later."""
    base = current_runtime().settings.access.base_url or str(st.context.url).partition("/people")[0]
    st.success(text, icon=":material/link:")
    st.code(f"{base.rstrip('/')}/sign-in/link/{secret}", language=None)
