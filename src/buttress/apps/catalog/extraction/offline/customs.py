"""A customs code out of the closed list, by words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from buttress.apps.catalog.material import words_of
from buttress.apps.catalog.products import HS_CODES, HSCode, ProductType

SURE = 0.75
UNSURE = 0.5
IN_THE_NAME = 3
"""A word in the name counts for as many in the text."""
MOST_COUNTED = 3


@dataclass(frozen=True)
class Proposal:
    """A code, the words it was proposed for, and how sure that is, from 0 to 1."""

    code: HSCode
    words: tuple[str, ...]
    confidence: float


def propose(product_type: ProductType, name: str, text: str) -> Proposal | None:
    """The code whose words the name, or else the text, has most of; None when there are none.

    Longer words outweigh shorter ones: "shaving foam" is more than "foam". Codes that are meant for
    the type of product go before the others.
    """
    named = f" {' '.join(words_of(name))} "
    said = f" {' '.join(words_of(text))} "
    best: tuple[float, HSCode, tuple[str, ...]] | None = None
    second = 0.0
    for code in HS_CODES.values():
        score, found = _score(code, product_type, named, said)
        if score > (best[0] if best else 0):
            second = best[0] if best else 0.0
            best = (score, code, found)
        else:
            second = max(second, score)
    if best is None:
        return None
    clear = best[0] >= 2 * second and any(word in named for word in _spaced(best[2]))
    return Proposal(best[1], best[2], SURE if clear else UNSURE)


def _score(
    code: HSCode, product_type: ProductType, named: str, said: str
) -> tuple[float, tuple[str, ...]]:
    fits = 1.0 if product_type.value in code.types else 0.2
    score = 0.0
    found = []
    for word, sought in _words(code):
        weight = sought.count(" ") - 1  # how many words it has
        in_name = sought in named
        times = min(said.count(sought), MOST_COUNTED)
        if in_name or times:
            found.append(word)
            last = named.rstrip().endswith(sought.rstrip())
            score += weight * (IN_THE_NAME * in_name * 4 + 4 * last + times)
    return score * fits, tuple(found)


@cache
def _words(code: HSCode) -> tuple[tuple[str, str], ...]:
    return tuple((word, f" {' '.join(words_of(word))} ") for word in code.words)


def _spaced(words: tuple[str, ...]) -> list[str]:
    return [f" {' '.join(words_of(word))} " for word in words]
