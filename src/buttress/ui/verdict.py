"""What a move's verdict looks like, wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import Page

from buttress.mover.history import PastMove
from buttress.mover.page import headline, plural, summary
from buttress.mover.report import MoveReport, Verdict
from buttress.ui.text import count, file_name, moment, plain


@dataclass(frozen=True)
class Look:
    """Words, icon and colour of a verdict."""

    words: str
    icon: str
    colour: str


LOOKS: dict[Verdict, Look] = {
    "proven": Look("Proven", ":material/verified:", "green"),
    "proven with rows in quarantine": Look(
        "Proven, with rows in quarantine", ":material/rule:", "orange"
    ),
    "mismatch": Look("Mismatch", ":material/error:", "red"),
    "planned": Look("Planned", ":material/edit_note:", "blue"),
}


def banner(report: MoveReport) -> None:
    """The verdict, large, and the sentences that say what it means."""
    look = LOOKS[report.verdict]
    with st.container(border=True, key=f"verdict-{look.colour}", gap="xsmall"):
        st.markdown(f"## :{look.colour}[{look.icon} {plain(headline(report))}]")
        st.markdown(plain(summary(report)))


def move_card(move: PastMove, page: Page) -> None:
    """One move in a list, with the way to its report on `page`."""
    look = LOOKS[move.verdict]
    with st.container(border=True, key=f"card-{move.schema}-{move.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(file_name(move.source))}** to schema **{plain(move.schema)}**")
            st.badge(look.words, icon=look.icon, color=look.colour)  # type: ignore[arg-type]
        rows = plural(move.rows_proven, "row") + " proven"
        if move.rows_quarantined:
            rows += f", {count(move.rows_quarantined)} in quarantine"
        at = moment(move.finished_at, st.context.timezone)
        st.caption(f"{rows} · {plural(move.tables, 'table')} · {at}")
        st.page_link(
            page,
            label="Open the report",
            icon=":material/arrow_forward:",
            query_params={"schema": move.schema, "id": move.id},
        )
