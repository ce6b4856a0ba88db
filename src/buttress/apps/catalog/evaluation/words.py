"""Words of texts: split, without accents, and of which language."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
FRENCH = re.compile(r"\b(?:eau de|extrait de) \w+", re.IGNORECASE)
"""Kinds of perfume, called so in every language."""
ENOUGH = 0.12
"""The share of small words that shows a language; every other word is one in running text."""
FEWEST = 4
"""Words: of less, a recogniser of languages guesses."""
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"“«]?[^\W\d_a-zà-ÿ])|\n+")
_VOCABULARY = tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text("utf-8"))
ENGLISH, PORTUGUESE, CAPITALS, THINGS = (
    frozenset(_VOCABULARY[name].split()) for name in ("english", "portuguese", "capitals", "things")
)


def folded(text: str) -> str:
    """Without case and accents."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def tokens(text: str) -> list[str]:
    """The words and numbers of a text, folded."""
    return re.findall(r"[^\W_]+", folded(text))


def words(text: str) -> list[str]:
    """The words of a text as they are written."""
    return WORD.findall(text)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a plain text."""
    return [one.strip() for one in SENTENCE.split(text) if one.strip()]


def language_share(text: str) -> tuple[float, float]:
    """The shares of English and of Portuguese small words in a text."""
    found = [word.casefold() for word in words(FRENCH.sub("", text))]
    if not found:
        return 0.0, 0.0
    english = sum(word in ENGLISH for word in found)
    portuguese = sum(word in PORTUGUESE or _accented(word) for word in found)
    return english / len(found), portuguese / len(found)


def language_of(text: str) -> str:
    """ "en", "pt", or "" when a text does not tell; the recogniser is asked where words do not."""
    text = FRENCH.sub("", text)
    english, portuguese = language_share(text)
    most = max(english, portuguese)
    if english != portuguese and most >= ENOUGH and most * len(words(text)) >= 2:
        return "en" if english > portuguese else "pt"
    if len(words(text)) < FEWEST:
        return ""
    recogniser = _recogniser()
    if recogniser is None:
        return ""
    language, certainty = recogniser.classify(text)
    return str(language) if certainty >= 0.9 else ""


def _accented(word: str) -> bool:
    return bool(set(word) & set("ãõçáàâêíóôú"))


@cache
def _recogniser() -> Any:
    """py3langid for the two languages, None where the extra is not installed."""
    try:
        from py3langid.langid import (  # type: ignore[import-untyped]
            MODEL_FILE,
            LanguageIdentifier,
        )
    except ImportError:
        return None
    recogniser = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    recogniser.set_languages(["en", "pt"])
    return recogniser
