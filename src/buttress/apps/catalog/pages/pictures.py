"""Pages of documents as pictures, with the place of a value drawn over them."""

from __future__ import annotations

import io
from typing import Any

import streamlit as st

from buttress.apps.catalog.service import sources
from buttress.ui.current import current_runtime, page_session

PREVIEW = 0.7
"""Pixels a point of the pictures one chooses pages from."""
READING = 1.5
"""Pixels a point of a page that is read beside the fields."""
INK = (213, 64, 47)
MARGIN = 3
"""Points between a text and the line around it."""


# A document never changes, so a page is drawn once for each visitor; not for all of them together,
# for what somebody may see is asked anew.
@st.cache_data(scope="session", max_entries=80, show_spinner=False)
def page_picture(source_id: int, page: int, scale: float) -> bytes:
    """A page of a PDF as PNG; raises `NotFound`, `DocumentError`."""
    with page_session() as session:
        return sources.page_image(session, current_runtime().files, source_id, page, scale)


@st.cache_data(scope="session", max_entries=4, show_spinner="Reading the sheet")
def sheet_rows(source_id: int, sheet: str) -> list[list[Any]]:
    """The rows of a sheet; raises `NotFound`."""
    with page_session() as session:
        return sources.sheet_rows(session, current_runtime().files, source_id, sheet)


def boxed(picture: bytes, box: dict[str, float], scale: float) -> bytes:
    """A PNG with a box around a place; `box` is in points from the upper left corner."""
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    edges = (
        (box["left"] - MARGIN) * scale,
        (box["top"] - MARGIN) * scale,
        (box["right"] + MARGIN) * scale,
        (box["bottom"] + MARGIN) * scale,
    )
    drawing = ImageDraw.Draw(image, "RGBA")
    drawing.rectangle(edges, fill=(*INK, 28), outline=(*INK, 255), width=2)
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()
