"""What a page says when there is nothing to show yet: always what to do about it."""

from __future__ import annotations

from pathlib import Path

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


def nothing_logged(folder: Path, *, whole: bool) -> None:
    """Where lines would come from when none is like what was asked for."""
    with st.container(border=True):
        st.markdown("**No line is like that.** Empty a field, or ask for a lower level.")
        if not whole:
            st.caption("Older lines were not looked at; this looks through the whole file:")
            st.code(f"grep WORD {folder / 'buttress.log'}*", language="bash", wrap_lines=True)
        else:
            st.caption("`BUTTRESS_LOG_LEVEL=DEBUG` has processes that start write more.")


def no_jobs(*, filtered: bool) -> None:
    """What to write when no job was made yet."""
    with st.container(border=True):
        if filtered:
            st.markdown("**No job is like that.** Choose another state, queue or page.")
            return
        st.markdown("**No job was made yet.** This declares one and has it done:")
        st.code(
            "@app.job(timeout_seconds=600)\ndef settle(order: int) -> int: ...\n\n"
            "runtime.jobs.enqueue(settle, 7)",
            language="python",
        )
        st.caption("`buttress up` does jobs; `buttress worker` is a process for them alone.")


def no_backups() -> None:
    """What to do when there is no backup yet."""
    with st.container(border=True):
        st.markdown("**There is no backup yet.** The button above makes one, and so does:")
        st.code("buttress backup", language="bash")
        st.caption(
            "Each is restored into a scratch database and compared. BUTTRESS_BACKUP__SCHEDULE says "
            "when one is made by itself: at 03:00 UTC unless you change it."
        )


def no_calls() -> None:
    """What to write when no model was called yet."""
    with st.container(border=True):
        st.markdown("**No model was called in this window.** This calls one:")
        st.code(
            'runtime.llm.complete("Which trees are these?", purpose="catalog.extract")',
            language="python",
        )
        st.caption(
            "BUTTRESS_LLM__MODEL says which; every call is recorded here with tokens and cost, "
            "never with what was asked."
        )


def all_is_well() -> None:
    """That there is nothing to attend to."""
    st.success("Nothing needs attention.", icon=":material/verified:")
