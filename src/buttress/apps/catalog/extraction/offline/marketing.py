"""The marketing half of a product, by rules."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from buttress.apps.catalog.extraction.draft import Draft
from buttress.apps.catalog.extraction.facts import Fact, Facts
from buttress.apps.catalog.extraction.labelled import details_of
from buttress.apps.catalog.extraction.offline.perfume import write_perfume
from buttress.apps.catalog.extraction.offline.translation import (
    Direction,
    Translator,
    translate,
    translate_html,
    translate_title,
)
from buttress.apps.catalog.extraction.offline.writing import (
    FEWEST_CLOSING_WORDS,
    FUNCTION,
    HEADINGS,
    LANGUAGES,
    NOTE_HEADINGS,
    WRITTEN,
    Spoken,
    Told,
    describe,
    details,
)
from buttress.apps.catalog.extraction.result import MACHINE_TRANSLATION, Origin
from buttress.apps.catalog.extraction.wording import bare_title, capitalised, inci, slug
from buttress.apps.catalog.material import Found, Material, Passage, Source, found_in
from buttress.apps.catalog.products import KINDS, ProductType
from buttress.apps.catalog.products.contract import MODEL_NAME

A = "catalogA."
TRANSLATED = 0.5
GUESSED = 0.4
LONGEST_TITLE = 90
MOST_DETAILS = 30


class Marketing:
    """Writes catalogA into a draft; knows brand, title and translator for the other half."""

    def __init__(
        self,
        draft: Draft,
        material: Material,
        facts: Facts,
        product_type: ProductType,
        translator: Translator | None,
    ) -> None:
        self.draft = draft
        self.material = material
        self.facts = facts
        self.product_type = product_type
        self.translator = translator
        self.brand = ""
        self.line = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What is never translated."""
        return tuple(name for name in (self.brand, self.line) if name)

    def write_names(self, rows: Sequence[Facts]) -> None:
        """Brand, line, titles and their slugs."""
        for path, field in (("brand", "brand"), ("brand_category", "brand_category")):
            fact = self.facts.first(field) or next(
                (found for row in rows if (found := row.first(field))), None
            )
            if fact is not None:
                self.draft.put(A + path, fact.text, fact.origin())
        self.brand = self.draft.get(f"{A}brand") or ""
        self.line = self.draft.get(f"{A}brand_category") or ""
        for fact in self._titles(rows):
            spoken = fact.language or "en"
            title = capitalised(bare_title(fact.text, self.brand), spoken, names=self.names)
            guessed = not fact.label
            origin = fact.origin(
                confidence=GUESSED if guessed else None,
                remark="taken from the first line" if guessed else "",
            )
            self.draft.put(f"{A}Title{spoken.upper()}", title, origin)
        self._translate_title()
        for language in ("EN", "PT"):
            title = self.draft.get(f"{A}Title{language}")
            if title:
                made = Origin(how="computed", confidence=0.95, remark="of brand and title")
                self.draft.put(f"{A}Url{language}", slug(self.brand, title), made)
        always = Origin(how="computed", remark="always this")
        self.draft.put(f"{A}ModelName", MODEL_NAME, always)

    def write_texts(self) -> None:
        """Ingredients, descriptions, instructions, and what perfumes tell besides."""
        ingredients = self.facts.first("ingredients")
        if ingredients is not None:
            self.draft.put(f"{A}Ingredients", inci(ingredients.text), ingredients.origin())
        category = self.facts.first("category_id")
        if category is not None and category.text.strip().isdigit() and len(category.text) < 10:
            self.draft.put(f"{A}CategoryId", int(category.text), category.origin())
        self._write_descriptions()
        if self.product_type is ProductType.FRAGRANCE and write_perfume(self):
            self._write_how_to_type()
        else:
            self._write_how_to()

    def translated(self, text: str, direction: Direction) -> tuple[str, Origin] | None:
        """A text in the other language, None without a translator."""
        if self.translator is None or not text:
            return None
        return translate(text, direction, self.translator, names=self.names), _by_machine()

    def title_in(self, title: str, direction: Direction) -> tuple[str, Origin] | None:
        """A title in the other language, None without a translator."""
        if self.translator is None or not title:
            return None
        text = translate_title(title, direction, self.translator, names=self.names)
        return capitalised(text, direction[-2:], names=self.names), _by_machine()

    def _titles(self, rows: Sequence[Facts]) -> list[Fact]:
        told = self.facts.all("title")
        if told:
            return told
        in_rows = [fact for row in rows for fact in row.all("title")][:1]
        if in_rows:
            return in_rows
        guess = self._first_line()
        return [] if guess is None else [guess]

    def _first_line(self) -> Fact | None:
        """The first line of a document that could be a name; nothing is read into a hint."""
        for source in self.material.sources:
            if source.kind in ("hint", "sheet"):
                continue
            passage = _heading(source)
            if passage is not None:
                return Fact("title", passage.text.strip(), _at(source, passage), "en")
        return None

    def _translate_title(self) -> None:
        pairs: tuple[tuple[str, str, Direction], ...] = (
            ("EN", "PT", "en-pt"),
            ("PT", "EN", "pt-en"),
        )
        for have, want, direction in pairs:
            title = self.draft.get(f"{A}Title{have}")
            if title and not self.draft.get(f"{A}Title{want}"):
                translated = self.title_in(title, direction)
                if translated is not None:
                    self.draft.put(f"{A}Title{want}", *translated)

    def _told(self, language: Spoken) -> Told:
        title = self.draft.get(f"{A}Title{language.upper()}") or ""
        other = self.draft.get(f"{A}TitlePT" if language == "en" else f"{A}TitleEN") or ""
        name = " ".join(part for part in (self.brand, title or other) if part)

        def said(field: str) -> Fact | None:
            return self.facts.first(field, language)

        benefits, actives = said("benefits"), said("actives")
        return Told(
            language,
            name,
            description=_text(said("description")) or _text(said("story")),
            catchphrase=_text(said("catchphrase")),
            benefits=benefits.items if benefits else (),
            actives=actives.items if actives else (),
            how_to=_text(said("how_to")),
        )

    def _write_descriptions(self) -> None:
        told = {language: self._told(language) for language in LANGUAGES}
        whole = [language for language in LANGUAGES if told[language] and told[language].name]
        if not whole:
            self.draft.note(
                "the sources describe nothing, so there is no description", f"{A}DescriptionEN"
            )
            return
        richest = max(whole, key=lambda language: _richness(told[language]))
        for language in whole:
            # A stray sentence in the other language is no description of its own.
            if language == richest or 2 * _richness(told[language]) >= _richness(told[richest]):
                self._write_description(told[language])
        self._translate_html("Description", richest)

    def _write_description(self, told: Told) -> None:
        path = f"{A}Description{told.language.upper()}"
        description = describe(told)
        sources = {fact.found.source for fact in self.facts.all("description")}
        origin = Origin(
            how="written",
            source=min(sources) if len(sources) == 1 else "",
            confidence=WRITTEN,
            remark="sentences of the source in the house structure, by a template",
        )
        self.draft.put(path, description.html, origin)
        if description.closing_words < FEWEST_CLOSING_WORDS:
            self.draft.note(
                f"the closing paragraph has {description.closing_words} words: "
                "the source says no more",
                path,
            )

    def _write_how_to(self) -> None:
        for language in LANGUAGES:
            html, fact = self._how_to(language)
            if fact is not None:
                origin = fact.origin()
                if fact.field == "details":
                    origin = origin.model_copy(update={"how": "written", "confidence": WRITTEN})
                self.draft.put(f"{A}HowTo{language.upper()}", html, origin)
        for language in LANGUAGES:
            self._translate_html("HowTo", language)
        self._write_how_to_type()

    def _write_how_to_type(self) -> None:
        if self.draft.get(f"{A}HowToEN") or self.draft.get(f"{A}HowToPT"):
            kind = KINDS[self.product_type].how_to
            origin = Origin(how="computed", confidence=0.9, remark="by the type of product")
            self.draft.put(f"{A}HowtoType", kind, origin)

    def _how_to(self, language: Spoken) -> tuple[str, Fact | None]:
        """The instructions, and the fact they are from."""
        told = self.facts.first("how_to", language)
        if told is None and language == "en" and self.product_type is ProductType.ELECTRONICS:
            return self._details()
        return ("", None) if told is None else (escape(told.text, quote=False), told)

    def _details(self) -> tuple[str, Fact | None]:
        """Technical data under labels that are no field, for a device without instructions."""
        found = [
            (name, text, source, passage)
            for source in self.material.sources
            for name, text, passage in details_of(source)
            if source.kind != "web" or (passage.place.selector or "").startswith("table")
        ][:MOST_DETAILS]
        if not found:
            return "", None
        name, text, source, passage = found[0]
        fact = Fact("details", f"{name}: {text}", found_in(source, passage))
        return details([(name, text) for name, text, *_ in found]), fact

    def _translate_html(self, field: str, language: Spoken) -> None:
        direction: Direction = "en-pt" if language == "en" else "pt-en"
        wanted = f"{A}{field}{'PT' if language == 'en' else 'EN'}"
        html = self.draft.get(f"{A}{field}{language.upper()}")
        if self.translator is None or not html or self.draft.get(wanted):
            return
        title = self.draft.get(f"{A}Title{language.upper()}") or ""
        other = self.draft.get(f"{A}Title{'PT' if language == 'en' else 'EN'}") or title
        if title:  # a name is translated once, and then stays as it is
            html = html.replace(escape(title, quote=False), escape(other, quote=False))
        names = (*self.names, *self._inci_names(), other)
        for mine, theirs in zip(*_headings(language), strict=True):
            html = html.replace(f"<strong>{mine}</strong>", f"<strong>{theirs}</strong>")
            names = (*names, theirs)
        translated = translate_html(html, direction, self.translator, names=names)
        self.draft.put(wanted, translated, _by_machine())

    def _inci_names(self) -> list[str]:
        """Active ingredients that are written as in the INCI list, which is the same everywhere."""
        listed = set((self.draft.get(f"{A}Ingredients") or "").split(", "))
        named = [
            FUNCTION.split(item)[0].strip()
            for fact in self.facts.all("actives")
            for item in fact.items
        ]
        return [name for name in named if name.upper() in listed]


def _headings(language: Spoken) -> tuple[Sequence[str], Sequence[str]]:
    other: Spoken = "pt" if language == "en" else "en"
    mine = (*HEADINGS[language], *NOTE_HEADINGS[language])
    return mine, (*HEADINGS[other], *NOTE_HEADINGS[other])


def _by_machine() -> Origin:
    return Origin(how="translated", confidence=TRANSLATED, remark=MACHINE_TRANSLATION)


def _richness(told: Told) -> int:
    return len(told.description) + sum(map(len, told.benefits)) + sum(map(len, told.actives))


def _text(fact: Fact | None) -> str:
    return "" if fact is None else fact.text


def _heading(source: Source) -> Passage | None:
    for passage in source.passages[:5]:
        text = passage.text.strip()
        letters = sum(character.isalpha() for character in text)
        if (
            not passage.label
            and ":" not in text
            and "\t" not in text
            and (letters >= 3 and len(text) <= LONGEST_TITLE and not text.endswith("."))
        ):
            return passage
    return None


def _at(source: Source, passage: Passage) -> Found:
    return found_in(source, passage)
