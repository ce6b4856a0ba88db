"""Extraction without a model: rules that repeat what sources say, and a small translator."""

from buttress.apps.catalog.extraction.offline.customs import Proposal, propose
from buttress.apps.catalog.extraction.offline.engine import extract
from buttress.apps.catalog.extraction.offline.european import brazilian_words, european
from buttress.apps.catalog.extraction.offline.translation import (
    Translator,
    bundled,
    translate,
    translate_html,
)

__all__ = [
    "Proposal",
    "Translator",
    "brazilian_words",
    "bundled",
    "european",
    "extract",
    "propose",
    "translate",
    "translate_html",
]
