"""Structure: what a product of its type must have, and codes that are on their lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.products import HOW_TO_TYPES, HS_CODES, PACK_TYPES, UNITS
from buttress.apps.catalog.products.contract import MODEL_NAME

PLACEHOLDERS = re.compile(
    r"(?i:lorem ipsum|\bas an ai\b|\bxxx+\b)|\bTBD\b|\bTODO\b|\bN/A\b|\[[A-Za-z ]{3,30}\]|\{\w+\}"
)
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
CNP = re.compile(r"\d{7}")


@rule("structure")
def required_fields(case: Case) -> Iterator[Fault]:
    """Everything that a product of the type has is filled."""
    for name in case.kind.required:
        if name.startswith("catalogA."):
            paths = [name]
        else:
            paths = [f"{path}{name}" for path, _ in case.variants]
        for path in paths:
            if not case.text(path).strip():
                yield Fault(path, f"{path.rpartition('.')[2]} is empty", "0.5")


@rule("structure")
def at_least_one_variant(case: Case) -> Iterator[Fault]:
    """There is something that can be ordered."""
    if not case.product.catalog_b.variants:
        yield Fault("catalogB.Subtypes", "there is no variant", "1.5")


@rule("structure")
def variants_are_told_apart(case: Case) -> Iterator[Fault]:
    """No two variants are the same thing."""
    seen = set()
    for path, one in case.variants:
        key = (
            one.variant_value,
            one.second_variant,
            one.item_capacity,
            one.item_capacity_units,
            one.pack_type,
        )
        if key in seen:
            yield Fault(
                f"{path}VariantValue",
                "another variant has the same value",
                "0.5",
                one.variant_value,
            )
        seen.add(key)


@rule("structure")
def codes_of_the_lists(case: Case) -> Iterator[Fault]:
    """Kinds of instructions, units and packs are codes of their lists."""
    asked = [("catalogA.HowtoType", case.product.catalog_a.how_to_type, HOW_TO_TYPES)]
    for path, one in case.variants:
        asked.append((f"{path}ItemCapacityUnits", one.item_capacity_units, UNITS))
        asked.append((f"{path}PackType", one.pack_type, PACK_TYPES))
    for path, code, codes in asked:
        if code is not None and code not in codes:
            allowed = ", ".join(map(str, codes))
            yield Fault(path, f"{code} is not a code of the list", "0.5", str(code), allowed)


@rule("structure")
def customs_code_of_the_list(case: Case) -> Iterator[Fault]:
    """The customs code is one of the closed list, and one for this type of product."""
    for path, one in case.variants:
        if not one.hs_code:
            continue
        known = HS_CODES.get(one.hs_code)
        if known is None:
            message = f"{one.hs_code} is not on the list of customs codes"
            yield Fault(f"{path}HSCode", message, "1", one.hs_code)
        elif case.product_type == "variants" or case.product_type in known.types:
            continue
        else:
            message = f"{one.hs_code} is for {', '.join(sorted(known.types))}: {known.description}"
            yield Fault(f"{path}HSCode", message, "0.5", one.hs_code)


@rule("structure")
def model_name(case: Case) -> Iterator[Fault]:
    """The model name is what the shop wants, always."""
    found = case.product.catalog_a.model_name
    if case.kind.marketing and found != MODEL_NAME:
        message = f"the model name is not {MODEL_NAME!r}"
        yield Fault("catalogA.ModelName", message, "0.25", found, MODEL_NAME)


@rule("structure")
def colour_and_national_code(case: Case) -> Iterator[Fault]:
    """Colours are #rrggbb, national product codes seven digits."""
    for path, one in case.variants:
        if one.hex_color and not COLOUR.fullmatch(one.hex_color):
            message = "the colour is not written as #rrggbb"
            yield Fault(f"{path}HexColor", message, "0.25", one.hex_color, "#rrggbb")
        if one.cnp and not CNP.fullmatch(one.cnp):
            yield Fault(f"{path}CNP", "a CNP has seven digits", "0.5", one.cnp)


@rule("structure")
def no_placeholders(case: Case) -> Iterator[Fault]:
    """No text was left for someone to fill in."""
    for field in case.texts:
        if found := PLACEHOLDERS.search(case.plain(field)):
            yield Fault(field, f"{found[0]!r} was left in the text", "1", found[0])
