"""Tables: which rows can be chosen, which part of many is shown, states in colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import streamlit as st

from buttress.ui.operations.looks import Colour
from buttress.ui.text import count

Id = TypeVar("Id")


def choose(
    rows: Sequence[dict[str, Any]],
    ids: Sequence[Id],
    key: str,
    *,
    several: bool = True,
    alt: str | None = None,
    columns: dict[str, Any] | None = None,
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
        alt=alt,
        column_config=columns,
    )
    return [ids[number] for number in event.selection.rows if number < len(ids)]


def states(looks: Iterable[tuple[str, str, Colour]]) -> Any:
    """A column in which each state has its colour; its cells are lists of one word."""
    colours = {words: colour for words, _, colour in looks}
    return st.column_config.MultiselectColumn(
        options=list(colours), color=list(colours.values()), width=110
    )


def back(label: str) -> None:
    """From the one the address names to the list it is in.

    A link to the page one is on would leave the address as it was, and the next press would lead
    back to the one.
    """
    if st.button(label, icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.rerun()


class Pager:
    """Buttons to the newer and the older rows of a table that is read a page at a time.

    Ask the server for `limit` rows from `offset` on, show the first `rows`, then `show` the
    buttons. `of` is what is shown: another filter begins at the first page again.
    """

    def __init__(self, key: str, of: object, *, rows: int = 50) -> None:
        self.rows = rows
        self._key = f"pager-{key}"
        kept: tuple[object, int] = st.session_state.get(self._key, (of, 0))
        self._of = of
        self._page = kept[1] if kept[0] == of else 0

    @property
    def offset(self) -> int:
        """Rows before the first one shown."""
        return self._page * self.rows

    @property
    def limit(self) -> int:
        """Rows to ask for: one more than are shown tells whether there are older ones."""
        return self.rows + 1

    def show(self, found: int) -> None:
        """The buttons, where not all is shown; `found` of `limit` rows were there."""
        if not self._page and found <= self.rows:
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            self._button("Newer", -1, disabled=not self._page)
            self._button("Older", 1, disabled=found <= self.rows)
            last = self.offset + min(found, self.rows)
            st.caption(f"{count(self.offset + 1)} to {count(last)}", width="content")

    def _button(self, label: str, step: int, *, disabled: bool) -> None:
        if st.button(label, key=f"{self._key}-{label}", disabled=disabled):
            st.session_state[self._key] = (self._of, self._page + step)
            st.rerun()
