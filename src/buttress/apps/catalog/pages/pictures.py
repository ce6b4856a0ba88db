"""Pages of documents as pictures, with the place of a value drawn over them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import streamlit as st

from buttress.apps.catalog.service import sources
from buttress.ui.current import current_runtime, page_session

PREVIEW = 0.7
"""Pixels a point of the pictures one chooses pages from."""
READING = 2.0
"""Pixels a point of a page that is read beside the fields."""
INK = (213, 64, 47)
MARGIN = 3
"""Points between a text and the line around it."""
AROUND, WIDE = 45, 240
"""Points shown around a place when it is enlarged, and the least it is wide then."""


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


def boxed(picture: bytes, box: Mapping[str, float], scale: float) -> tuple[bytes, bytes]:
    """A page with a box around a place, and the part around it; both are PNG.

    `box` is in points from the upper left corner, `scale` what the page was drawn with.
    """
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    left, top, right, bottom = (box[side] for side in ("left", "top", "right", "bottom"))
    edges = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
    drawing = ImageDraw.Draw(image, "RGBA")
    drawing.rectangle(
        [edge * scale for edge in edges], fill=(*INK, 28), outline=(*INK, 255), width=2
    )
    near = (
        max(0, int((left - 2 * AROUND / 3) * scale)),
        max(0, int((top - AROUND) * scale)),
        min(image.width, int(max(right + AROUND, left + WIDE) * scale)),
        min(image.height, int((bottom + AROUND) * scale)),
    )
    return _png(image), _png(image.crop(near))


def _png(image: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()
