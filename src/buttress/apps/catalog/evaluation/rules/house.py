"""The house's ways of writing: lengths, words it does not use, slugs, capitals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.quantities import quantities
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.evaluation.words import tokens, words

ENGLISH_WORDS = (100, 120)
# Portuguese says the same with up to a fifth more words.
PORTUGUESE_WORDS = (90, 145)
FORBIDDEN = re.compile(
    r"\brevolutionary\b|\bmust[\s-]?haves?\b|\brevolucion[áa]ri[oa]s?\b", re.IGNORECASE
)
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
STORIES = ("Story", "Composition")
SIZES = frozenset({"ml", "g", "capsule", "tablet", "gummy"})


@rule("structure")
def length_of_closing_paragraph(case: Case) -> Iterator[Fault]:
    """The last paragraph of a description has 100 to 120 words."""
    for field in ("catalogA.DescriptionEN", "catalogA.DescriptionPT"):
        paragraphs = case.markup(field).of("p")
        if len(paragraphs) >= 2:
            yield from _length(field, "the closing paragraph", paragraphs[-1].text)


@rule("structure")
def length_of_perfume_texts(case: Case) -> Iterator[Fault]:
    """Story and composition of a perfume have 100 to 120 words."""
    if case.product.catalog_a.fragrance is None:
        return
    for name in STORIES:
        for language in ("EN", "PT"):
            field = f"catalogA.Fragrance.{name}{language}"
            if case.text(field):
                yield from _length(field, f"the {name.lower()}", case.plain(field))


@rule("structure")
def words_the_house_does_not_use(case: Case) -> Iterator[Fault]:
    """Nothing is revolutionary, nothing a must-have."""
    for field in case.texts:
        for found in FORBIDDEN.finditer(case.plain(field)):
            yield Fault(field, f"the house does not say {found[0]!r}", "0.5", found[0])


@rule("structure")
def slugs(case: Case) -> Iterator[Fault]:
    """Slugs are lower-case words joined by hyphens and begin with the brand."""
    brand = "-".join(tokens(case.product.catalog_a.brand))
    for field, title in (("UrlEN", "TitleEN"), ("UrlPT", "TitlePT")):
        path = f"catalogA.{field}"
        slug = case.text(path)
        if not slug:
            continue
        if not SLUG.fullmatch(slug):
            yield Fault(path, "a slug has lower-case letters, digits and hyphens", "0.5", slug)
            continue
        if brand and brand not in slug:
            yield Fault(path, f"the slug lacks the brand {brand!r}", "0.5", slug)
        wanted = tokens(case.text(f"catalogA.{title}"))
        missing = [word for word in wanted if len(word) > 3 and word not in slug]
        if len(missing) > len(wanted) / 2:
            yield Fault(path, f"the slug is of another name than {title}", "0.5", slug)


@rule("structure")
def titles_without_brand_and_size(case: Case) -> Iterator[Fault]:
    """A title is a name: neither brand nor size nor a whole sentence."""
    brand = tokens(case.product.catalog_a.brand)
    for field in ("catalogA.TitleEN", "catalogA.TitlePT"):
        title = case.text(field)
        found = tokens(title)
        if brand and any(found[at : at + len(brand)] == brand for at in range(len(found))):
            yield Fault(field, "the title names the brand", "0.25", title)
        if any(one.unit in SIZES for one in quantities(title)):
            yield Fault(field, "the title names the size", "0.25", title)
        if title and title[0].islower():
            yield Fault(field, "the title begins with a small letter", "0.25", title)


@rule("structure")
def ingredients_in_capitals(case: Case) -> Iterator[Fault]:
    """INCI names are in capitals, separated by a comma and a space, each once."""
    field = "catalogA.Ingredients"
    text = case.text(field)
    if text != text.upper():
        small = next(word for word in words(text) if word != word.upper())
        yield Fault(field, f"{small!r} is not in capitals", "0.5", small, small.upper())
    if re.search(r"[^\s\d],(?!\s)[^\s\d]|;|\n", text):
        yield Fault(field, "ingredients are separated by a comma and a space", "0.25")
    often = Counter(one.strip().upper() for one in text.split(", ") if one.strip())
    for name, times in often.items():
        if times > 1:
            yield Fault(field, f"{name} stands {times} times in the list", "0.25", name)


def _length(field: str, what: str, text: str) -> Iterator[Fault]:
    least, most = ENGLISH_WORDS if field.endswith("EN") else PORTUGUESE_WORDS
    count = len(text.split())
    if not least <= count <= most:
        expected = f"{least} to {most} words"
        yield Fault(field, f"{what} has {count} words", "0.5", f"{count} words", expected)
