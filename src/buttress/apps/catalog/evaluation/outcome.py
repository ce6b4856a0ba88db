"""What an evaluation says: three metrics from 1 to 5, and a reason for every point lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

Metric = Literal["structure", "content", "translation"]
METRICS: tuple[Metric, ...] = ("structure", "content", "translation")
JudgedBy = Literal["gateway", "openevals"]
"""What puts the question together that a model is asked as judge."""
BEST, WORST = Decimal(5), Decimal(1)
CENT = Decimal("0.01")


class Issue(BaseModel):
    """One reason why points were lost; `field` is the path in the product's JSON.

    `found` is what stands there and `expected` what should, where that can be said.
    """

    model_config = ConfigDict(frozen=True)

    metric: Metric
    rule: str
    field: str
    message: str
    points: Decimal
    found: str | None = None
    expected: str | None = None


class Weights(BaseModel):
    """What each metric counts for in the overall score; together 1."""

    model_config = ConfigDict(frozen=True)

    structure: Decimal = Decimal("0.2")
    content: Decimal = Decimal("0.5")
    translation: Decimal = Decimal("0.3")

    def overall(self, structure: Decimal, content: Decimal, translation: Decimal) -> Decimal:
        """The weighted mean of three scores, to the cent."""
        total = self.structure + self.content + self.translation
        mean = (
            structure * self.structure + content * self.content + translation * self.translation
        ) / total
        return mean.quantize(CENT)


class Evaluation(BaseModel):
    """The scores of a product and the issues behind them; the same product always gets the same."""

    model_config = ConfigDict(frozen=True)

    structure: Decimal
    content: Decimal
    translation: Decimal
    overall: Decimal
    issues: tuple[Issue, ...] = ()
    weights: Weights = Weights()

    @classmethod
    def of(cls, issues: list[Issue], weights: Weights) -> Evaluation:
        """Each metric starts at 5 and loses the points of its issues, down to 1."""
        scores = {
            metric: max(
                WORST, BEST - sum((one.points for one in issues if one.metric == metric), Decimal())
            ).quantize(CENT)
            for metric in METRICS
        }
        return cls(
            **scores, overall=weights.overall(**scores), issues=tuple(issues), weights=weights
        )
