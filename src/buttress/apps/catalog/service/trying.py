"""One item of a dataset, extracted with the settings of an experiment."""

from __future__ import annotations

import time
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from buttress.apps.catalog.evaluation import Evaluation, evaluate
from buttress.apps.catalog.extraction import Extraction
from buttress.apps.catalog.extraction.prompts import Prompt
from buttress.apps.catalog.material import Material
from buttress.apps.catalog.models import DatasetItem, ExperimentResult
from buttress.apps.catalog.products import Product, ProductType
from buttress.apps.catalog.service import engines
from buttress.apps.catalog.service.experiments import experiment_of, same_fields
from buttress.apps.catalog.service.extracting import MATERIAL
from buttress.apps.catalog.service.prompts import prompt_of
from buttress.apps.catalog.settings import CatalogSettings
from buttress.errors import ButtressError, NotFound
from buttress.runtime import Runtime


def try_item(runtime: Runtime, experiment_id: int, item_id: int) -> bool:
    """Extract and evaluate one item, once; gives whether it came to something.

    What is wrong with a model is written down as the item's problem: the others go on.
    """
    with runtime.session() as session:
        if (before := _result(session, experiment_id, item_id)) is not None:
            return before.problem is None
        experiment = experiment_of(session, experiment_id)
        item = session.get(
            DatasetItem,
            item_id,
            options=[undefer(DatasetItem.content), undefer(DatasetItem.sources)],
        )
        if item is None:
            raise NotFound(f"there is no item {item_id}")
        chosen = [] if experiment.prompt_id is None else [prompt_of(session, experiment.prompt_id)]
        settings = engines.Settings(
            ProductType(item.product_type),
            experiment.model,
            experiment.temperature,
            {one.name: Prompt(one.name, one.version, one.name, one.text) for one in chosen},
        )
        material = Material(MATERIAL.validate_python(item.sources))
        truth = Product.model_validate(item.content)
    began = time.monotonic()
    try:
        extraction = engines.extracted(runtime.llm, settings, material)
    except ButtressError as error:
        _keep(runtime, ExperimentResult(
            experiment_id=experiment_id, item_id=item_id, problem=error.message
        ))  # fmt: skip
        return False
    seconds = time.monotonic() - began
    evaluation = evaluate(
        extraction.product,
        settings.product_type,
        material,
        extraction.origins,
        weights=CatalogSettings().weights,
    )
    _keep(runtime, _row(experiment_id, item_id, extraction, evaluation, truth, seconds))
    return True


def _row(
    experiment_id: int,
    item_id: int,
    extraction: Extraction,
    evaluation: Evaluation,
    truth: Product,
    seconds: float,
) -> ExperimentResult:
    same, filled = same_fields(extraction.product, truth)
    cost: Decimal | None = extraction.cost_usd
    return ExperimentResult(
        experiment_id=experiment_id,
        item_id=item_id,
        content=extraction.product.model_dump(mode="json", by_alias=True),
        structure=evaluation.structure,
        content_score=evaluation.content,
        translation=evaluation.translation,
        overall=evaluation.overall,
        same_fields=same,
        fields=filled,
        seconds=seconds,
        cost_usd=cost,
    )


def _keep(runtime: Runtime, row: ExperimentResult) -> None:
    with runtime.session() as session:
        if _result(session, row.experiment_id, row.item_id) is None:
            session.add(row)


def _result(session: Session, experiment_id: int, item_id: int) -> ExperimentResult | None:
    return session.scalars(
        select(ExperimentResult).where(
            ExperimentResult.experiment_id == experiment_id, ExperimentResult.item_id == item_id
        )
    ).first()
