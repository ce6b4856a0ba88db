"""The logistics half of a product, by rules: a variant for each row that tells of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from buttress.apps.catalog.extraction.draft import Draft
from buttress.apps.catalog.extraction.facts import Facts
from buttress.apps.catalog.extraction.measures import read_mass
from buttress.apps.catalog.extraction.offline.customs import propose
from buttress.apps.catalog.extraction.offline.variants import DOUBTFUL, VariantDraft, read_price
from buttress.apps.catalog.extraction.result import Origin
from buttress.apps.catalog.material import Material
from buttress.apps.catalog.products import HS_CODES, UNITS, ProductType

if TYPE_CHECKING:
    from buttress.apps.catalog.extraction.offline.marketing import Marketing

B = "catalogB.Subtypes."
A = "catalogA."


def write_logistics(
    draft: Draft,
    material: Material,
    facts: Facts,
    rows: Sequence[Facts],
    product_type: ProductType,
    marketing: Marketing,
) -> None:
    """A variant for each row, and what all share in each; one variant where there are no rows."""
    for number, row in enumerate(rows or [facts]):
        variant = VariantDraft(draft, number, row, facts)
        variant.write(marketing)
        _write_customs(variant, material, product_type, marketing)
    if len(rows) > 1:
        _name_sizes(draft, len(rows))
    if not rows:
        _tell_contradictions(draft, facts)


def _write_customs(
    variant: VariantDraft, material: Material, product_type: ProductType, marketing: Marketing
) -> None:
    told = variant.fact("hs_code")
    if told is not None:
        digits = re.sub(r"\D", "", told.text)[:8]
        if digits in HS_CODES:
            variant.put("HSCode", digits, told.origin())
            return
        variant.note(f"{told.text[:20]!r} is not on the list of customs codes", "HSCode")
    name = " ".join(
        str(value)
        for value in (
            variant.get("ItemDescriptionEN"),
            variant.get("ItemDescriptionPT"),
            marketing.draft.get(f"{A}TitleEN"),
        )
        if value
    )
    proposal = propose(product_type, name, material.text)
    if proposal is None:
        variant.note("no customs code fits the words of the sources", "HSCode")
        return
    remark = f"{proposal.code.description}; proposed for: {', '.join(proposal.words[:3])}"
    origin = Origin(how="computed", confidence=proposal.confidence, remark=remark)
    variant.put("HSCode", proposal.code.code, origin)


def _name_sizes(draft: Draft, count: int) -> None:
    """Rows that differ in size alone are variants by size."""
    sizes = [draft.get(f"{B}{number}.ItemCapacity") for number in range(count)]
    if len({size for size in sizes if size is not None}) < 2:
        return
    for number, size in enumerate(sizes):
        path = f"{B}{number}."
        if size is None or draft.get(f"{path}VariantValue"):
            continue
        unit = UNITS.get(draft.get(f"{path}ItemCapacityUnits") or 0)
        origin = draft.origins[f"{path}ItemCapacity"]
        made = Origin(how="computed", source=origin.source, place=origin.place, text=origin.text)
        draft.put(f"{path}VariantType", "size", made)
        draft.put(f"{path}VariantValue", f"{size} {unit.name}" if unit else str(size), made)


SINGLE: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    ("ean", "EAN", lambda text: re.sub(r"\D", "", text)),
    ("weight", "Weight", lambda text: (read := read_mass(text)) and read.value),
    ("price_sale", "priceSale", lambda text: (read := read_price(text)) and read[0]),
    ("supplier_price", "supplierPrice", lambda text: (read := read_price(text)) and read[0]),
)
"""What a product has one of: two different ones are a contradiction."""


def _tell_contradictions(draft: Draft, facts: Facts) -> None:
    for field, name, read in SINGLE:
        told = [fact for fact in facts.all(field) if read(fact.text)]
        values = list(dict.fromkeys(fact.text for fact in told))
        if len({read(fact.text) for fact in told}) > 1:
            path = f"{B}0.{name}"
            draft.note(f"the sources do not agree: {'; '.join(values[:3])}", path)
            if path in draft.origins:
                draft.origins[path] = draft.origins[path].model_copy(
                    update={"confidence": DOUBTFUL, "remark": "the sources do not agree"}
                )
