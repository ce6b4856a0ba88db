"""An older tool's data, moved into the database, waits to be taken over."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.service import adopting
from buttress.mover.page import plural
from buttress.ui.current import page_session, signed_in
from buttress.ui.text import count

SHOWN = 200
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
            f"**{plural(waiting, 'evaluation')} of an older tool** can be taken over, "
            "as moved into the database."
        )
        st.caption(
            "Products, scores and ratings are made of them; its own tables stay as they are."
        )
        if st.button("Take them over", icon=":material/move_to_inbox:", type="primary"):
            take_over(waiting)


def take_over(waiting: int) -> None:
    """Do it, and tell what became of them: once, for nothing waits any more."""
    bar = st.progress(0.0)

    def tell(rows: int) -> None:
        bar.progress(min(1.0, rows / waiting), f"{count(rows)} of {count(waiting)}")

    tell(0)
    with page_session() as session:
        adopted = adopting.adopt(session, tell=tell)
    bar.empty()
    st.session_state[WAITING] = 0
    st.success(
        f"{plural(adopted.products, 'product')} with {plural(adopted.evaluations, 'evaluation')} "
        f"and {plural(adopted.feedback, 'rating')}."
    )
    if adopted.left:
        with st.expander(f"{plural(len(adopted.left), 'evaluation')} left out"):
            for line in adopted.left[:SHOWN]:
                st.text(line)
            if len(adopted.left) > SHOWN:
                st.caption(f"and {count(len(adopted.left) - SHOWN)} more in catalog_left_out.")
    st.button("Show them")
