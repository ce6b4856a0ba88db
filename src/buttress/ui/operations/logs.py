"""The page of logs: the last lines of the log file, filtered, and followed as they come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import require
from buttress.mover.page import plural
from buttress.telemetry import LogLine, recent_lines
from buttress.ui.current import current_runtime
from buttress.ui.empty import nothing_logged
from buttress.ui.operations.lists import states
from buttress.ui.operations.live import still
from buttress.ui.operations.looks import Colour
from buttress.ui.text import count, plain, zone_of

FOLLOW_EVERY = "2s"
LEVELS = ("debug", "info", "warning", "error", "critical")
LINES = (50, 200, 1_000)
COLOURS: list[tuple[str, str, Colour]] = [
    ("debug", "", "gray"),
    ("info", "", "blue"),
    ("warning", "", "orange"),
    ("error", "", "red"),
    ("critical", "", "red"),
]
TRACEBACKS = 10
TALL = 12
"""Lines that are shown without scrolling inside the table."""


def page() -> Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Logs", icon=":material/article:", url_path="logs")


def show() -> None:
    """The page."""
    require("logs.read")
    st.title("Logs")
    with st.grid(3, min_column_width=150):
        words = st.text_input("Contains", placeholder="any text")
        logger = st.text_input("Logger begins with", placeholder="for example: buttress.jobs")
        # An error box leads here with the id it told.
        request = st.text_input(
            "Request id", placeholder="as an error told it", key="request", bind="query-params"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        level = st.selectbox("Level, at least", LEVELS, index=LEVELS.index("info"), width=160)
        most = st.selectbox("Newest lines", LINES, index=1, width=130, format_func=count)
        follow = st.toggle("Follow", help="Look for new lines every two seconds.")
    wanted = matching(level, logger.strip(), words.strip(), request.strip())
    st.fragment(lines, run_every=FOLLOW_EVERY if follow else None)(wanted, most)


def matching(level: str, logger: str, words: str, request: str) -> Callable[[LogLine], bool]:
    """Whether a line is one of those asked for; what is empty asks for nothing."""
    levels = LEVELS[LEVELS.index(level) :]
    folded = words.casefold()

    def wanted(line: LogLine) -> bool:
        if line.level not in levels or not line.logger.startswith(logger):
            return False
        if request and str(line.fields.get("request_id", "")) != request:
            return False
        return not folded or folded in f"{line.event} {line.fields} {line.traceback}".casefold()

    return wanted


def lines(wanted: Callable[[LogLine], bool], most: int) -> None:
    """The newest lines on top, and the tracebacks among them."""
    still("logs.read")
    folder = current_runtime().settings.home / "logs"
    recent = recent_lines(folder, wanted, most=most)
    if not recent.lines:
        nothing_logged(folder, whole=recent.whole)
        return
    more = "" if recent.whole else "; older ones were not looked at"
    st.caption(f"{plural(len(recent.lines), 'line')}, the newest first{more}")
    st.dataframe(
        [
            {
                "At": at(line.at),
                "Level": [line.level],
                "Event": line.event,
                "Fields": ", ".join(f"{name}={value}" for name, value in line.fields.items()),
                "Logger": line.logger,
            }
            for line in recent.lines
        ],
        hide_index=True,
        height=480 if len(recent.lines) > TALL else "content",
        alt="Lines of the log, the newest first",
        column_config={"At": st.column_config.TextColumn(width=130), "Level": states(COLOURS)},
    )
    failed = [line for line in recent.lines if line.traceback]
    if failed:
        st.subheader("Tracebacks")
    for line in failed[:TRACEBACKS]:
        with st.expander(f"{at(line.at)}  {plain(line.event)}", icon=":material/error:"):
            st.caption(plain(line.logger))
            st.code(line.traceback, language="python")


def at(moment: datetime) -> str:
    """`22 Nov 16:05:01.250`, in the reader's time zone."""
    local = moment.astimezone(zone_of(st.context.timezone) or moment.tzinfo)
    return f"{local.day} {local:%b %H:%M:%S}.{local.microsecond // 1000:03}"
