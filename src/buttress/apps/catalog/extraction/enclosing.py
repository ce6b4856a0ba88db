"""Sources as models get them: data between marks, which it cannot leave."""

from __future__ import annotations

import re
from html import escape

from buttress.apps.catalog.material import Material, Passage

MOST_CHARACTERS = 60_000
"""Of all sources together; more is cut off, and said."""
MARK = re.compile(r"<(?=\s*/?\s*source)", re.IGNORECASE)
ADDRESSED = re.compile(
    r"(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rule|above|previous)"
    r"|\b(?:you are|act as|as) an? (?:ai|assistant|language model|llm)\b"
    r"|\bsystem prompt\b|\bnew instructions?\b"
    r"|\bignor[ea]\b.{0,40}\b(?:instruções|regras|anteriores)\b",
    re.IGNORECASE,
)
"""Sentences that speak to a model and not to a customer."""


def enclosed(material: Material, *, most: int = MOST_CHARACTERS) -> tuple[str, bool]:
    """The sources between marks, and whether some of their text was cut off.

    What looks like a mark in them is broken, so that no text ends its source early.
    """
    parts = []
    cut = False
    for source in material.sources:
        text = MARK.sub("‹", source.text)
        if len(text) > most:
            text, cut = text[:most], True
        most -= len(text)
        name = escape(source.name)
        parts.append(f'<source id="{escape(source.id)}" kind="{source.kind}" name="{name}">')
        parts += [text, "</source>"]
    return "\n".join(parts), cut


def addressing(material: Material) -> list[tuple[str, Passage]]:
    """Passages that seem to tell a model what to do, with the id of their source."""
    return [
        (source.id, passage)
        for source in material.sources
        if source.kind != "hint"
        for passage in source.passages
        if ADDRESSED.search(passage.text)
    ]
