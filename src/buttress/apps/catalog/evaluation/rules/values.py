"""Content: logistics stand in the source, under the name they have there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.quantities import Quantities, Quantity, quantities_in
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule

LONGEST_ROW = 300
"""Characters: what is longer is prose, where a word beside a number is no label of it."""

ROLES: dict[str, tuple[str, str]] = {
    "Weight": ("g", r"\bweights?\b|\bpeso\b|\bwt\b"),
    "Width": ("cm", r"\bwidth\b|\blargura\b"),
    "Height": ("cm", r"\bheight\b|\baltura\b"),
    "Depth": ("cm", r"\bdepth\b|\bprofundidade\b"),
    "supplierPrice": ("eur", r"supplier|\bcosts?\b|purchase|wholesale|fornecedor|custo|compra"),
    "priceRecommended": ("eur", r"recommended|\brrp\b|\bmsrp\b|\bpvpr\b|recomendado|retail"),
    "priceSale": ("eur", r"\bsale\b|selling|\bvenda\b|our price|\bpvp\b"),
}
"""The unit of a field, and what sources call it."""
CAPACITY = {1: "", 2: "ml", 4: "g", 5: "g", 6: "capsule", 8: "tablet", 11: "gummy", 14: "pair"}
COUNTS = frozenset({"capsule", "tablet", "gummy", "pair", "piece"})
ATTRIBUTES = {
    "Weight": "weight",
    "Width": "width",
    "Height": "height",
    "Depth": "depth",
    "supplierPrice": "supplier_price",
    "priceRecommended": "price_recommended",
    "priceSale": "price_sale",
}


@rule("content")
def measures_and_prices_in_source(case: Case) -> Iterator[Fault]:
    """A weight, side or price is what the source gives under that name, or at least anywhere."""
    for path, one in case.variants:
        for name, (unit, called) in ROLES.items():
            value = getattr(one, ATTRIBUTES[name])
            field = f"{path}{name}"
            if value is None or not case.read(field):
                continue
            wanted = Quantity(str(value), (value,), unit)
            named = _named(case, called)
            said = sorted(named.by_unit.get(unit, set()) | named.by_unit.get("", set()))
            if said and not named.has(wanted):
                message = f"the source gives {_few(said)} for {name}, not {value}"
                yield Fault(field, message, "1.25", str(value), _few(said))
            elif not said and not case.source_quantities.has(wanted):
                message = f"{value} {unit} is nowhere in the sources"
                yield Fault(field, message, "1.25", str(value))


@rule("content")
def capacity_in_source(case: Case) -> Iterator[Fault]:
    """How much a package holds stands in the source with that unit."""
    for path, one in case.variants:
        amount, code = one.item_capacity, one.item_capacity_units
        field = f"{path}ItemCapacity"
        if amount is None or code not in CAPACITY or not case.read(field):
            continue
        unit = CAPACITY[code]
        value = amount * 1000 if code == 5 else amount
        if code == 1 and amount == 1:
            continue
        if not _holds(case, value, unit):
            message = f"{amount} {unit or 'units'} is nowhere in the sources"
            expected = _units_of(case, value)
            where = f"{field}Units" if expected else field
            yield Fault(where, message, "1.25", f"{amount} {unit}".strip(), expected or None)


@rule("content")
def names_of_variants_in_source(case: Case) -> Iterator[Fault]:
    """The value that tells a variant from others is read, not made up."""
    for path, one in case.variants:
        for name, value in (
            ("VariantValue", one.variant_value),
            ("SecondVariant", one.second_variant),
        ):
            field = f"{path}{name}"
            if not value or not case.read(field) or case.in_source(value):
                continue
            if _is_quantity(case, value):
                continue
            yield Fault(field, f"{value!r} is nowhere in the sources", "0.75", value)


def _named(case: Case, called: str) -> Quantities:
    """The quantities of short passages that use such a name."""
    pattern = re.compile(called, re.IGNORECASE)
    return quantities_in(
        (one.text, one.label)
        for source in case.material.sources
        for one in source.passages
        if len(one.text) <= LONGEST_ROW and pattern.search(f"{one.label} {one.text}")
    )


def _holds(case: Case, value: Decimal, unit: str) -> bool:
    said = case.source_quantities.by_unit
    units = {"", "piece", unit} if unit in COUNTS else {"", unit}
    if not unit:
        units |= COUNTS
    return any(value in said.get(one, ()) for one in units)


def _units_of(case: Case, value: Decimal) -> str:
    """The units that the source gives a value in."""
    return _few(
        [
            f"{value} {unit}"
            for unit, values in case.source_quantities.by_unit.items()
            if value in values
        ]
    )


def _is_quantity(case: Case, text: str) -> bool:
    """Whether a text is an amount that the source gives, perhaps written differently."""
    found = quantities_in([(text, "")]).by_unit
    return bool(found) and all(
        case.source_quantities.has(Quantity(text, (value,), unit))
        for unit, values in found.items()
        for value in values
    )


def _few(values: list[Decimal] | list[str]) -> str:
    return ", ".join(map(str, values[:4]))
