"""Whether the database is there: told on every page, and waited for without a reload."""

from __future__ import annotations

from importlib.metadata import version

import streamlit as st

from buttress import health
from buttress.errors import Unavailable
from buttress.health.parts import LABELS
from buttress.ui.current import current_runtime

EVERY = "4s"
BADGE_EVERY = "15s"
"""Seldom: the banner tells first, and the page anew after a loss draws the badge anew."""
LOST = "connection-lost"
"""Set while the last look of this visitor's session found no database."""


class Waiting(Unavailable):
    """A part of a page needs the database, which is away; the page says so once, on top."""


def label() -> str:
    """What the database is called."""
    return LABELS[current_runtime().database.backend.name]


def is_lost() -> bool:
    """Whether the database does not answer; asked once a second at most, for all visitors."""
    return health.database(current_runtime()).status == "fail"


def wait_if_lost() -> None:
    """Raise `Waiting` at once rather than after the time-outs of the pool."""
    if is_lost():
        st.session_state[LOST] = True
        raise Waiting(f"{label()} connection lost", hint="It is tried again every few seconds.")


@st.fragment(run_every=EVERY)
def watch() -> None:
    """The banner while the database is away; the whole page anew once it is back."""
    lost = is_lost()
    if lost:
        st.warning(
            "What you see may be old. The page goes on by itself once the database answers.",
            title=f"{label()} connection lost. Retrying…",
            icon=":material/sync_problem:",
        )
    elif st.session_state.pop(LOST, False):
        st.rerun()
    if lost:
        st.session_state[LOST] = True


@st.fragment(run_every=BADGE_EVERY)
def badge() -> None:
    """One line at the foot of the navigation: which database, and does it answer?"""
    database = health.database(current_runtime())
    if database.status == "pass":
        st.badge(database.detail, icon=":material/check_circle:", color="green")
    else:
        st.badge(f"{label()} lost. Retrying…", icon=":material/sync_problem:", color="red")


def release() -> str:
    """`0.1.0`."""
    return version("buttress")
