"""Whether a text is English or Portuguese, by its small words and letters."""

from __future__ import annotations

from buttress.apps.catalog.extraction.labels import Language
from buttress.apps.catalog.material import words_of

IN_ENGLISH = (
    "the and of for with is are to in on your that this from it its by or an as at be can not "
    "has have you after before until each all more use apply skin hair daily day water"
)
IN_PORTUGUESE = (
    "o os da do das dos e em na nas nos para com por uma um que ao aos à às não se sua seu é são "
    "ou mais após antes até cada pele cabelo diariamente dia água aplicar rosto"
)
ENGLISH = frozenset(IN_ENGLISH.split())
PORTUGUESE = frozenset(IN_PORTUGUESE.split())
LETTERS = frozenset("ãõçáàâéêíóôú")


def language_of(text: str) -> Language:
    """The language of a text, "" when nothing tells."""
    words = words_of(text)
    english = sum(word in ENGLISH for word in words)
    portuguese = sum(word in PORTUGUESE or bool(LETTERS.intersection(word)) for word in words)
    if english == portuguese:
        return ""
    return "en" if english > portuguese else "pt"
