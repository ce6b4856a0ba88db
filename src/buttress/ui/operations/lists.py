"""Tables of which rows can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import streamlit as st

Id = TypeVar("Id")


def choose(
    rows: Sequence[dict[str, Any]], ids: Sequence[Id], key: str, *, several: bool = True
) -> list[Id]:
    """Show a table; the ids of the rows that are chosen.

    A table whose rows have changed or moved forgets what was chosen: a row's number would mean
    somebody else.
    """
    shown = blake2b("\n".join(map(str, ids)).encode(), digest_size=8).hexdigest()
    event: Any = st.dataframe(
        rows,
        hide_index=True,
        key=f"list-{key}-{shown}",
        on_select="rerun",
        selection_mode="multi-row" if several else "single-row",
    )
    return [ids[number] for number in event.selection.rows if number < len(ids)]
