"""Texts of models and documents, shown as what they are: text."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.evaluation.markup import read_markup
from buttress.ui.text import plain

BEGINS = {"li": "- ", "blockquote": "> ", "h2": "#### ", "h3": "#### "}


def html_preview(html: str) -> str:
    """Markdown of the paragraphs, lists and quotations of some HTML, without any of its tags.

    Every character of the text is escaped: whatever a model writes is read and never done.
    """
    blocks = read_markup(html).blocks
    lines: list[str] = []
    for before, block in zip([None, *blocks], blocks, strict=False):
        within_list = before is not None and before.tag == block.tag == "li"
        lines += [] if within_list else [""]
        lines.append(BEGINS.get(block.tag, "") + plain(block.text))
    return "\n".join(lines).strip()


def show_html(html: str, title: str) -> None:
    """A text of the shop as people will read it, and its source."""
    st.markdown(html_preview(html))
    with st.expander(f"HTML of {title}", icon=":material/code:"):
        st.code(html, language="html", wrap_lines=True)
