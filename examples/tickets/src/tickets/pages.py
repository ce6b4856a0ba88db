"""The page of support tickets."""

from typing import Literal

import streamlit as st

from buttress.ui import page_session
from tickets import app, service
from tickets.models import PRIORITIES, Ticket

Colour = Literal["red", "blue", "gray"]
COLOURS: dict[str, Colour] = {"high": "red", "normal": "blue", "low": "gray"}


@app.page("Waiting", icon="inbox")
def waiting() -> None:
    """How the desk is doing, a form to open a ticket, and those that wait."""
    st.title("Support tickets")
    with page_session() as session:
        figures = service.figures(session)
        tickets = service.waiting_tickets(session)
    with st.grid(3, min_column_width=140, border=True):
        st.metric("Waiting", figures.waiting)
        st.metric("Urgent", figures.urgent)
        st.metric("Answered", figures.answered)
    with st.expander("Open a ticket", expanded=not tickets), st.form("new", border=False):
        subject = st.text_input("Subject", max_chars=200)
        requester = st.text_input("Who asks", max_chars=200)
        priority = st.segmented_control("Priority", PRIORITIES, default="normal", required=True)
        if st.form_submit_button("Open", type="primary"):
            with page_session() as session:
                service.open_ticket(session, subject, requester, priority)
            st.rerun()
    if not tickets:
        st.info("Nobody waits for an answer.")
    for ticket in tickets:
        ticket_card(ticket)


def ticket_card(ticket: Ticket) -> None:
    """One ticket, and a line to answer it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(ticket.subject)
            st.badge(ticket.priority, color=COLOURS[ticket.priority])
            st.text(f"asked by {ticket.requester}")
        with st.form(f"answer-{ticket.id}", border=False):
            text = st.text_input("Answer", max_chars=10_000)
            if st.form_submit_button("Send") and text.strip():
                with page_session() as session:
                    service.answer_ticket(session, ticket.id, text.strip())
                st.rerun()
