"""Weights, dimensions and capacities that a thing of this world can have."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.products import Variant

SIDES = (("Width", "width"), ("Height", "height"), ("Depth", "depth"))
SMALLEST_CM, LARGEST_CM = Decimal("0.1"), Decimal(300)
LIGHTEST_G, HEAVIEST_G = Decimal(1), Decimal(100_000)
# g or ml of content in each unit that has a mass or a volume.
CONTENT = {2: Decimal(1), 4: Decimal(1), 5: Decimal(1000)}
COUNTED = {1, 6, 8, 11, 14}
DENSEST = Decimal(25)
"""g/cm³: heavier than that no matter is."""


@rule("structure")
def plausible_sizes(case: Case) -> Iterator[Fault]:
    """Sides are between a millimetre and three metres, weights between a gram and 100 kg."""
    for path, one in case.variants:
        for name, attribute in SIDES:
            side = getattr(one, attribute)
            if side is not None and not SMALLEST_CM <= side <= LARGEST_CM:
                message = f"{side} cm is no {name.lower()} of a product"
                yield Fault(f"{path}{name}", message, "0.75", str(side))
        weight = one.weight
        if weight is not None and not LIGHTEST_G <= weight <= HEAVIEST_G:
            message = f"{weight} g is no weight of a product"
            yield Fault(f"{path}Weight", message, "0.75", str(weight))


@rule("structure")
def package_holds_its_content(case: Case) -> Iterator[Fault]:
    """A package weighs at least about what is in it, and has room for it."""
    for path, one in case.variants:
        content = _content(one)
        volume = _volume(one)
        if content is not None and one.weight is not None and one.weight < content / 2:
            message = f"the package weighs {one.weight} g, what is in it some {content:f} g"
            yield Fault(f"{path}Weight", message, "0.75", str(one.weight), f"above {content / 2:f}")
        if content is not None and volume is not None and volume < content / 2:
            message = f"{content:f} ml or g do not fit into {volume:f} cm³"
            yield Fault(f"{path}ItemCapacity", message, "0.75", str(one.item_capacity))
        if volume is not None and one.weight is not None and one.weight > volume * DENSEST:
            message = f"{one.weight} g in {volume:f} cm³ are heavier than any matter"
            yield Fault(f"{path}Weight", message, "0.75", str(one.weight))


@rule("structure")
def capacity_with_unit(case: Case) -> Iterator[Fault]:
    """An amount has a unit, a unit an amount, and what is counted is counted in whole numbers."""
    for path, one in case.variants:
        amount, unit = one.item_capacity, one.item_capacity_units
        if amount is not None and unit is None:
            yield Fault(f"{path}ItemCapacityUnits", "the capacity has no unit", "0.5", str(amount))
        if amount is None and unit is not None:
            yield Fault(f"{path}ItemCapacity", "there is a unit and no capacity", "0.25")
        if amount is not None and unit in COUNTED and amount != amount.to_integral():
            message = f"{amount} of what is counted in pieces"
            yield Fault(f"{path}ItemCapacity", message, "0.5", str(amount))


def _content(variant: Variant) -> Decimal | None:
    amount, unit = variant.item_capacity, variant.item_capacity_units
    return None if amount is None or unit not in CONTENT else amount * CONTENT[unit]


def _volume(variant: Variant) -> Decimal | None:
    sides = [variant.width, variant.height, variant.depth]
    known = [side for side in sides if side is not None]
    return known[0] * known[1] * known[2] if len(known) == 3 else None
