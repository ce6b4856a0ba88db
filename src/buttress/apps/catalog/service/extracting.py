"""One product from its documents: read, extracted, evaluated, kept, in that order.

Only the last part holds a transaction. Nothing is kept twice: a request has one extraction, however
often it is carried out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from buttress.access import current
from buttress.apps.catalog import models
from buttress.apps.catalog.evaluation import RULES_VERSION, Evaluation, evaluate
from buttress.apps.catalog.evaluation.judge import RUBRIC, Judged, judge
from buttress.apps.catalog.extraction import Extraction, Origin
from buttress.apps.catalog.material import Material, Source
from buttress.apps.catalog.models import Request, RequestSource
from buttress.apps.catalog.products import Product, ProductType
from buttress.apps.catalog.reading import hint_source, page_source, pdf_source, sheet_source
from buttress.apps.catalog.service import engines, fetching
from buttress.apps.catalog.service.batches import request_of
from buttress.apps.catalog.service.products import describe, product_of
from buttress.apps.catalog.service.sources import content_of
from buttress.apps.catalog.settings import CatalogSettings
from buttress.documents import propose_header, read_page, read_pdf, read_workbook
from buttress.errors import NotFound
from buttress.runtime import Runtime

Tell = Callable[[int, int | None, str], None]
"""Told how many of how many parts are done, and which is next."""

PARTS = 4
MATERIAL = TypeAdapter(tuple[Source, ...])
ORIGINS = TypeAdapter(dict[str, Origin])


@dataclass(frozen=True)
class Part:
    """A part of a document: its content and what was chosen of it."""

    source_id: int
    kind: str
    name: str
    url: str | None
    content: bytes
    chosen: dict[str, Any]


@dataclass(frozen=True)
class Work:
    """All that an extraction needs, out of the database."""

    request_id: int
    settings: engines.Settings
    hint: str
    before: Extraction | None
    """The product as it is, when only its customs codes are to be chosen anew."""
    parts: tuple[Part, ...]


def begin(session: Session, request_id: int) -> None:
    """Say that somebody works on a request; raises `NotFound`."""
    request = request_of(session, request_id, lock=True)
    if request.state != "done":
        request.state, request.started_at = "working", datetime.now(UTC)
        request.attempts += 1


def fail(session: Session, request_id: int, problem: str, cure: str) -> None:
    """Say why a request came to nothing, and what to do."""
    request = request_of(session, request_id, lock=True)
    if request.state != "done":
        request.state, request.ended_at = "failed", datetime.now(UTC)
        request.problem, request.cure = problem, cure


def extract(runtime: Runtime, request_id: int, *, tell: Tell) -> int:
    """Do what a request asks for; gives the product's number, of the first time when done before.

    Raises
    ------
    BadInput, Refused
        A document cannot be read.
    ModelUnavailable, ModelRefused, ModelOutputInvalid, BudgetSpent
        The model gave no product.
    NotFound
        The request, or a document, was deleted.
    """
    tell(0, PARTS, "reading the documents")
    fetching.fetch_pages(runtime, request_id)
    with runtime.session() as session:
        if (made := made_before(session, request_id)) is not None:
            return made
        work = work_of(session, runtime, request_id)
    material = material_of(work)
    tell(1, PARTS, "extracting")
    began = time.monotonic()
    extraction = (
        engines.extracted(runtime.llm, work.settings, material)
        if work.before is None
        else engines.with_new_codes(runtime.llm, work.settings, work.before)
    )
    seconds = time.monotonic() - began
    tell(2, PARTS, "evaluating")
    settings = CatalogSettings()
    evaluation = evaluate(
        extraction.product,
        work.settings.product_type,
        material,
        extraction.origins,
        weights=settings.weights,
    )
    judged = judge(
        runtime.llm,
        settings.judge,
        extraction.product,
        material,
        evaluation,
        prompt=work.settings.prompts.get(RUBRIC),
        by=settings.judge_by,
    )
    tell(3, PARTS, "keeping")
    with runtime.session() as session:
        return keep(session, work, material, extraction, evaluation, judged, seconds)


def made_before(session: Session, request_id: int) -> int | None:
    """The product a request has made already."""
    return session.scalar(
        select(models.Extraction.product_id).where(models.Extraction.request_id == request_id)
    )


def work_of(session: Session, runtime: Runtime, request_id: int) -> Work:
    """Load what a request needs; raises `NotFound`."""
    request = session.scalars(
        select(Request)
        .where(Request.id == request_id)
        .options(selectinload(Request.sources).selectinload(RequestSource.source))
    ).first()
    if request is None:
        raise NotFound(f"there is no request {request_id}", hint="It may have been deleted.")
    parts = []
    for chosen in request.sources:
        source = chosen.source
        content = content_of(runtime.files, source)
        parts.append(Part(source.id, source.kind, source.name, source.url, content, chosen.chosen))
    before = None
    if request.scope == "hs-code" and request.product_id is not None:
        product = product_of(session, request.product_id)
        before = Extraction(
            product=Product.model_validate(product.content),
            origins=ORIGINS.validate_python(product.origins),
        )
    return Work(
        request_id=request.id,
        settings=engines.Settings(
            ProductType(request.product_type),
            request.model,
            request.temperature,
            engines.prompts_of(session, request),
        ),
        hint=request.hint,
        before=before,
        parts=tuple(parts),
    )


def material_of(work: Work) -> Material:
    """What the chosen parts of the documents say, and the hint."""
    sources = [_source(part) for part in work.parts]
    if work.hint:
        sources.append(hint_source("hint", work.hint))
    return Material(tuple(sources))


def keep(
    session: Session,
    work: Work,
    material: Material,
    extraction: Extraction,
    evaluation: Evaluation,
    judged: Judged | None,
    seconds: float,
) -> int:
    """Write product, extraction, evaluation and material; once for each request."""
    request = request_of(session, work.request_id, lock=True)
    if (made := made_before(session, request.id)) is not None:
        return made
    who, name = request.batch.created_by, ""
    if (identity := current()) is not None:
        who, name = identity.person, identity.name
    product = _product(session, request, who, name)
    content = extraction.product.model_dump(mode="json", by_alias=True)
    origins = {
        path: one.model_dump(mode="json", exclude_defaults=True)
        for path, one in extraction.origins.items()
    }
    product.content, product.origins = content, origins
    product.product_type, product.updated_at = request.product_type, datetime.now(UTC)
    product.reviewed_at = None
    describe(product, extraction.product)
    session.flush()
    made_now = models.Extraction(
        product_id=product.id,
        request_id=request.id,
        scope=request.scope,
        model=request.model,
        temperature=request.temperature,
        prompts=extraction.prompts,
        content=content,
        origins=origins,
        notes=[note.model_dump(mode="json") for note in extraction.notes],
        seconds=seconds,
        cost_usd=extraction.cost_usd,
        created_by=who,
    )
    session.add(made_now)
    session.flush()
    session.add(
        models.MaterialText(
            extraction_id=made_now.id, sources=MATERIAL.dump_python(material.sources, mode="json")
        )
    )
    row = evaluation_row(made_now, product, evaluation, judged)
    row.created_by, row.created_by_name = who, name
    session.add(row)
    session.flush()
    product.extraction_id, product.evaluation_id = made_now.id, row.id
    product.overall = row.overall
    product.doubt = doubt(evaluation, judged, extraction)
    request.product_id, request.state = product.id, "done"
    request.ended_at, request.problem, request.cure = datetime.now(UTC), None, None
    session.flush()
    return product.id


def evaluation_row(
    extraction: models.Extraction,
    product: models.Product,
    evaluation: Evaluation,
    judged: Judged | None,
) -> models.Evaluation:
    """What tables keep of an evaluation, with its issues."""
    now = datetime.now(UTC)
    return models.Evaluation(
        product_id=product.id,
        extraction_id=extraction.id,
        product_type=product.product_type,
        brand=product.brand,
        name=product.name,
        model=extraction.model,
        temperature=extraction.temperature,
        structure=evaluation.structure,
        content=evaluation.content,
        translation=evaluation.translation,
        overall=evaluation.overall,
        issue_count=len(evaluation.issues),
        issues=[
            models.Issue(
                position=position,
                **issue.model_dump(),
                product_type=product.product_type,
                created_at=now,
            )
            for position, issue in enumerate(evaluation.issues)
        ],
        rules_version=RULES_VERSION,
        judge=judged.model if judged else None,
        rubric_version=judged.rubric_version if judged else None,
        judged=judged.model_dump(mode="json") if judged else None,
        created_at=now,
    )


def doubt(evaluation: Evaluation, judged: Judged | None, extraction: Extraction) -> Decimal:
    """What the review queue goes by: points lost, how far judge and rules are apart, and how
    little the extraction was sure of what it read."""
    sure = [origin.confidence for origin in extraction.origins.values()]
    unsure = Decimal(str(round(1 - min(sure, default=1.0), 2)))
    apart = judged.apart if judged else Decimal(0)
    return min(Decimal(99), Decimal(5) - evaluation.overall + apart + unsure)


def _product(session: Session, request: Request, who: UUID | None, name: str) -> models.Product:
    product = None
    if request.product_id is not None:
        product = session.get(models.Product, request.product_id, with_for_update=True)
    if product is None:
        product = models.Product(
            product_type=request.product_type,
            content={}, origins={}, created_by=who, created_by_name=name,
        )  # fmt: skip
        session.add(product)
    return product


def _source(part: Part) -> Source:
    id = str(part.source_id)
    if part.kind == "pdf":
        pages = part.chosen.get("pages")
        return pdf_source(id, part.name, read_pdf(part.content, pages=pages), pages=pages)
    if part.kind == "web":
        page = read_page(part.content, url=part.url or "")
        return page_source(id, page.title or part.name, page)
    workbook = read_workbook(part.content, name=part.name)
    wanted = part.chosen.get("sheet")
    for sheet in workbook.sheets:
        if wanted in (None, sheet.name):
            header = part.chosen.get("header")
            row = part.chosen.get("row")
            return sheet_source(
                id, part.name, sheet,
                header=propose_header(sheet).row if header is None else header - 1,
                rows=None if row is None else [row - 1],
            )  # fmt: skip
    raise NotFound(f"{part.name} has no sheet {wanted!r}", hint="Choose the row again.")
