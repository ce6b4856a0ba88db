"""Prices: which may lie above which."""

from __future__ import annotations

from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule

# Nobody sells for thirty times what was paid: a point or a currency was misread.
LARGEST_MARGIN = 30


@rule("structure")
def supplier_price_below_sale_price(case: Case) -> Iterator[Fault]:
    """What is bought costs less than what it is sold for, and not next to nothing."""
    for path, one in case.variants:
        paid = one.supplier_price
        if paid is None:
            continue
        for name, price in (("sale", one.price_sale), ("recommended", one.price_recommended)):
            if price is not None and paid >= price:
                message = f"the supplier price {paid} is not below the {name} price {price}"
                yield Fault(f"{path}supplierPrice", message, "1", str(paid), f"below {price}")
        if one.price_sale is not None and one.price_sale > LARGEST_MARGIN * paid:
            message = f"the sale price is more than {LARGEST_MARGIN} times what the supplier asks"
            yield Fault(f"{path}priceSale", message, "0.5", str(one.price_sale))


@rule("structure")
def sale_price_at_most_recommended(case: Case) -> Iterator[Fault]:
    """Nothing is sold above its recommended price."""
    for path, one in case.variants:
        sale, recommended = one.price_sale, one.price_recommended
        if sale is not None and recommended is not None and sale > recommended:
            message = f"the sale price {sale} is above the recommended price {recommended}"
            yield Fault(f"{path}priceSale", message, "1", str(sale), f"at most {recommended}")
