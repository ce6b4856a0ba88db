"""Translation: both languages say as much, in the same numbers, lists, parts and names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import Case, Twin
from buttress.apps.catalog.evaluation.names import COINED, WORD
from buttress.apps.catalog.evaluation.quantities import AHEAD, Quantity, quantities
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.evaluation.words import folded, sentences, tokens

SHORTEST, LONGEST = 0.6, 1.75
"""Words of Portuguese for one of English, in texts of more than a few words."""
FEW = 6
NOT = re.compile(
    r"\b(?:not|no|never|neither|nor|without|cannot|nothing|nobody|none)\b", re.IGNORECASE
)
MAYBE_NOT = re.compile(
    r"\b(?:un|in|im|dis)\w{3,}|\w+less\b|free\b|n['’]t\b|\b(?:avoid|keep|stop|hardly|only|until)\b",
    re.IGNORECASE,
)
NAO = re.compile(r"\b(?:não|nunca|jamais)\b", re.IGNORECASE)
NO_PORTUGUESE = re.compile(
    r"\b(?:não|nunca|jamais|nem|sem|nada|ninguém|nenhum\w*|qualquer|livre|evite|deixa de|em vez)\b",
    re.IGNORECASE,
)


@rule("translation")
def both_languages(case: Case) -> Iterator[Fault]:
    """What is told in one language is told in the other."""
    for twin in case.twins:
        if bool(twin.english.strip()) == bool(twin.portuguese.strip()):
            continue
        empty = twin.portuguese_field if twin.english.strip() else twin.english_field
        language = "Portuguese" if twin.english.strip() else "English"
        yield Fault(empty, f"the {language} text is missing", "1.5" if twin.html else "0.75")


@rule("translation")
def same_numbers(case: Case) -> Iterator[Fault]:
    """Both texts have the same numbers with the same units."""
    for twin in _told(case):
        english, portuguese = twin.plain()
        here = list(quantities(english, spelled=True))
        there = list(quantities(portuguese, spelled=True))
        only_english, only_portuguese = _unmatched(here, there)
        if not _differ(only_english, only_portuguese):
            continue
        found = only_portuguese[0].written if only_portuguese else None
        expected = only_english[0].written if only_english else None
        message = f"{_say(only_english)} in English, {_say(only_portuguese)} in Portuguese"
        yield Fault(twin.portuguese_field, message, "1", found, expected)


@rule("translation")
def same_lists_and_tags(case: Case) -> Iterator[Fault]:
    """Both texts have the same parts: paragraphs, quotations and lists of the same length."""
    for twin in _told(case):
        if not twin.html:
            one, other = case.fields[twin.english_field], case.fields[twin.portuguese_field]
            if isinstance(one, list) and len(one) != len(other):
                message = f"{len(one)} entries in English, {len(other)} in Portuguese"
                yield Fault(twin.portuguese_field, message, "0.75", str(len(other)), str(len(one)))
            continue
        english, portuguese = case.markup(twin.english_field), case.markup(twin.portuguese_field)
        if english.lists != portuguese.lists:
            message = f"lists of {_all(english.lists)} in English, of {_all(portuguese.lists)} here"
            found, expected = _all(portuguese.lists), _all(english.lists)
            yield Fault(twin.portuguese_field, message, "0.75", found, expected)
        elif english.tags != portuguese.tags:
            message = "the tags are not those of the English text"
            found, expected = " ".join(portuguese.tags), " ".join(english.tags)
            yield Fault(twin.portuguese_field, message, "0.5", found, expected)


@rule("translation")
def nothing_left_out(case: Case) -> Iterator[Fault]:
    """No part of a text is much shorter or longer than its counterpart."""
    for twin in _told(case):
        for english, portuguese in _parts(case, twin):
            here, there = len(english.split()), len(portuguese.split())
            if _alike(here, there):
                continue
            message = f"{here} words in English, {there} in Portuguese"
            yield Fault(twin.portuguese_field, message, "0.75", portuguese, english)
            break


@rule("translation")
def negations_are_kept(case: Case) -> Iterator[Fault]:
    """What is denied in one language is not affirmed in the other, sentence by sentence."""
    for twin in _told(case):
        for english, portuguese in _sentence_pairs(case, twin):
            denied, affirmed = NOT.search(english), not NO_PORTUGUESE.search(portuguese)
            if denied and affirmed:
                message = f"{denied[0]!r} of the English sentence has no counterpart"
                yield Fault(twin.portuguese_field, message, "0.75", portuguese, english)
                break
            if not denied and not MAYBE_NOT.search(english) and NAO.search(portuguese):
                message = "the Portuguese sentence denies what the English one says"
                yield Fault(twin.portuguese_field, message, "0.75", portuguese, english)
                break


@rule("translation")
def names_are_kept(case: Case) -> Iterator[Fault]:
    """The brand and coined names stand in the Portuguese text as in the English one."""
    brand = case.product.catalog_a.brand
    for twin in _told(case):
        if ".Url" in twin.english_field:
            continue
        english, portuguese = twin.plain()
        missing = [
            name
            for name in dict.fromkeys(WORD.findall(english))
            if COINED.search(name)
            and not any(sign.isdigit() for sign in name[:1])
            and folded(name) not in AHEAD
            and "".join(tokens(name)) not in "".join(tokens(portuguese))
        ]
        if brand and _names(english, brand) and not _names(portuguese, brand):
            missing.insert(0, brand)
        for name in missing[:2]:
            message = f"{name!r} of the English text is not in the Portuguese one"
            yield Fault(twin.portuguese_field, message, "0.75", None, name)


def _told(case: Case) -> Iterator[Twin]:
    """The texts that are filled in both languages."""
    return (one for one in case.twins if one.english.strip() and one.portuguese.strip())


def _parts(case: Case, twin: Twin) -> list[tuple[str, str]]:
    if not twin.html:
        return [(twin.english, twin.portuguese)]
    english, portuguese = case.markup(twin.english_field), case.markup(twin.portuguese_field)
    if len(english.blocks) != len(portuguese.blocks):
        return [(english.text, portuguese.text)]
    return [(a.text, b.text) for a, b in zip(english.blocks, portuguese.blocks, strict=True)]


def _sentence_pairs(case: Case, twin: Twin) -> Iterator[tuple[str, str]]:
    """Sentences that stand for each other, of parts that have as many in both languages."""
    for english, portuguese in _parts(case, twin):
        here, there = sentences(english), sentences(portuguese)
        if len(here) == len(there):
            yield from zip(here, there, strict=True)


def _unmatched(
    here: list[Quantity], there: list[Quantity]
) -> tuple[list[Quantity], list[Quantity]]:
    """What has no counterpart on either side; exact units are matched before unknown ones."""
    left, right = list(here), list(there)
    for strict in (True, False):
        for one in list(left):
            match = next(
                (o for o in right if one.same(o) and (not strict or one.unit == o.unit)), None
            )
            if match is not None:
                left.remove(one)
                right.remove(match)
    return left, right


def _differ(here: list[Quantity], there: list[Quantity]) -> bool:
    """Whether numbers differ; one that is spelled out may be said otherwise ("both", "duas")."""
    return bool(here and there) or any(one.written[0].isdigit() for one in (*here, *there))


def _names(text: str, brand: str) -> bool:
    return " ".join(tokens(brand)) in " ".join(tokens(text))


def _say(found: list[Quantity]) -> str:
    return ", ".join(f"{one.written} {one.unit}".strip() for one in found[:3]) or "nothing"


def _alike(here: int, there: int) -> bool:
    """Whether so many words can say the same; a few words can be said in many ways."""
    if min(here, there) < FEW:
        return max(here, there) < 3 * FEW
    return SHORTEST <= there / here <= LONGEST


def _all(lengths: list[int]) -> str:
    return " and ".join(map(str, lengths)) or "none"
