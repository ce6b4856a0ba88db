"""Descriptions in the house structure, of nothing but what sources say.

<p><strong>Brand Product</strong> …</p>
<blockquote>…</blockquote>
<p><strong>Key Benefits:</strong></p><ul><li>…</li></ul>
<p><strong>Active Ingredients:</strong></p><ul><li><strong>…</strong>: …</li></ul>
<p><strong>Brand Product</strong> … 100 to 120 words</p>
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from buttress.apps.catalog.extraction.wording import SIZE, sentences, word_count

MOST_CLOSING_WORDS = 120
FEWEST_CLOSING_WORDS = 100
IN_THE_OPENING = 2
MOST_ITEMS = 12
FEWEST_WORDS = 4
"""Of a sentence that is quoted."""

HEADINGS = {
    "en": ("Key Benefits:", "Active Ingredients:"),
    "pt": ("Principais Benefícios:", "Ingredientes Ativos:"),
}
NOTE_HEADINGS = {
    "en": ("Top Notes:", "Heart Notes:", "Base Notes:", "Application:"),
    "pt": ("Notas de Topo:", "Notas de Coração:", "Notas de Base:", "Aplicação:"),
}
WITH = {"en": "Its key ingredients are", "pt": "Os seus principais ingredientes são"}
AND = {"en": "and", "pt": "e"}
FUNCTION = re.compile(r"\s?[:–—]\s?|\s-\s")
FORBIDDEN = re.compile(r"\b(?:revolutionary|must-have|revolucionári[oa]s?)\b\s?", re.IGNORECASE)

Spoken = Literal["en", "pt"]
LANGUAGES: tuple[Spoken, Spoken] = ("en", "pt")
WRITTEN = 0.6
"""How sure what a template wrote is."""


@dataclass(frozen=True)
class Told:
    """What sources tell about a product in one language."""

    language: Spoken
    name: str
    """Brand and title."""
    description: str = ""
    catchphrase: str = ""
    benefits: tuple[str, ...] = ()
    actives: tuple[str, ...] = ()
    how_to: str = ""

    def __bool__(self) -> bool:
        return bool(self.description or self.benefits or self.actives)


@dataclass(frozen=True)
class Description:
    """The HTML, and how many words its closing paragraph has (0 when there is none)."""

    html: str
    closing_words: int


def describe(told: Told) -> Description:
    """A description, without the parts that nothing is told for."""
    said = [_clean(sentence) for sentence in sentences(told.description)]
    said = [sentence for sentence in said if sentence]
    opening, rest = said[:IN_THE_OPENING], said[IN_THE_OPENING:]
    catchphrase = _clean(told.catchphrase)
    if not catchphrase and told.benefits:
        catchphrase = _clean(told.benefits[0])
    if not catchphrase and len(said) > 1:
        catchphrase = min(said, key=_unquotable)
    parts = []
    if opening:
        parts.append(f"<p>{_about(told.name, opening)}</p>")
    elif told.benefits:
        parts.append(f"<p>{_about(told.name, [_sentence(_clean(told.benefits[0]))])}</p>")
    if catchphrase:
        parts.append(f"<blockquote>{escape(catchphrase, quote=False)}</blockquote>")
    benefits_heading, actives_heading = HEADINGS[told.language]
    if told.benefits:
        parts.append(_list(benefits_heading, [_item(_clean(one)) for one in told.benefits]))
    if told.actives:
        parts.append(_list(actives_heading, [_active(_clean(one)) for one in told.actives]))
    closing = _closing(told, rest)
    if closing:
        parts.append(f"<p>{closing}</p>")
    return Description("\n".join(parts), word_count(closing))


def details(entries: Sequence[tuple[str, str]]) -> str:
    """Technical data as a list."""
    items = (
        f"<li><strong>{escape(name, quote=False)}</strong>: {escape(text, quote=False)}</li>"
        for name, text in entries
    )
    return f"<ul>{''.join(items)}</ul>"


def olfactory(language: Spoken, notes: Sequence[Sequence[str]], application: str) -> str:
    """The notes of a perfume, top to base, and how it is applied."""
    values = [*(", ".join(one) for one in notes), application]
    return "\n".join(
        f"<p><strong>{heading}</strong> {escape(value, quote=False)}</p>"
        for heading, value in zip(NOTE_HEADINGS[language], values, strict=True)
        if value
    )


def _unquotable(sentence: str) -> tuple[bool, int]:
    return word_count(sentence) < FEWEST_WORDS, len(sentence)


def _closing(told: Told, rest: Sequence[str]) -> str:
    candidates = list(rest)
    names = [FUNCTION.split(one)[0] for one in told.actives]
    if names:
        *first, last = names
        enumerated = f"{', '.join(first)} {AND[told.language]} {last}" if first else last
        candidates.append(_sentence(f"{WITH[told.language]} {enumerated}"))
    candidates += [_clean(sentence) for sentence in sentences(told.how_to)]
    candidates += [_sentence(_clean(one)) for one in told.benefits[1:]]
    chosen: list[str] = []
    words = word_count(told.name)
    for sentence in candidates:
        count = word_count(sentence)
        if sentence and words + count <= MOST_CLOSING_WORDS:
            chosen.append(sentence)
            words += count
        if words >= FEWEST_CLOSING_WORDS:
            break
    return _about(told.name, chosen) if chosen else ""


def _about(name: str, said: Sequence[str]) -> str:
    """Sentences about a product, its name first and strong."""
    first, *others = said
    beginning = next(
        (one for one in _names(name) if first.casefold().startswith(f"{one.casefold()} ")), ""
    )
    strong = f"<strong>{escape(name, quote=False)}</strong>"
    if beginning:
        first = first[len(beginning) :].lstrip()
        begun = f"{strong} {escape(first, quote=False)}"
    else:
        begun = f"{strong}: {escape(first, quote=False)}"
    return " ".join([begun, *(escape(one, quote=False) for one in others)])


def _names(name: str) -> list[str]:
    """The name, and the ends of it: a text may leave out the brand."""
    words = name.split()
    return [" ".join(words[start:]) for start in range(len(words) - 1)]


def _clean(text: str) -> str:
    """Without sizes, which have fields of their own, and without words the house forbids."""
    plain = FORBIDDEN.sub("", text)
    if SIZE.search(plain) and len(plain.split()) <= 4:
        plain = SIZE.sub("", plain)
    return " ".join(plain.split()).strip()


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?…" else f"{text}."


def _item(text: str) -> str:
    return escape(text.rstrip("."), quote=False)


def _active(text: str) -> str:
    name, *function = FUNCTION.split(text, maxsplit=1)
    strong = f"<strong>{escape(name, quote=False)}</strong>"
    return f"{strong}: {escape(function[0].rstrip('.'), quote=False)}" if function else strong


def _list(heading: str, items: Sequence[str]) -> str:
    entries = "".join(f"<li>{item}</li>" for item in items[:MOST_ITEMS] if item)
    return f"<p><strong>{heading}</strong></p>\n<ul>{entries}</ul>"
