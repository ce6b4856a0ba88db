"""An older tool's tables taken over: `buttress move` brings them in, this makes products of them.

The tool kept one row for each evaluation in `evaluations`, with the product as JSON text, three
scores and who made it; ratings in `human_feedback`; models in `production_models`, named by a
column of `evaluations` or by `evaluation_production_models`. The tables stay as they are.

| there | here |
| --- | --- |
| `evaluations`, by `product_config_id` | a product; an extraction and an evaluation a row |
| `extracted_json` | the content, if it fits the contract |
| `structure_score`, `accuracy_score`, `translation_score` | structure, content, translation |
| `llm_reasoning`, `evaluation_model` | the judge's note and name |
| `input_text` | the material |
| `human_rating`, `notes` | a rating of all three metrics: the tool asked for one |
| `users` | nobody: invite them, or have them sign in elsewhere |
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import ValidationError
from sqlalchemy import Row, inspect, select, text
from sqlalchemy.orm import Session

from buttress.access.tables import Person
from buttress.apps.catalog import models
from buttress.apps.catalog.products import Product, ProductType
from buttress.apps.catalog.reading import hint_source
from buttress.apps.catalog.service.extracting import MATERIAL
from buttress.apps.catalog.service.products import describe
from buttress.db.catalogue import quoted
from buttress.errors import NotFound

NEEDED = frozenset({"id", "extracted_json", "structure_score", "accuracy_score",
                    "translation_score", "overall_score", "product_type"})  # fmt: skip
AT_ONCE = 200
UNKNOWN = "unknown"


@dataclass
class Adopted:
    """What was taken over, and which rows were left with why."""

    products: int = 0
    evaluations: int = 0
    feedback: int = 0
    already: int = 0
    left: list[str] = field(default_factory=list)


class Old:
    """The tables of the older tool, in whichever schema the move has put them."""

    def __init__(self, session: Session) -> None:
        self._tables = inspect(session.connection())
        schemas = [None, *self._tables.get_schema_names()]
        self.schema = next((one for one in schemas if self.has("evaluations", one)), None)
        self.found = self.has("evaluations", self.schema)

    def has(self, table: str, schema: str | None) -> bool:
        """Whether that is the table this is about; others may be called the same."""
        if not self._tables.has_table(table, schema=schema):
            return False
        names = {column["name"] for column in self._tables.get_columns(table, schema=schema)}
        return table != "evaluations" or names >= NEEDED

    def columns(self, table: str) -> frozenset[str]:
        """The columns of one of its tables, none when it is missing."""
        if not self._tables.has_table(table, schema=self.schema):
            return frozenset()
        return frozenset(
            str(column["name"]) for column in self._tables.get_columns(table, schema=self.schema)
        )

    def name(self, table: str) -> str:
        """The table as SQL names it."""
        return quoted(table) if self.schema is None else f"{quoted(self.schema)}.{quoted(table)}"


def waiting(session: Session) -> int:
    """How many evaluations of an older tool lie in the database and were not taken over."""
    old = Old(session)
    if not old.found:
        return 0
    taken = "SELECT adopted_from FROM catalog_extraction WHERE adopted_from IS NOT NULL"
    found = session.scalar(
        text(
            f"SELECT count(*) FROM {old.name('evaluations')} "
            f"WHERE 'evaluations ' || id NOT IN ({taken})"
        )
    )
    return int(found or 0)


def adopt(session: Session) -> Adopted:
    """Take over what was not taken over before.

    Raises `NotFound` when there are no such tables: move the tool's database in first.
    """
    old = Old(session)
    if not old.found:
        raise NotFound(
            "there is no table `evaluations` of an older tool",
            hint="Bring its database in: buttress move prototype.db --schema prototype",
        )
    adopted = Adopted()
    products: dict[str, models.Product] = {}
    people: dict[str, UUID] = {}
    before = set(
        session.scalars(
            select(models.Extraction.adopted_from).where(
                models.Extraction.adopted_from.is_not(None)
            )
        )
    )
    for row in _rows(session, old):
        mark = f"evaluations {row.id}"
        if mark in before:
            adopted.already += 1
            continue
        try:
            product_type = ProductType(str(row.product_type or "").strip().lower())
            content = Product.model_validate(_json(row.extracted_json))
        except (ValueError, ValidationError) as error:
            adopted.left.append(f"{mark}: {_why(error)}")
            continue
        evaluation = _taken(session, row, mark, product_type, content, products)
        adopted.evaluations += 1
        adopted.feedback += _ratings(session, old, row.id, evaluation, people)
    adopted.products = len(products)
    session.flush()
    return adopted


def _taken(
    session: Session,
    row: Row[Any],
    mark: str,
    product_type: ProductType,
    content: Product,
    products: dict[str, models.Product],
) -> models.Evaluation:
    at = _moment(row.created_at)
    who = str(row.created_by_username or "")
    key = str(row.product_config_id or mark)
    product = products.get(key)
    if product is None:
        product = models.Product(
            product_type=str(product_type), content={}, origins={},
            created_by_name=who, created_at=at,
        )  # fmt: skip
        session.add(product)
        products[key] = product
    product.content = content.model_dump(mode="json", by_alias=True)
    describe(product, content)
    product.brand, product.name = (
        product.brand or str(row.brand or ""),
        product.name or str(row.product_name or ""),
    )
    product.updated_at = at
    session.flush()
    model = f"{row.provider}:{row.model_name}" if row.provider else UNKNOWN
    extraction = models.Extraction(
        product_id=product.id, adopted_from=mark, scope="full", model=model,
        temperature=Decimal(str(row.temperature or 0)), prompts={}, content=product.content,
        origins={}, notes=[{"text": "taken over from an older tool"}], seconds=0.0, created_at=at,
    )  # fmt: skip
    session.add(extraction)
    session.flush()
    material = (hint_source("input", str(row.input_text or "").replace("\0", "")),)
    session.add(
        models.MaterialText(
            extraction_id=extraction.id, sources=MATERIAL.dump_python(material, mode="json")
        )
    )
    evaluation = models.Evaluation(
        product_id=product.id, extraction_id=extraction.id, product_type=str(product_type),
        brand=product.brand, name=product.name, model=model, temperature=extraction.temperature,
        structure=_score(row.structure_score), content=_score(row.accuracy_score),
        translation=_score(row.translation_score), overall=_score(row.overall_score),
        issue_count=0, rules_version=0, judge=str(row.evaluation_model or UNKNOWN),
        judged={"note": str(row.llm_reasoning or "")}, created_by_name=who, created_at=at,
    )  # fmt: skip
    session.add(evaluation)
    session.flush()
    product.extraction_id, product.evaluation_id = extraction.id, evaluation.id
    product.overall = evaluation.overall
    product.doubt = Decimal(5) - evaluation.overall
    return evaluation


def _ratings(
    session: Session, old: Old, old_id: int, evaluation: models.Evaluation, people: dict[str, UUID]
) -> int:
    columns = old.columns("human_feedback")
    if not {"evaluation_id", "human_rating"} <= columns:
        return 0
    name = next((one for one in ("username", "user_name", "user_id") if one in columns), "NULL")
    found = session.execute(
        text(
            f"SELECT human_rating, {_or_null('notes', columns)}, {name} AS who, "
            f"{_or_null('created_at', columns)} "
            f"FROM {old.name('human_feedback')} "
            "WHERE evaluation_id = :id AND human_rating BETWEEN 1 AND 5"
        ),
        {"id": old_id},
    ).all()
    given: dict[UUID, Row[Any]] = {
        _person(session, str(row.who or UNKNOWN), people): row for row in found
    }
    for person, row in given.items():
        session.add(
            models.Feedback(
                evaluation_id=evaluation.id, person=person, person_name=str(row.who or UNKNOWN),
                structure=row.human_rating, content=row.human_rating,
                translation=row.human_rating, overall=Decimal(row.human_rating),
                notes={"content": str(row.notes)} if row.notes else {},
                created_at=_moment(row.created_at),
            )
        )  # fmt: skip
        product = session.get(models.Product, evaluation.product_id)
        assert product is not None  # a foreign key says so
        product.reviewed_at = _moment(row.created_at)
    return len(given)


def _person(session: Session, name: str, people: dict[str, UUID]) -> UUID:
    if name not in people:
        known = session.scalar(select(Person.id).where(Person.name == name.lower()))
        people[name] = known or uuid5(NAMESPACE_URL, f"buttress:catalog:{name}")
    return people[name]


def _rows(session: Session, old: Old) -> Iterator[Row[Any]]:
    columns = old.columns("evaluations")
    chosen = [
        f"e.{name}" if name in columns else f"NULL AS {name}"
        for name in (
            *sorted(NEEDED), "product_config_id", "input_text", "llm_reasoning",
            "evaluation_model", "brand", "product_name", "created_by_username", "created_at",
        )
    ]  # fmt: skip
    joined, model = "", ["NULL AS provider", "NULL AS model_name", "NULL AS temperature"]
    if {"id", "provider", "model_name", "temperature"} <= old.columns("production_models"):
        model = ["m.provider", "m.model_name", "m.temperature"]
        if "production_model_id" in columns:
            joined = f"LEFT JOIN {old.name('production_models')} m ON m.id = e.production_model_id"
        elif old.columns("evaluation_production_models"):
            joined = (
                f"LEFT JOIN {old.name('evaluation_production_models')} l ON l.evaluation_id = e.id "
                f"LEFT JOIN {old.name('production_models')} m ON m.id = l.production_model_id"
            )
        else:
            model = ["NULL AS provider", "NULL AS model_name", "NULL AS temperature"]
    found = session.execute(
        text(
            f"SELECT {', '.join([*chosen, *model])} FROM {old.name('evaluations')} e "
            f"{joined} ORDER BY e.id"
        )
    )
    return iter(found.yield_per(AT_ONCE))


def _or_null(name: str, columns: frozenset[str]) -> str:
    return name if name in columns else f"NULL AS {name}"


def _json(value: Any) -> Any:
    found = json.loads(value) if isinstance(value, str) else value
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _score(value: Any) -> Decimal:
    return min(Decimal(5), max(Decimal(1), Decimal(str(value if value is not None else 1))))


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return datetime.now(UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).splitlines()[0][:200]
