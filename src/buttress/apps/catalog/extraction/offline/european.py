"""European Portuguese out of Brazilian, by a list of words."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

PROGRESSIVE = re.compile(
    r"\b(est(?:ou|á|ás|amos|ão|ava|avam|eja|ejam))\s+(?!v?indo\b|pondo\b)(\w{2,})(a|e|i)ndo\b",
    re.IGNORECASE,
)
"""Brazilian "está ajudando" is "está a ajudar" in Portugal."""


ARTICLES = {"seu": "o", "sua": "a", "seus": "os", "suas": "as"}
CONTRACTED = {"em": "n", "de": "d", "por": "pel"}
POSSESSIVE = re.compile(
    r"(^|[.!?:]\s+|\b(?:em|de|por|para|com|sobre|durante|após|e|mantenha|mantém|proteja|protege|cuide|"
    r"cuida|deixe|deixa|aplique|limpe|lave|use|hidrata|acalma|nutre|fortalece)\s+)"
    r"(seus?|suas?)(?=\s+\w)(?!\s+(?:vez|turno|lado|nome)\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""Where "seu" has lost the article that it has in Portugal: "em sua pele" is "na sua pele"."""


def european(text: str) -> str:
    """The text with words of Portugal for those of Brazil, capitals kept.

    >>> european("Massageie e mantenha a umidade da pele")
    'Massaje e mantenha a humidade da pele'
    """
    words, pattern = _words()
    text = pattern.sub(lambda match: _instead(match, words), text)
    return POSSESSIVE.sub(_with_article, PROGRESSIVE.sub(_with_infinitive, text))


def brazilian_words(text: str) -> list[tuple[str, str]]:
    """The Brazilian words of a text, each with what is said in Portugal ("" for left out)."""
    words, pattern = _words()
    found = []
    for match in pattern.finditer(text):
        written = match[1].strip()
        found.append((written, words[" ".join(written.casefold().split())]))
    found += [(match[0], _with_infinitive(match)) for match in PROGRESSIVE.finditer(text)]
    return found


def _with_article(match: re.Match[str]) -> str:
    before, own = match[1], match[2]
    article = ARTICLES[own.casefold()]
    preposition = before.strip()
    if preposition.casefold() in CONTRACTED:
        start = CONTRACTED[preposition.casefold()]
        start = start.capitalize() if preposition[0].isupper() else start
        return f"{start}{article} {own}"
    if own[0].isupper():  # it began the sentence
        article, own = article.capitalize(), own.lower()
    return f"{before}{article} {own}"


def _with_infinitive(match: re.Match[str]) -> str:
    better = f"{match[1]} a {match[2]}{match[3]}r"
    return better.upper() if match[0].isupper() else better


def _instead(match: re.Match[str], words: dict[str, str]) -> str:
    written, blank, following = match[1], match[2], match[3]
    better = words[" ".join(written.casefold().split())]
    if not better:  # the word is left out, and what follows begins the sentence instead
        return following.upper() if written[0].isupper() and following else following
    if written.isupper() and len(written) > 1:
        better = better.upper()
    elif written[0].isupper():
        better = better[0].upper() + better[1:]
    return f"{better}{blank}{following}"


@cache
def _words() -> tuple[dict[str, str], re.Pattern[str]]:
    text = files(__package__).joinpath("european.csv").read_text("utf-8")
    words = {row["brazilian"]: row["european"] for row in csv.DictReader(text.splitlines())}
    # The longest first, so that "tela sensível ao toque" is not taken for "tela".
    parts = sorted(words, key=len, reverse=True)
    choice = "|".join(re.escape(part).replace(r"\ ", r"\s+") for part in parts)
    return words, re.compile(rf"(?<![\w-])({choice})(?![\w-])(\s*)(\w?)", re.IGNORECASE)
