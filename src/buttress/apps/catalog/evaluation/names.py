"""Proper names in texts: capitalised within a sentence, or coined of letters and digits."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from buttress.apps.catalog.evaluation.quantities import UNITS
from buttress.apps.catalog.evaluation.words import (
    CAPITALS,
    ENGLISH,
    PORTUGUESE,
    THINGS,
    folded,
    tokens,
    words,
)
from buttress.apps.catalog.products import HS_CODES, code_of
from buttress.apps.catalog.products import UNITS as CAPACITIES

WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
OPENS = frozenset('.!?:;•–—"“«(')
"""After these a word is capitalised whatever it is."""
COINED = re.compile(r"[a-zà-ÿ][A-ZÀ-Ý]|[A-Za-z]\d|\d[A-Za-z]")
# Endings of words that are spelled alike in both languages.
COGNATE = re.compile(r"(al|or|ar|el|il|a|o|e)$")
NOUNS = THINGS | {
    word
    for code in HS_CODES.values()
    for phrase in (*code.words, code.description, code.group)
    for word in tokens(phrase)
}


def names_of(text: str, *, twin: str = "") -> list[str]:
    """The names of a text, each once; `twin` is the same text in the other language.

    The first word of a sentence is a name only where the twin has it too, as a name is kept.
    """
    also = {word for word in words(twin) if word[0].isupper()}
    found: dict[str, None] = {}
    for line in text.split("\n"):
        if _is_heading(line):
            continue
        for match in WORD.finditer(line):
            word = match[0]
            if folded(word) in CAPITALS or _is_measure(word):
                continue
            if COINED.search(word) or _is_name(word, _opens(line, match.start()), also):
                found[word] = None
    return list(found)


def strange_words(title: str, known: AbstractSet[str]) -> list[str]:
    """The words of a title that are neither known nor what such things are commonly called."""
    return [
        word
        for word in tokens(title)
        if len(word) > 2
        and not word.isdigit()
        and not _is_measure(word)
        and not {word, word.removesuffix("s"), f"{word}s"} & (known | NOUNS)
        and word not in ENGLISH | PORTUGUESE
    ]


def _opens(line: str, start: int) -> bool:
    """Whether what starts there begins a sentence."""
    before = line[:start].rstrip()
    return not before or before[-1] in OPENS


def _is_name(word: str, opens: bool, also: AbstractSet[str]) -> bool:
    """Whether a word is capitalised for its own sake; `opens` tells that it begins a sentence."""
    if not word[0].isupper() or len(word) == 1:
        return False
    return not opens or (word in also and len(word) > 3 and not COGNATE.search(folded(word)))


def _is_heading(line: str) -> bool:
    """Whether a line is set in Title Case, so that its capitals say nothing."""
    long = [word for word in words(line) if len(word) > 3]
    return 0 < len(long) <= 5 and all(word[0].isupper() for word in long) and line[-1:] not in ".!?"


def _is_measure(word: str) -> bool:
    """Whether a word is a number with its unit, as "30ml"."""
    split = re.fullmatch(r"\d+(?:[.,]\d+)?([^\W\d_]+)", folded(word))
    return split is not None and (split[1] in UNITS or code_of(split[1], CAPACITIES) is not None)
