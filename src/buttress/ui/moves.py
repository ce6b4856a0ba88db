"""The page of moves: all of them, or the report of the one the address names."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page

from buttress.mover.history import list_moves, load_report
from buttress.ui.current import current_runtime
from buttress.ui.empty import nothing_moved
from buttress.ui.move import show_report
from buttress.ui.operations.lists import back
from buttress.ui.verdict import move_card


def page() -> Page:
    """This page, as links and the navigation name it."""
    return st.Page(show, title="Moves", icon=":material/move_down:", url_path="moves")


def show() -> None:
    """The page."""
    schema, move_id = st.query_params.get("schema"), st.query_params.get("id")
    if schema and move_id:
        back("All moves")
        with current_runtime().database.session(read_only=True) as session:
            report = load_report(session, schema=schema, move_id=move_id)
        show_report(report)
        return
    st.title("Moves")
    st.caption("Every move into this database, with the proof it left behind.")
    with current_runtime().database.session(read_only=True) as session:
        moves = list_moves(session)
    if not moves:
        nothing_moved()
    for move in moves:
        move_card(move, page())
