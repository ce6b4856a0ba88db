"""Datasets of reviewed products, and what other models and prompts make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from buttress.apps.catalog.agreement import Comparison, Estimate, Unsaid, compare
from buttress.apps.catalog.agreement.scores import mean
from buttress.apps.catalog.models import (
    Dataset,
    DatasetItem,
    Experiment,
    ExperimentResult,
    MaterialText,
    Product,
)
from buttress.apps.catalog.products import Product as Content
from buttress.apps.catalog.products import leaves
from buttress.apps.catalog.schemas import Engine
from buttress.apps.catalog.service.sources import person
from buttress.errors import BadInput, Conflict, NotFound


@dataclass(frozen=True)
class Outcome:
    """What one experiment gave; means over the items that came to something."""

    experiment: Experiment
    items: int
    done: int
    failed: int
    overall: float | None
    structure: float | None
    content: float | None
    translation: float | None
    same_fields: float | None
    """The share of fields as the reviewers left them."""
    seconds: float | None
    cost_usd: float | None


def freeze(session: Session, name: str, products: Sequence[int], note: str = "") -> Dataset:
    """Keep reviewed products and their material as they are now.

    Raises
    ------
    BadInput
        No name, or a product nobody has reviewed: its content is no truth to measure by.
    Conflict
        There is a dataset of that name.
    """
    if not name.strip() or not products:
        raise BadInput("a dataset needs a name and products", hint="Choose reviewed products.")
    if session.scalar(select(Dataset.id).where(Dataset.name == name.strip())) is not None:
        raise Conflict(f"there is a dataset {name.strip()!r}", hint="Choose another name.")
    dataset = Dataset(name=name.strip(), note=note, created_by=person())
    session.add(dataset)
    session.flush()
    found = session.execute(
        select(Product, MaterialText.sources)
        .join(MaterialText, MaterialText.extraction_id == Product.extraction_id)
        .where(Product.id.in_(products), Product.reviewed_at.is_not(None))
        .options(undefer(Product.content))
    ).all()
    if missing := set(products) - {product.id for product, _ in found}:
        raise BadInput(
            f"{len(missing)} of them were not reviewed, such as {min(missing)}",
            hint="Review them first: what nobody has looked at is no truth to measure by.",
        )
    session.add_all(
        DatasetItem(
            dataset_id=dataset.id,
            product_id=product.id,
            product_type=product.product_type,
            name=product.name,
            content=product.content,
            sources=sources,
        )
        for product, sources in found
    )
    session.flush()
    return dataset


def datasets(session: Session) -> Sequence[tuple[Dataset, int]]:
    """All datasets with how many products each has, the newest first."""
    found = session.execute(
        select(Dataset, func.count(DatasetItem.id))
        .outerjoin(DatasetItem, DatasetItem.dataset_id == Dataset.id)
        .group_by(Dataset.id)
        .order_by(Dataset.id.desc())
    )
    return [(dataset, count) for dataset, count in found]


def dataset_of(session: Session, id: int) -> Dataset:
    """The dataset of that number; raises `NotFound`."""
    dataset = session.get(Dataset, id)
    if dataset is None:
        raise NotFound(f"there is no dataset {id}")
    return dataset


def experiment_of(session: Session, id: int) -> Experiment:
    """The experiment of that number; raises `NotFound`."""
    experiment = session.get(Experiment, id)
    if experiment is None:
        raise NotFound(f"there is no experiment {id}")
    return experiment


def plan(session: Session, dataset_id: int, name: str, engine: Engine) -> Experiment:
    """An experiment to be run by a job; raises `BadInput`, `NotFound`."""
    dataset_of(session, dataset_id)
    if not name.strip():
        raise BadInput(
            "an experiment needs a name", hint="Say what is tried, like 'shorter prompt'."
        )
    experiment = Experiment(
        dataset_id=dataset_id,
        name=name.strip(),
        model=engine.model,
        temperature=engine.temperature,
        prompt_id=engine.prompt_id,
        created_by=person(),
    )
    session.add(experiment)
    session.flush()
    return experiment


def missing(session: Session, experiment_id: int) -> list[int]:
    """Items of the dataset that the experiment has no result of."""
    experiment = experiment_of(session, experiment_id)
    done = select(ExperimentResult.item_id).where(ExperimentResult.experiment_id == experiment_id)
    items = (
        select(DatasetItem.id)
        .where(DatasetItem.dataset_id == experiment.dataset_id, DatasetItem.id.not_in(done))
        .order_by(DatasetItem.id)
    )
    return list(session.scalars(items))


def same_fields(found: Content, truth: Content) -> tuple[int, int]:
    """How many fields that are filled in either are the same in both, and how many these are."""
    ours, theirs = dict(leaves(found)), dict(leaves(truth))
    filled = [path for path in {**ours, **theirs} if ours.get(path) or theirs.get(path)]
    return sum(ours.get(path) == theirs.get(path) for path in filled), len(filled)


def outcomes(session: Session, dataset_id: int) -> list[Outcome]:
    """All experiments with a dataset, the newest first."""
    result = ExperimentResult
    found = session.execute(
        select(
            Experiment,
            func.count(result.id).filter(result.problem.is_(None)),
            func.count(result.id).filter(result.problem.is_not(None)),
            func.avg(result.overall),
            func.avg(result.structure),
            func.avg(result.content_score),
            func.avg(result.translation),
            func.sum(result.same_fields) * Decimal(1) / func.nullif(func.sum(result.fields), 0),
            func.avg(result.seconds),
            func.sum(result.cost_usd),
        )
        .outerjoin(result, result.experiment_id == Experiment.id)
        .where(Experiment.dataset_id == dataset_id)
        .group_by(Experiment.id)
        .order_by(Experiment.id.desc())
    ).all()
    items = session.scalar(select(func.count()).where(DatasetItem.dataset_id == dataset_id))
    return [
        Outcome(
            experiment,
            items or 0,
            done,
            failed,
            *(None if one is None else float(one) for one in means),
        )
        for experiment, done, failed, *means in found
    ]


def overall_of(session: Session, experiment_id: int) -> Estimate | None:
    """The mean overall score with its interval, None while there is no score."""
    scores = session.scalars(
        select(ExperimentResult.overall).where(
            ExperimentResult.experiment_id == experiment_id, ExperimentResult.overall.is_not(None)
        )
    )
    values = np.array([float(score) for score in scores if score is not None])
    return mean(values, np.ones(len(values), dtype=np.int64)) if len(values) else None


def compared(session: Session, first: int, second: int) -> Comparison | Unsaid:
    """The overall scores of two experiments with one dataset, item by item.

    Raises `BadInput` when they are of different datasets: their scores cannot be compared.
    """
    one, other = experiment_of(session, first), experiment_of(session, second)
    if one.dataset_id != other.dataset_id:
        raise BadInput(
            "the experiments are of different datasets", hint="Run both with the same one."
        )

    def scores(id: int) -> dict[int, float]:
        found = session.execute(
            select(ExperimentResult.item_id, ExperimentResult.overall).where(
                ExperimentResult.experiment_id == id, ExperimentResult.overall.is_not(None)
            )
        )
        return {item: float(overall) for item, overall in found if overall is not None}

    ours, theirs = scores(first), scores(second)
    both = sorted(ours.keys() & theirs.keys())
    return compare([ours[item] for item in both], [theirs[item] for item in both])
