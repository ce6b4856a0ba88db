"""Evaluate a product by all rules."""

from __future__ import annotations

from collections.abc import Mapping

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.outcome import Evaluation, Weights
from buttress.apps.catalog.evaluation.rules import RULES
from buttress.apps.catalog.extraction import Origin
from buttress.apps.catalog.material import Material
from buttress.apps.catalog.products import Product, ProductType

RULES_VERSION = 1
"""Raised with every change of the rules that changes scores, so that drift is told from change."""

STANDARD = Weights()


def evaluate(
    product: Product,
    product_type: ProductType,
    material: Material,
    origins: Mapping[str, Origin],
    *,
    weights: Weights = STANDARD,
) -> Evaluation:
    """Structure, content and translation from 1 to 5, with the reason for each point lost.

    Values whose origin says "computed" or "translated" need not stand in the material.
    """
    case = Case(product, product_type, material, origins)
    issues = [issue for rule in RULES.values() for issue in rule.issues(case)]
    return Evaluation.of(issues, weights)
