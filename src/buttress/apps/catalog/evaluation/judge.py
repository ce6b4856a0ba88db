"""A model as judge, on top of the rules: whatever it does, what the rules say stands.

The rubric is a prompt of the app; its version and the model's name are part of the result, so that
scores of different judges are never taken for each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from buttress.apps.catalog.evaluation import openevals
from buttress.apps.catalog.evaluation.outcome import CENT, METRICS, Evaluation, JudgedBy, Metric
from buttress.apps.catalog.extraction.enclosing import enclosed
from buttress.apps.catalog.extraction.prompts import Prompt, shipped_prompt
from buttress.apps.catalog.material import Material
from buttress.apps.catalog.products import Product, leaves
from buttress.errors import ButtressError
from buttress.llm import LLM, Completion

RUBRIC = "judge-product"
PURPOSE = "catalog.judge"
DEADLINE_SECONDS = 60.0
MOST_REASONS = 20
MARK = re.compile(r"<(?=\s*/?\s*(?:product|source))", re.IGNORECASE)


class Reason(BaseModel):
    """Why the judge took points: the field's path, "" where none is meant, and a sentence."""

    model_config = ConfigDict(frozen=True)

    field: str = Field("", max_length=200)
    reason: str = Field(min_length=1, max_length=1_000)


class Verdict(BaseModel):
    """A score from 1 to 5, and reasons where it is below 5."""

    model_config = ConfigDict(frozen=True)

    score: int = Field(ge=1, le=5)
    reasons: tuple[Reason, ...] = Field((), max_length=MOST_REASONS)

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.score < 5 and not self.reasons:
            raise ValueError("a score below 5 needs a reason")
        return self


class Judgement(BaseModel):
    """What a judge answers."""

    model_config = ConfigDict(frozen=True)

    structure: Verdict
    content: Verdict
    translation: Verdict

    def verdict(self, metric: Metric) -> Verdict:
        """The verdict on one metric."""
        verdict: Verdict = getattr(self, metric)
        return verdict


class Judged(BaseModel):
    """A judgement and whose it is, or a note why there is none; then `overall` is the rules'.

    `apart` is how far judge and rules are from each other on average, in points; 0 without one.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    rubric: str
    rubric_version: int
    judgement: Judgement | None
    overall: Decimal
    apart: Decimal = Decimal(0)
    note: str = ""
    call: UUID | None = None
    cost_usd: Decimal | None = None


def judge(
    llm: LLM,
    model: str,
    product: Product,
    material: Material,
    evaluation: Evaluation,
    *,
    prompt: Prompt | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    by: JudgedBy = "gateway",
) -> Judged | None:
    """What a model says of a product, None where no model is named.

    A judge that fails, is slow, refuses or answers nonsense leaves a note and the rules' score;
    nobody else is asked in its place, and no error is raised for it. `by` names what puts the
    question together; either way the gateway asks it.
    """
    if not model:
        return None
    rubric = prompt or shipped_prompt(RUBRIC)
    text, cut = enclosed(material)
    try:
        completion = ASKING[by](
            llm,
            model,
            Judgement,
            rubric,
            text,
            _enclosed(product),
            purpose=PURPOSE,
            fallback=(),
            temperature=0.0,
            deadline_seconds=deadline_seconds,
        )
    except ButtressError as error:
        # The product was evaluated without the judge: nothing is lost but a second opinion.
        return _without(evaluation, model, rubric, f"{model} gave no judgement: {error.message}")
    if completion.offline:
        return _without(evaluation, model, rubric, "no model judged: the answer came from rules")
    judgement = _known_fields(completion.value, product)
    return Judged(
        model=completion.model,
        rubric=rubric.name,
        rubric_version=rubric.version,
        judgement=judgement,
        overall=evaluation.weights.overall(
            *(Decimal(judgement.verdict(metric).score) for metric in METRICS)
        ),
        apart=_apart(judgement, evaluation),
        note="the sources were cut for the judge" if cut else "",
        call=completion.id,
        cost_usd=completion.cost,
    )


def _ask(
    llm: LLM,
    model: str,
    into: type[Judgement],
    rubric: Prompt,
    source: str,
    product: str,
    **options: Any,
) -> Completion[Judgement]:
    return llm.complete(
        f"{source}\n{product}", model=model, into=into, system=rubric.text, **options
    )


ASKING: dict[JudgedBy, Callable[..., Completion[Judgement]]] = {
    "gateway": _ask,
    "openevals": openevals.ask,
}


def _without(evaluation: Evaluation, model: str, rubric: Prompt, note: str) -> Judged:
    return Judged(
        model=model,
        rubric=rubric.name,
        rubric_version=rubric.version,
        judgement=None,
        overall=evaluation.overall,
        note=note,
    )


def _enclosed(product: Product) -> str:
    """The product between marks, which it cannot leave."""
    written = MARK.sub("‹", product.model_dump_json(by_alias=True, indent=1))
    return f"<product>\n{written}\n</product>"


def _known_fields(judgement: Judgement, product: Product) -> Judgement:
    """The judgement with "" for fields that the product does not have."""
    known = {path for path, _ in leaves(product)}

    def told(verdict: Verdict) -> Verdict:
        reasons = tuple(
            one if one.field in known else Reason(field="", reason=one.reason)
            for one in verdict.reasons
        )
        return verdict.model_copy(update={"reasons": reasons})

    return judgement.model_copy(
        update={metric: told(judgement.verdict(metric)) for metric in METRICS}
    )


def _apart(judgement: Judgement, evaluation: Evaluation) -> Decimal:
    gaps = [
        abs(Decimal(judgement.verdict(metric).score) - getattr(evaluation, metric))
        for metric in METRICS
    ]
    return (sum(gaps, Decimal()) / len(gaps)).quantize(CENT)
