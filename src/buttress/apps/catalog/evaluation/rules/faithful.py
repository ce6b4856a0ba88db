"""Content: what texts claim in numbers and names stands in the source, as do all ingredients."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.names import names_of, strange_words
from buttress.apps.catalog.evaluation.quantities import quantities
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.evaluation.words import tokens

MOST = 4
"""Faults of one kind in one field; more of them say nothing new."""
LABEL = re.compile(r"^[^:,\t]{1,40}[:\t]")
"""What a source writes before its list."""
SEPARATOR = re.compile(r",(?![^()]*\))(?!\d)|;")


@rule("content")
def numbers_in_source(case: Case) -> Iterator[Fault]:
    """Every number of the texts is in the source, with its unit."""
    for field in case.texts:
        said = 0
        for one in quantities(case.plain(field)):
            if case.source_quantities.has(one):
                continue
            said += 1
            written = f"{one.written} {one.unit}".strip()
            message = f"{written} is nowhere in the sources"
            yield Fault(field, message, "1" if said == 1 else "0.5", written)
            if said == MOST:
                break


@rule("content")
def names_in_source(case: Case) -> Iterator[Fault]:
    """Proper names and coined words of the texts are in the source."""
    known = _known_names(case)
    for field in case.texts:
        if field.startswith("catalogB") or ".Title" in field:
            continue
        other = case.plain(f"{field[:-2]}{'PT' if field.endswith('EN') else 'EN'}")
        allowed = known | (frozenset(tokens(other)) if field.endswith("PT") else frozenset())
        found = names_of(case.plain(field), twin=other)
        strange = [name for name in found if not _is_known(case, name, allowed)]
        for name in strange[:MOST]:
            yield Fault(field, f"{name!r} is nowhere in the sources", "1", name)


@rule("content")
def titles_in_source(case: Case) -> Iterator[Fault]:
    """Brand and title are those of the source; a translated title is that of its description."""
    brand = case.product.catalog_a.brand
    if brand and not case.in_source(brand):
        yield Fault(
            "catalogA.brand", f"the brand {brand!r} is nowhere in the sources", "1.5", brand
        )
    pairs = [
        ("catalogA.TitleEN", "catalogA.DescriptionEN"),
        ("catalogA.TitlePT", "catalogA.DescriptionPT"),
    ]
    pairs += [(f"{path}ItemDescriptionEN", "catalogA.TitleEN") for path, _ in case.variants]
    pairs += [(f"{path}ItemDescriptionPT", "catalogA.TitlePT") for path, _ in case.variants]
    for field, told in pairs:
        elsewhere = frozenset(tokens(case.plain(told)))
        if field.endswith("EN"):
            elsewhere = elsewhere if field.startswith("catalogB") else frozenset()
            if not case.source_is_english:
                continue
        elif not elsewhere:
            continue
        strange = strange_words(case.text(field), case.source_words | elsewhere)
        if strange:
            where = "the sources" if field.endswith("EN") else "the sources or the description"
            yield Fault(field, f"{strange[0]!r} is nowhere in {where}", "1", strange[0])


@rule("content")
def ingredients_in_source(case: Case) -> Iterator[Fault]:
    """Every ingredient stands in the source."""
    field = "catalogA.Ingredients"
    missing = [one for one in _listed(case.text(field)) if not _named(case, one)]
    for name in missing[:MOST]:
        yield Fault(field, f"the ingredient {name} is nowhere in the sources", "1.5", name)


@rule("content")
def ingredients_complete(case: Case) -> Iterator[Fault]:
    """No ingredient of the list that was read is left out: people are allergic to them."""
    field = "catalogA.Ingredients"
    origin = case.origins.get(field)
    if origin is None or origin.how != "read" or not case.text(field):
        return
    here = "".join(tokens(case.text(field)))
    listed = _listed(LABEL.sub("", origin.text))
    missing = [one for one in listed if "".join(tokens(one)) not in here]
    if len(listed) > 1 and missing:
        message = f"{len(missing)} of {len(listed)} ingredients are left out: {missing[0]}"
        yield Fault(field, message, "1", None, ", ".join(missing[:MOST]))


@rule("content")
def active_ingredients_in_source(case: Case) -> Iterator[Fault]:
    """What the second list of a description names in bold stands in the source."""
    field = "catalogA.DescriptionEN"
    if not case.source_is_english or len(case.markup(field).lists) < 2:
        return
    first = case.markup(field).lists[0]
    for item in case.markup(field).of("li")[first:]:
        for name in item.strong:
            strange = [word for word in tokens(name) if len(word) > 3 and not _word(case, word)]
            if strange:
                yield Fault(
                    field, f"the active ingredient {name!r} is nowhere in the sources", "1", name
                )


@rule("content")
def notes_in_source(case: Case) -> Iterator[Fault]:
    """The notes of a perfume and what else is told of it are read."""
    fragrance = case.product.catalog_a.fragrance
    if fragrance is None or not case.source_is_english:
        return
    told = {
        "TopNotes": fragrance.top_notes,
        "HeartNotes": fragrance.heart_notes,
        "BaseNotes": fragrance.base_notes,
        "Concentration": (fragrance.concentration,),
        "ScentFamily": (fragrance.scent_family,),
    }
    for name, values in told.items():
        for value in values:
            if value and not all(_word(case, word) for word in tokens(value)):
                path = f"catalogA.Fragrance.{name}"
                yield Fault(path, f"{value!r} is nowhere in the sources", "1", value)


def _listed(text: str) -> list[str]:
    return [one.strip(" .\n") for one in SEPARATOR.split(text) if one.strip(" .\n")]


def _named(case: Case, ingredient: str) -> bool:
    """Whether a name stands in the source, or each of the names that it gives in brackets does."""
    parts = [part for part in re.split(r"[()/\[\]]", ingredient) if part.strip()]
    return _stands(case, ingredient) or (
        len(parts) > 1 and all(_stands(case, one) for one in parts)
    )


def _stands(case: Case, name: str) -> bool:
    # A short name found within a longer word would prove nothing.
    whole = "".join(tokens(name))
    return case.material.find(name) is not None or (len(whole) >= 10 and case.in_source(name))


def _word(case: Case, word: str) -> bool:
    said = case.source_words
    return word in said or word.removesuffix("s") in said or f"{word}s" in said


def _known_names(case: Case) -> frozenset[str]:
    a = case.product.catalog_a
    own = [a.brand, a.title_en, a.title_pt, a.brand_category]
    own += [f"{one.item_description_en} {one.item_description_pt}" for _, one in case.variants]
    own += [f"{one.variant_value} {one.second_variant}" for _, one in case.variants]
    return frozenset(word for text in own for word in tokens(text))


def _is_known(case: Case, name: str, allowed: frozenset[str]) -> bool:
    return all(word in allowed or _word(case, word) for word in tokens(name)) or case.in_source(
        name
    )
