"""The product under evaluation, with what rules ask of it computed once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from buttress.apps.catalog.evaluation.markup import Markup, read_markup
from buttress.apps.catalog.evaluation.quantities import Quantities, quantities_in
from buttress.apps.catalog.evaluation.words import folded, language_share, tokens
from buttress.apps.catalog.extraction import Origin
from buttress.apps.catalog.material import Material
from buttress.apps.catalog.products import KINDS, Kind, Product, ProductType, Variant, leaves

TRACE = 0.02
"""The share of English small words in a material that is English with labels in Portuguese."""
HTML = ("DescriptionEN", "DescriptionPT", "HowToEN", "HowToPT")


@dataclass(frozen=True)
class Twin:
    """A text in both languages."""

    english_field: str
    portuguese_field: str
    english: str
    portuguese: str
    html: bool

    def plain(self) -> tuple[str, str]:
        """Both without markup."""
        if not self.html:
            return self.english, self.portuguese
        return read_markup(self.english).text, read_markup(self.portuguese).text


@dataclass(frozen=True)
class Case:
    """A product, its type, what it was made from and where each value is said to come from."""

    product: Product
    product_type: ProductType
    material: Material
    origins: Mapping[str, Origin]

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Every field's JSON value by path."""
        return dict(leaves(self.product))

    @property
    def kind(self) -> Kind:
        return KINDS[self.product_type]

    @property
    def variants(self) -> Iterator[tuple[str, Variant]]:
        """Each variant with the beginning of its fields' paths."""
        for place, variant in enumerate(self.product.catalog_b.variants):
            yield f"catalogB.Subtypes.{place}.", variant

    def text(self, field: str) -> str:
        """The value of a field as text, "" where there is none."""
        value = self.fields.get(field)
        if isinstance(value, list):
            return "\n".join(map(str, value))
        return "" if value is None else str(value)

    def plain(self, field: str) -> str:
        """The value of a field without markup."""
        return self.markup(field).text if field.endswith(HTML) else self.text(field)

    def markup(self, field: str) -> Markup:
        """The HTML of a field, read."""
        if field not in self._markups:
            self._markups[field] = read_markup(self.text(field))
        return self._markups[field]

    @cached_property
    def _markups(self) -> dict[str, Markup]:
        return {}

    @cached_property
    def twins(self) -> list[Twin]:
        """The texts that have both an English and a Portuguese field, filled or not."""
        found = []
        for field in self.fields:
            if not field.endswith("EN"):
                continue
            other = f"{field[:-2]}PT"
            if other in self.fields:
                html = field.endswith(HTML)
                found.append(Twin(field, other, self.text(field), self.text(other), html))
        return found

    @cached_property
    def texts(self) -> list[str]:
        """Paths of the texts that people read, slugs left out."""
        return [
            field
            for twin in self.twins
            if ".Url" not in twin.english_field
            for field in (twin.english_field, twin.portuguese_field)
        ]

    @cached_property
    def source_words(self) -> frozenset[str]:
        """The words of the material, without case and accents."""
        return frozenset(tokens(self.material.text))

    @cached_property
    def source_squashed(self) -> str:
        """The letters and digits of the material, nothing between them."""
        return "".join(tokens(self.material.text))

    @cached_property
    def source_quantities(self) -> Quantities:
        """What the material says in numbers; the unit of a bare number is that of its label."""
        passages = (
            (f"{one.label}: {one.text}" if one.label else one.text, one.label)
            for source in self.material.sources
            for one in source.passages
        )
        return quantities_in(passages)

    @cached_property
    def source_is_english(self) -> bool:
        """Whether the material is at least partly English, so that English names are in it."""
        english, portuguese = language_share(self.material.text)
        return english >= portuguese or english > TRACE

    def in_source(self, text: str) -> bool:
        """Whether a text stands in the material, case, accents and punctuation aside."""
        squashed = "".join(tokens(text))
        return bool(squashed) and squashed in self.source_squashed

    def read(self, field: str) -> bool:
        """Whether a field's value must be in the material: it was not computed or translated."""
        origin = self.origins.get(field)
        return origin is None or origin.how in ("read", "written")

    def names(self) -> frozenset[str]:
        """Words that are kept in every language: brand and model, folded."""
        return frozenset(folded(word) for word in tokens(self.product.catalog_a.brand))
