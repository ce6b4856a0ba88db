"""Portuguese of Brazil in a text that is meant for Portugal: by words, by letters, by grammar.

The words are the translator's list; letters and grammar find what no list names: an accent that is
closed before m and n, a trema, a pronoun before its verb, a possessive without its article.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from buttress.apps.catalog.extraction.offline.european import brazilian_words

LETTERS = re.compile(
    r"\b(?!f[êe]mea|est[ôo]mag)[^\W\d_]*(?:ô[nm](?=[aeiouáé])|ê[nm](?=[aeiouáé])|[gq]ü(?=[eéií]))[^\W\d_]*",
    re.IGNORECASE,
)
"""econômico, gênero, lingüiça; "têm", "ciência", "fêmea" and "estômago" are of both."""
PRONOUN = re.compile(
    r"(?:(?<=^)|(?<=[.!?]\s)|(?<=\n))(?:Me|Te|Lhe)\s+[^\W\d_]{3,}\b|\bvocês?\b|\ba gente\b",
    re.IGNORECASE,
)
OWN = r"(?:meu|minha|seu|sua|seus|suas|nosso|nossa|nossos|nossas)"
POSSESSIVE = re.compile(
    rf"\b(?:para|em|de|com|por|sobre|entre|durante|após|sob|que)\s+{OWN}\b", re.IGNORECASE
)
OPENING = re.compile(
    r"(?:(?<=^)|(?<=[.!?]\s)|(?<=\n))(?:Seu|Sua|Nosso|Nossa|Meu|Minha)s?\s+(?!Senhora)[^\W\d_]+"
)
GERUND = re.compile(
    r"\b(?:vivem?|ficam?)\s+(?!quando|vindo)[^\W\d_]{2,}(?:ando|endo|indo)\b", re.IGNORECASE
)
USUAL = re.compile(r"\bde seu nome\b|\bpor seu (?:lado|turno)\b|\bpor sua vez\b", re.IGNORECASE)
NOMINATIVE = re.compile(
    r"\b(?:deixe|deixa|mantenha|mantém|aplique|use|cuide|proteja|limpe|lave|retire|coloque|conheça)"
    r"\s+(?:seu|sua|seus|suas)\b",
    re.IGNORECASE,
)

USUAL_TOO = frozenset(
    {
        "a cada dia", "absorvente", "absorventes", "esmalte", "esmaltes", "gilete", "lanche",
        "lanches", "panela", "panelas", "pele negra", "sabonete íntimo",
    }
)  # fmt: skip
"""What the translator words otherwise and people in Portugal say as well."""


@dataclass(frozen=True)
class Brazilian:
    """A wording of Brazil and what Portugal says, "" where that depends."""

    written: str
    european: str = ""


def brazilian(text: str) -> list[Brazilian]:
    """The Brazilian wordings of a text, each once."""
    found = {
        written.casefold(): Brazilian(written, european)
        for written, european in brazilian_words(text)
        if written.casefold() not in USUAL_TOO
    }
    for match in LETTERS.finditer(text):
        opened = match[0].replace("ô", "ó").replace("ê", "é").replace("ü", "u")
        found.setdefault(match[0].casefold(), Brazilian(match[0], opened))
    for pattern in (PRONOUN, POSSESSIVE, OPENING, NOMINATIVE, GERUND):
        for match in pattern.finditer(text):
            if not USUAL.match(match[0]) and not USUAL.match(text, match.start()):
                found.setdefault(match[0].casefold(), Brazilian(match[0]))
    return list(found.values())
