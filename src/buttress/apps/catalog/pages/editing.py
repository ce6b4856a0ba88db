"""Changing one field of a product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from buttress.apps.catalog.pages.labels import (
    CODES,
    CUSTOMS,
    HTML,
    LISTS,
    NUMBERS,
    name_in,
    title_of,
    value_text,
)
from buttress.apps.catalog.service import products
from buttress.errors import Conflict
from buttress.ui.current import page_session
from buttress.ui.problems import explained
from buttress.ui.text import plain

LONG = {"Ingredients", "StoryEN", "StoryPT", "CompositionEN", "CompositionPT"}


@dataclass
class Begun:
    """A correction somebody has begun: the value its form began with, and the newest one that they
    have been told of."""

    path: str
    shown: Any
    known: Any


def edit(product_id: int, path: str, value: Any) -> None:
    """A form with one field; saving it keeps both values.

    What is typed stays while others change the same field: who saves is told of it, and replaces
    it only by saving again.
    """
    key = f"catalog-editing-{product_id}"
    begun: Begun | None = st.session_state.get(key)
    if begun is None or begun.path != path:
        begun = st.session_state[key] = Begun(path, value, value)
    with st.form(f"edit-{product_id}-{path}", border=False):
        entered = field(path, begun.shown)
        saved = st.form_submit_button("Save the correction", icon=":material/save:")
    if not saved:
        return
    with explained():
        correct(product_id, begun, entered)
        del st.session_state[key]
        st.toast(f"{title_of(path)} is corrected.")
        st.rerun()


def correct(product_id: int, begun: Begun, entered: Any) -> None:
    """Save it; raises `Conflict`, once, when somebody has changed the field since."""
    try:
        with page_session() as session:
            seen = products.Seen(begun.known)
            products.correct(session, product_id, begun.path, entered, seen=seen)
    except products.ChangedMeanwhile as error:
        begun.known = error.value
        stands = plain(value_text(begun.path, error.value) or "empty")
        raise Conflict(
            error.message,
            hint=f"It is now {stands}. What you typed is still here: save again to replace it.",
        ) from error


def field(path: str, value: Any) -> Any:
    """The control that fits a field; gives its JSON value."""
    name, title = name_in(path), f"{title_of(path)}, corrected"
    if name in CODES:
        return st.selectbox(
            title,
            [None, *CODES[name]],
            index=_place(value, CODES[name]),
            format_func=lambda code: "none" if code is None else value_text(path, code),
        )
    if name == "HSCode":
        return st.selectbox(
            title,
            ["", *CUSTOMS],
            index=_place(value, CUSTOMS),
            format_func=lambda code: value_text(path, code) or "none",
        )
    if name in LISTS:
        lines = st.text_area(title, "\n".join(map(str, value or ())), help="One on each line.")
        return [line.strip() for line in (lines or "").splitlines() if line.strip()]
    if name in NUMBERS:
        # As text: a number field would round what stands in the document.
        written = st.text_input(title, value_text(path, value), help="Empty when it is unknown.")
        return written.strip() or None if written else None
    if name in HTML or name in LONG:
        return st.text_area(title, str(value or ""), height=260)
    return st.text_input(title, str("" if value is None else value))


def _place(value: Any, codes: Any) -> int:
    return list(codes).index(value) + 1 if value in codes else 0
