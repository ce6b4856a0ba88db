"""What a page says when there is nothing to show yet: always what to do about it."""

from __future__ import annotations

import streamlit as st


def nothing_moved() -> None:
    """What to type when nothing has been moved yet."""
    with st.container(border=True):
        st.markdown(
            "**Nothing has been moved into this database yet.** Start with your SQLite file:"
        )
        st.code("buttress move prototype.db", language="bash")
        st.caption("The source is only read. The report and its proof will be shown here.")


def nothing_cached() -> None:
    """What to write when no cached function has been called yet."""
    with st.container(border=True):
        st.markdown("**Nothing was read through the cache yet.** This makes a function cached:")
        st.code(
            "from buttress.cache import cached, rows\n\n"
            '@cached("products", tags=[rows(Product, "tenant_id")])\n'
            "def products(session: Session, tenant_id: int) -> list[Line]: ...",
            language="python",
        )
        st.caption("Its table is watched once its model says `__cache_tags__`.")


def no_apps() -> None:
    """What to type when no app is installed yet."""
    with st.container(border=True):
        st.markdown("**No app is installed yet.** This writes one that runs:")
        st.code("buttress apps new tickets\npip install -e tickets", language="bash")
        st.caption("Its pages, routes and tables appear here the next time `buttress up` starts.")
