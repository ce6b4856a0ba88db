"""Where a text stands in a document, whatever its case, spaces and hyphens."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from buttress.documents.lines import around
from buttress.documents.parts import PageText, PdfDocument, Place, Word

HYPHENS = frozenset("-\u00ad\u2010\u2011\u2012\u2013\u2014\u2212")
SIGNS = HYPHENS | frozenset(".,")
MOST = 1_000
"""Places that are given."""


def find_text(document: PdfDocument, text: str) -> list[Place]:
    """Every place of a text, in reading order, at most a thousand; nothing for an empty one.

    Capitals, spaces and hyphens make no difference, nor does a break of a line, hyphenated or not.
    A match begins and ends with a word: `10 ml` is not found in `110 ml`. Takes time in proportion
    to the document; to look for many texts keep a `TextIndex`.
    """
    return TextIndex(document).find(text)


@dataclass(frozen=True)
class _Stream:
    """A page's characters one after the other, and at which of them each word begins."""

    page: int
    characters: str
    starts: Sequence[int]
    words: Sequence[Word]


class TextIndex:
    """A document made ready to be searched again and again."""

    def __init__(self, document: PdfDocument) -> None:
        self._streams = [_stream(page) for page in document.pages]

    def find(self, text: str) -> list[Place]:
        """As `find_text`."""
        wanted = "".join(_folded(text.split()))
        if not wanted:
            return []
        places: list[Place] = []
        for stream in self._streams:
            at = stream.characters.find(wanted)
            while at >= 0 and len(places) < MOST:
                end = at + len(wanted)
                if _is_whole(stream, at, end):
                    places.append(_place(stream, at, end))
                at = stream.characters.find(wanted, end)
        return places


def _stream(page: PageText) -> _Stream:
    words = [word for line in page.lines for word in line.words]
    folded = _folded([word.text for word in words])
    starts: list[int] = []
    at = 0
    for one in folded:
        starts.append(at)
        at += len(one)
    return _Stream(page.number, "".join(folded), starts, words)


def _folded(words: Sequence[str]) -> list[str]:
    """Words without case and hyphens; a sign before a number and a gap between numbers stay."""
    found: list[str] = []
    digit_before = False
    for word in words:
        folded = unicodedata.normalize("NFKC", word).casefold()
        letters = "".join(
            one for at, one in enumerate(folded) if not one.isspace() and _counts(folded, at)
        )
        if digit_before and letters[:1].isdigit():
            letters = " " + letters  # two columns of numbers do not make one number
        digit_before = letters[-1:].isdigit() if letters else digit_before
        found.append(letters)
    return found


def _counts(word: str, at: int) -> bool:
    """Whether a character matters: hyphens do before digits, as signs and in ranges."""
    if word[at] not in HYPHENS:
        return True
    return word[at + 1 : at + 2].isdigit() and (at == 0 or word[at - 1].isdigit())


def _is_whole(stream: _Stream, at: int, end: int) -> bool:
    """Whether neither end of a match lies within a word or a number."""
    return _is_edge(stream, at) and (end >= len(stream.characters) or _is_edge(stream, end))


def _is_edge(stream: _Stream, at: int) -> bool:
    if at == 0 or _begins_word(stream, at):
        return True
    before, first = stream.characters[at - 1], stream.characters[at]
    if before.isalnum() and first.isalnum():
        return before.isdigit() != first.isdigit()
    if first.isdigit() and before in SIGNS:
        # The 5 of 3.5, of 1,005 and of -5 is not one; that of 3-5 is.
        return before in HYPHENS and at > 1 and stream.characters[at - 2].isdigit()
    following = stream.characters[at + 1 : at + 2]
    return not (first in ".," and before.isdigit() and following.isdigit())


def _begins_word(stream: _Stream, at: int) -> bool:
    return stream.starts[bisect_right(stream.starts, at) - 1] == at


def _place(stream: _Stream, at: int, end: int) -> Place:
    first = bisect_right(stream.starts, at) - 1
    last = bisect_right(stream.starts, end - 1) - 1
    words = stream.words[first : last + 1]
    return Place(stream.page, around(words), " ".join(word.text for word in words))
