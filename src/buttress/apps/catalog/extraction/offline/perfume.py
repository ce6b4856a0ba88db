"""What perfumes tell besides: notes, story, composition, and their olfactory instructions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buttress.apps.catalog.extraction.offline.scents import notes_in
from buttress.apps.catalog.extraction.offline.translation import Direction
from buttress.apps.catalog.extraction.offline.writing import LANGUAGES, WRITTEN, Spoken, olfactory
from buttress.apps.catalog.extraction.wording import sentences

if TYPE_CHECKING:
    from buttress.apps.catalog.extraction.offline.marketing import Marketing

A = "catalogA."
NOTES = ("top_notes", "heart_notes", "base_notes")
NOTE_FIELDS = ("TopNotes", "HeartNotes", "BaseNotes")
PAIRS: tuple[tuple[str, str, Direction], ...] = (("EN", "PT", "en-pt"), ("PT", "EN", "pt-en"))
PLAIN_FRAGRANCE = (
    ("concentration", "Concentration"),
    ("scent_family", "ScentFamily"),
    ("gender", "Gender"),
)


def write_perfume(marketing: Marketing) -> bool:
    """Write what perfumes tell; says whether the instructions are written with it."""
    _write_fragrance(marketing)
    if not any(_words(marketing, field) for field in NOTES):
        return False
    _write_olfactory(marketing)
    return True


def _write_fragrance(marketing: Marketing) -> None:
    begin = f"{A}Fragrance."
    for field, name in PLAIN_FRAGRANCE:
        fact = marketing.facts.first(field)
        if fact is not None:
            marketing.draft.put(begin + name, fact.text, fact.origin())
    for field, name in zip(NOTES, NOTE_FIELDS, strict=True):
        fact = marketing.facts.first(field)
        if fact is not None:
            marketing.draft.put(begin + name, _words(marketing, field), fact.origin())
    for field, name in (("story", "Story"), ("composition", "Composition")):
        _write_both(marketing, begin + name, field)
    for language in LANGUAGES:
        benefits = marketing.facts.first("benefits", language)
        if benefits is not None:
            path = f"{begin}Features{language.upper()}"
            marketing.draft.put(path, benefits.items, benefits.origin())
    _complete_features(marketing, f"{begin}Features")
    if not any(f"{begin}Story{one}" in marketing.draft.values for one in ("EN", "PT")):
        _story_of_description(marketing, begin)


def _write_olfactory(marketing: Marketing) -> None:
    """The notes of a perfume, by the list of notes, and how it is applied."""
    first = next(fact for field in NOTES if (fact := marketing.facts.first(field)))
    for language in LANGUAGES:
        told = marketing.facts.first("how_to", language)
        text, origin = told.text if told else "", (told or first).origin(confidence=WRITTEN)
        other = marketing.facts.first("how_to")
        if told is None and other is not None:
            direction: Direction = "en-pt" if language == "pt" else "pt-en"
            text, origin = marketing.translated(other.text, direction) or ("", origin)
        if origin.how == "read":
            origin = origin.model_copy(update={"how": "written"})
        notes = [_notes(marketing, field, language) for field in NOTES]
        html = olfactory(language, notes, text)
        marketing.draft.put(f"{A}HowTo{language.upper()}", html, origin)


def _notes(marketing: Marketing, field: str, language: Spoken) -> list[str]:
    """The notes of a perfume in a language, those of the list of notes; others as they are."""
    words = notes_in(language)
    return [words.get(note.casefold(), note) for note in _words(marketing, field)]


def _story_of_description(marketing: Marketing, begin: str) -> None:
    fact = marketing.facts.first("description")
    if fact is None or len(sentences(fact.text)) <= 2:
        return
    spoken: Spoken = "pt" if fact.language == "pt" else "en"
    marketing.draft.put(f"{begin}Story{spoken.upper()}", fact.text, fact.origin(confidence=WRITTEN))
    _complete(marketing, f"{begin}Story")


def _write_both(marketing: Marketing, path: str, field: str) -> None:
    for language in LANGUAGES:
        fact = marketing.facts.first(field, language)
        if fact is not None:
            marketing.draft.put(path + language.upper(), fact.text, fact.origin())
    _complete(marketing, path)


def _complete(marketing: Marketing, path: str) -> None:
    """Translate the text of a pair of fields that is missing."""
    for have, want, direction in PAIRS:
        if (text := marketing.draft.get(path + have)) and not marketing.draft.get(path + want):
            translated = marketing.translated(text, direction)
            if translated is not None:
                marketing.draft.put(path + want, *translated)


def _complete_features(marketing: Marketing, path: str) -> None:
    for have, want, direction in PAIRS:
        items = marketing.draft.get(path + have)
        if items and not marketing.draft.get(path + want):
            found = [marketing.translated(item, direction) for item in items]
            told = [one for one in found if one is not None]
            if told:
                marketing.draft.put(path + want, [text for text, _ in told], told[0][1])


def _words(marketing: Marketing, field: str) -> tuple[str, ...]:
    fact = marketing.facts.first(field)
    if fact is None:
        return ()
    parts = re.split(r"\s*[,;•|/]\s*|\s+(?:and|e|&)\s+", fact.text.rstrip("."))
    return tuple(part.strip() for part in parts if part.strip())
