"""Words, icons and colours: of quality, of states, and of how a value came to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from buttress.apps.catalog.products import KINDS, ProductType
from buttress.apps.catalog.service.engines import OFFLINE
from buttress.apps.catalog.service.products import Badge, badge_of
from buttress.ui.operations.looks import Colour, badge
from buttress.ui.text import plain

Look = tuple[str, str, Colour]

QUALITY: dict[Badge, Look] = {
    "excellent": ("Excellent", ":material/verified:", "green"),
    "good": ("Good", ":material/check_circle:", "blue"),
    "fair": ("Fair", ":material/warning:", "orange"),
    "poor": ("Poor", ":material/error:", "red"),
    "not evaluated": ("Not evaluated", ":material/help:", "gray"),
}
REQUESTS: dict[str, Look] = {
    "draft": ("Draft", ":material/edit_note:", "gray"),
    "waiting": ("Waiting", ":material/hourglass_empty:", "blue"),
    "working": ("Working", ":material/play_circle:", "violet"),
    "done": ("Done", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
}
HOW: dict[str, Look] = {
    "read": ("Read", ":material/location_on:", "green"),
    "translated": ("Translated", ":material/translate:", "orange"),
    "computed": ("Computed", ":material/function:", "blue"),
    "written": ("Written", ":material/stylus:", "violet"),
    "corrected": ("Corrected", ":material/person:", "gray"),
}
DELIVERIES: dict[str, Look] = {
    "waiting": REQUESTS["waiting"],
    "sent": ("Sent", ":material/check_circle:", "green"),
    "failed": REQUESTS["failed"],
}
TYPES: dict[str, str] = {str(one): kind.title for one, kind in KINDS.items()}


def type_title(product_type: str | ProductType) -> str:
    """`Cosmetics` for `cosmetics`."""
    return TYPES.get(str(product_type), str(product_type))


def model_title(model: str) -> str:
    """Who extracts, honestly named: rules are no intelligence."""
    return "offline engine: rules" if model == OFFLINE else model


def quality(overall: Any) -> None:
    """The badge of a score, with the score."""
    words, icon, colour = QUALITY[badge_of(None if overall is None else float(overall))]
    badge((words if overall is None else f"{words} · {float(overall):.2f}", icon, colour))


def engine(model: str) -> None:
    """The badge of who extracted."""
    offline = model == OFFLINE
    icon = ":material/rule:" if offline else ":material/neurology:"
    badge((model_title(plain(model)), icon, "gray" if offline else "violet"))


def how(origin: Mapping[str, Any]) -> str:
    """A line of Markdown: how a value came to be, and what to know about it."""
    words, icon, colour = HOW[origin["how"]]
    remark = origin.get("remark", "")
    if origin["how"] == "corrected":
        remark = f"by {remark}" if remark else ""
    return f":{colour}-badge[{icon} {words}]" + (f" :small[{plain(remark)}]" if remark else "")


def empty(title: str, what_to_do: str) -> None:
    """What a page says when there is nothing to show yet."""
    with st.container(border=True):
        st.markdown(f"**{title}** {what_to_do}")
