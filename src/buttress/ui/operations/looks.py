"""Words, icons and colours of states, wherever operations pages show them."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from buttress.health import Status
from buttress.jobs.status import State

Colour = Literal["red", "orange", "blue", "green", "violet", "gray"]

HEALTH: dict[Status, tuple[str, str, Colour]] = {
    "pass": ("Well", ":material/check_circle:", "green"),
    "warn": ("Warning", ":material/warning:", "orange"),
    "fail": ("Failing", ":material/error:", "red"),
}
JOBS: dict[State, tuple[str, str, Colour]] = {
    "waiting": ("Waiting", ":material/hourglass_empty:", "blue"),
    "delayed": ("Delayed", ":material/schedule:", "blue"),
    "running": ("Running", ":material/play_circle:", "violet"),
    "paused": ("Paused", ":material/pause_circle:", "orange"),
    "done": ("Done", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
    "cancelled": ("Cancelled", ":material/cancel:", "gray"),
    "given up": ("Given up", ":material/error:", "red"),
}
BACKUPS: dict[str, tuple[str, str, Colour]] = {
    "verified": ("Verified", ":material/verified:", "green"),
    "differs": ("Differs", ":material/error:", "red"),
    "not proven": ("Not proven", ":material/help:", "gray"),
}
OPEN: tuple[str, str, Colour] = ("Open", ":material/check_circle:", "green")


def badge(look: tuple[str, str, Colour]) -> None:
    """One state as a badge."""
    words, icon, colour = look
    st.badge(words, icon=icon, color=colour)
