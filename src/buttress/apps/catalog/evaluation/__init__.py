"""How good a product is: scores by rules, by a model as judge, and the reasons for both.

evaluation = evaluate(product, ProductType.COSMETICS, material, extraction.origins)
evaluation.overall, [issue.message for issue in evaluation.issues]
"""

from buttress.apps.catalog.evaluation.evaluating import RULES_VERSION, evaluate
from buttress.apps.catalog.evaluation.outcome import METRICS, Evaluation, Issue, Metric, Weights

__all__ = ["METRICS", "RULES_VERSION", "Evaluation", "Issue", "Metric", "Weights", "evaluate"]
