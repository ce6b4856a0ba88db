"""An older tool's data, moved into the database, waits to be taken over."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.service import adopting
from buttress.ui.current import page_session, signed_in
from buttress.ui.text import count

WAITING = "catalog-older-tool"
"""How many there are, asked once in a visit: what a move brings in does not come by itself."""


def offer() -> None:
    """Offer to make products of them, to those who may bring in data; nothing without any."""
    if not signed_in().may("data.import"):
        return
    if WAITING not in st.session_state:
        with page_session() as session:
            st.session_state[WAITING] = adopting.waiting(session)
    waiting: int = st.session_state[WAITING]
    if not waiting:
        return
    with st.container(border=True):
        st.markdown(
            f"**{count(waiting)} evaluations of an older tool** were moved into the database."
        )
        st.caption(
            "Products, scores and ratings are made of them; its own tables stay as they are."
        )
        if st.button("Take them over", icon=":material/move_to_inbox:", type="primary"):
            take_over()


def take_over() -> None:
    """Do it, and tell what became of each."""
    with st.spinner("Taking over…"), page_session() as session:
        adopted = adopting.adopt(session)
    st.session_state[WAITING] = 0
    st.success(
        f"{count(adopted.products)} products with {count(adopted.evaluations)} evaluations and "
        f"{count(adopted.feedback)} ratings."
    )
    if adopted.left:
        with st.expander(f"{count(len(adopted.left))} were left"):
            for line in adopted.left[:200]:
                st.text(line)
    st.button("Show them")
