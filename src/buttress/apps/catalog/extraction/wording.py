"""Names as the catalog writes them: titles without brand and size, slugs, INCI lists."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SIZE = re.compile(
    r"(?<![\w.,-])(?:\d{1,3}\s*[x×]\s*)?\d+(?:[.,]\d+)?\s?"
    r"(?:ml|cl|l|g|gr|kg|mg|oz|fl\.? ?oz|caps(?:ules|\.)?|cápsulas|tablets|tabs|comprimidos|"
    r"gummies|gomas|units?|unidades|un\.?|pcs|pairs?|pares)\b\.?",
    re.IGNORECASE,
)
SMALL = {
    "en": frozenset(("of", "and", "for", "with", "in", "the", "to", "a", "de", "la")),
    "pt": frozenset(("de", "da", "do", "das", "dos", "e", "com", "para", "em", "sem", "à", "a")),
}
MOST_IN_A_SLUG = 120
BLANKS = re.compile(r"\s+")


def bare_title(name: str, brand: str = "") -> str:
    """A name without its brand and size: "Oakleaf Calm Cream 50 ml" is "Calm Cream"."""
    text = SIZE.sub(" ", name)
    if brand:
        text = re.sub(rf"(?<!\w){re.escape(brand)}(?!\w)[®™]?", " ", text, flags=re.IGNORECASE)
    text = BLANKS.sub(" ", re.sub(r"\(\s*\)|\[\s*\]", " ", text))
    return text.strip(" -–—,;:|/®™·") or name.strip()


def capitalised(title: str, language: str = "en", *, names: Sequence[str] = ()) -> str:
    """The first letter of each word large, but of small words; words with capitals stay."""
    small = SMALL[language]
    kept = {word for name in names for word in name.split()}
    words = []
    for place, word in enumerate(title.split()):
        if word in kept or (not word.islower() and not (word.isupper() and len(word) > 4)):
            words.append(word)
        elif place and word.casefold() in small:
            words.append(word.casefold())
        else:
            words.append("-".join(part[:1].upper() + part[1:].lower() for part in word.split("-")))
    return " ".join(words)


def slug(*parts: str) -> str:
    """Words for an address: "Óleo de Rosto" is "oleo-de-rosto"."""
    text = unicodedata.normalize("NFKD", " ".join(part for part in parts if part))
    plain = "".join(character for character in text if not unicodedata.combining(character))
    found = "-".join(re.findall(r"[a-z0-9]+", plain.casefold().replace("'", "").replace("’", "")))
    if len(found) <= MOST_IN_A_SLUG:
        return found
    return found[:MOST_IN_A_SLUG].rpartition("-")[0] or found[:MOST_IN_A_SLUG]


def inci(text: str) -> str:
    """An INCI list in capitals, separated by ", ", without a full stop and a heading."""
    text = re.sub(
        r"^\s*(?:ingredients|ingredientes|inci)\s*(?:\([^)]*\))?\s*:\s*", "", text, flags=re.I
    )
    separated = re.sub(r"\s*[;•·|]\s*|\s+[-–]\s+", ", ", BLANKS.sub(" ", text))
    # A comma inside a number ("1,2-HEXANEDIOL") separates nothing.
    parts = re.split(r"\s*,(?!\d)\s*", separated)
    return ", ".join(part.strip(" .") for part in parts if part.strip(" .")).upper()


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    found = re.split(r"(?<=[.!?…])\s+(?=[\w\"'(¿¡«“])", BLANKS.sub(" ", text).strip())
    return [sentence for sentence in found if sentence]


def word_count(text: str) -> int:
    """Words, as people count them: between blanks."""
    return len(re.sub(r"<[^<>]*>", " ", text).split())
