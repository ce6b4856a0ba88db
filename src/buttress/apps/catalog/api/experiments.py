"""Datasets of reviewed products, and experiments with them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from buttress.api import SessionDep
from buttress.api.session import RuntimeDep
from buttress.api.types import Text
from buttress.apps.catalog import app, jobs
from buttress.apps.catalog.api.batches import Named
from buttress.apps.catalog.api.documents import Id
from buttress.apps.catalog.schemas import Engine
from buttress.apps.catalog.service import experiments


class NewDataset(Named):
    """Reviewed products to be frozen."""

    products: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field(min_length=1, max_length=5000)
    note: Text = ""


class DatasetOut(BaseModel):
    """A dataset."""

    id: int
    name: str
    note: str
    items: int
    created_at: datetime


class NewExperiment(Engine, Named):
    """Other settings to be tried."""


class ExperimentOut(BaseModel):
    """An experiment."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    dataset_id: int
    name: str
    model: str
    temperature: Decimal
    prompt_id: int | None
    job_id: str | None


class OutcomeOut(BaseModel):
    """What an experiment gave; means, None before anything is done."""

    model_config = ConfigDict(from_attributes=True)

    experiment: ExperimentOut
    items: int
    done: int
    failed: int
    overall: float | None
    structure: float | None
    content: float | None
    translation: float | None
    same_fields: float | None
    seconds: float | None
    cost_usd: float | None


@app.api.get("/datasets")
def datasets(session: SessionDep) -> list[DatasetOut]:
    """All datasets, the newest first."""
    return [
        DatasetOut(id=one.id, name=one.name, note=one.note, items=items, created_at=one.created_at)
        for one, items in experiments.datasets(session)
    ]


@app.api.post("/datasets")
def freeze(new: NewDataset, session: SessionDep) -> DatasetOut:
    """Freeze reviewed products."""
    made = experiments.freeze(session, new.name, new.products, new.note)
    items = len(set(new.products))
    return DatasetOut(
        id=made.id, name=made.name, note=made.note, items=items, created_at=made.created_at
    )


@app.api.get("/datasets/{dataset_id}/experiments")
def outcomes(dataset_id: Id, session: SessionDep) -> list[OutcomeOut]:
    """The experiments with a dataset, and what they gave."""
    experiments.dataset_of(session, dataset_id)
    return [OutcomeOut.model_validate(one) for one in experiments.outcomes(session, dataset_id)]


@app.api.post("/datasets/{dataset_id}/experiments", status=202, needs="jobs.run")
def run(
    dataset_id: Id, new: NewExperiment, session: SessionDep, runtime: RuntimeDep
) -> ExperimentOut:
    """Extract a dataset anew with other settings, in the background."""
    planned = experiments.plan(session, dataset_id, new.name, new)
    ticket = runtime.jobs.enqueue(jobs.experiment, planned.id, session=session)
    planned.job_id = ticket.id
    session.flush()
    return ExperimentOut.model_validate(planned)


@app.api.get("/experiments/{first}/compared/{second}")
def compared(first: Id, second: Id, session: SessionDep) -> dict[str, Any]:
    """The scores of two experiments with one dataset, item by item, with intervals."""
    found: dict[str, Any] = msgspec.to_builtins(experiments.compared(session, first, second))
    return found
