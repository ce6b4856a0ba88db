"""All rules, each file a group of one idea; importing this registers them."""

from buttress.apps.catalog.evaluation.rules import (
    barcodes,
    contract,
    faithful,
    house,
    html_shape,
    language,
    measures,
    parity,
    prices,
    values,
)
from buttress.apps.catalog.evaluation.rules.registry import RULES, Fault, Rule, rule

__all__ = [
    "RULES",
    "Fault",
    "Rule",
    "barcodes",
    "contract",
    "faithful",
    "house",
    "html_shape",
    "language",
    "measures",
    "parity",
    "prices",
    "rule",
    "values",
]
