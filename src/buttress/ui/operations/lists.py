"""Tables of which rows can be chosen."""

from __future__ import annotations

from typing import Any

import streamlit as st


def choose(rows: list[dict[str, Any]], key: str, *, several: bool = True) -> list[int]:
    """Show a table; the numbers of the rows that are chosen."""
    event: Any = st.dataframe(
        rows,
        hide_index=True,
        key=f"list-{key}",
        on_select="rerun",
        selection_mode="multi-row" if several else "single-row",
    )
    return [number for number in event.selection.rows if number < len(rows)]
