"""An older tool's tables taken over: `buttress move` brings them in, this makes products of them.

The tables stay as they are.

| there | here |
| --- | --- |
| `evaluations`, by `product_config_id` | a product; an extraction and an evaluation a row |
| `extracted_json` | the content, if it fits the contract |
| `structure_score`, `accuracy_score` or `content_score`, `translation_score` | the three metrics |
| `llm_reasoning`, `evaluation_model` | the judge's note and name |
| `input_text` | the material |
| `human_rating` or `rating`, `notes` | a rating of all three metrics: the tool asked for one |
| `users` | nobody: invite them, or have them sign in elsewhere |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import RowMapping, delete, select, text, update
from sqlalchemy.orm import Session

from buttress import Base
from buttress.access.tables import Person
from buttress.apps.catalog.models import (
    Evaluation,
    Extraction,
    Feedback,
    LeftOut,
    MaterialText,
    Product,
)
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.reading import hint_source
from buttress.apps.catalog.service import older_tool
from buttress.apps.catalog.service.extracting import MATERIAL
from buttress.apps.catalog.service.older_product import UNKNOWN, Fitting, moment_of, read, reason
from buttress.apps.catalog.service.older_tool import OlderTool
from buttress.errors import NotFound

AT_ONCE = 1000
"""Rows that are read, made and written together."""
NOTES = [{"text": "taken over from an older tool"}]
ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('buttress_catalog_adoption', 0))")


@dataclass
class Adopted:
    """What was taken over, and which rows were left out with why."""

    products: int = 0
    evaluations: int = 0
    feedback: int = 0
    already: int = 0
    left: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Evaluations of the tool that were dealt with."""
        return self.evaluations + len(self.left)


def waiting(session: Session) -> int:
    """How many evaluations of an older tool lie in the database and can still be taken over."""
    tool = older_tool.find(session)
    return 0 if tool is None else tool.waiting(session)


def adopt(session: Session, *, tell: Callable[[int], None] = lambda rows: None) -> Adopted:
    """Take over what was not taken over before; what does not fit is left out, and not tried again
    unless it changes. `tell` is told now and then how many rows are done.

    Raises `NotFound` when there are no such tables: move the tool's database in first.
    """
    session.execute(ALONE)  # two at once would make every product twice
    tool = older_tool.find(session)
    if tool is None:
        raise NotFound(
            "there is no table `evaluations` of an older tool",
            hint="Bring its database in: buttress move prototype.db --schema prototype",
        )
    adopted = Adopted(already=tool.taken(session))
    made = tool.products(session)
    for rows in tool.rows(session, at_once=AT_ONCE):
        fitting = _fitting(session, rows, adopted)
        if fitting:
            _take(session, tool, fitting, made, adopted)
        tell(adopted.rows)
    return adopted


def _take(
    session: Session,
    tool: OlderTool,
    fitting: Sequence[Fitting],
    made: dict[str, int],
    adopted: Adopted,
) -> None:
    """Write them, in a few statements: one for each row would take minutes."""
    new: dict[str, Fitting] = {}
    for one in fitting:
        if one.key not in made:
            new.setdefault(one.key, one)
    made.update(zip(new, _numbers(session, Product, len(new)), strict=True))
    extractions = _numbers(session, Extraction, len(fitting))
    evaluations = _numbers(session, Evaluation, len(fitting))
    rows = [
        _evaluation(one, made[one.key], extraction, evaluation)
        for one, extraction, evaluation in zip(fitting, extractions, evaluations, strict=True)
    ]
    feedback = _feedback(session, tool, fitting, rows)
    standing = _standing(fitting, rows, feedback)
    _insert(session, Product, [
        {**standing.pop(key), "origins": {}, "created_by_name": one.who, "created_at": one.at}
        for key, one in new.items()
    ])  # fmt: skip
    for changed in standing.values():
        known = update(Product).where(Product.id == changed["id"])
        session.execute(known.where(Product.updated_at <= changed["updated_at"]).values(changed))
    _insert(session, Extraction, list(map(_extraction, fitting, rows)))
    _insert(session, MaterialText, list(map(_material, fitting, extractions)))
    _insert(session, Evaluation, rows)
    session.add_all(feedback)
    session.flush()
    adopted.products += len(new)
    adopted.evaluations += len(rows)
    adopted.feedback += len(feedback)


def _fitting(session: Session, rows: Iterable[RowMapping], adopted: Adopted) -> list[Fitting]:
    """Those that fit; the others are noted."""
    fitting: list[Fitting] = []
    left: list[LeftOut] = []
    for row in rows:
        try:
            fitting.append(read(row))
        except ValueError as error:
            left.append(
                LeftOut(old_row=row["mark"], fingerprint=row["fingerprint"], reason=reason(error))
            )
    session.execute(delete(LeftOut).where(LeftOut.old_row.in_([row["mark"] for row in rows])))
    session.add_all(left)
    adopted.left += [f"{one.old_row}: {one.reason}" for one in left]
    return fitting


def _standing(
    fitting: Sequence[Fitting], rows: Sequence[dict[str, Any]], feedback: Sequence[Feedback]
) -> dict[str, dict[str, Any]]:
    """By key the product, as the newest of its rows says."""
    reviewed = {one.evaluation_id: one.created_at for one in feedback}
    found: dict[str, dict[str, Any]] = {}
    for one, row in zip(fitting, rows, strict=True):
        before = found.get(one.key)
        reviewed_at = reviewed.get(row["id"], before["reviewed_at"] if before else None)
        if before is not None and before["updated_at"] > one.at:
            before["reviewed_at"] = reviewed_at
            continue
        found[one.key] = {
            "id": row["product_id"],
            "product_type": str(one.product_type),
            "brand": one.brand,
            "name": one.name,
            "content": one.json,
            "extraction_id": row["extraction_id"],
            "evaluation_id": row["id"],
            "overall": one.scores["overall"],
            "doubt": Decimal(5) - one.scores["overall"],
            "updated_at": one.at,
            "reviewed_at": reviewed_at,
        }
    return found


def _extraction(one: Fitting, evaluation: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": evaluation["extraction_id"],
        "product_id": evaluation["product_id"],
        "adopted_from": one.row["mark"],
        "scope": "full",
        "model": one.model,
        "temperature": one.temperature,
        "prompts": {},
        "content": one.json,
        "origins": {},
        "notes": NOTES,
        "seconds": 0.0,
        "created_at": one.at,
    }


def _material(one: Fitting, extraction: int) -> dict[str, Any]:
    said = str(one.row["input_text"] or "").replace("\0", "")
    sources = MATERIAL.dump_python((hint_source("input", said),), mode="json")
    return {"extraction_id": extraction, "sources": sources}


def _evaluation(one: Fitting, product: int, extraction: int, id: int) -> dict[str, Any]:
    return {
        "id": id,
        "product_id": product,
        "extraction_id": extraction,
        "product_type": str(one.product_type),
        "brand": one.brand,
        "name": one.name,
        "model": one.model,
        "temperature": one.temperature,
        **one.scores,
        "issue_count": 0,
        "rules_version": 0,
        "judge": str(one.row["evaluation_model"] or UNKNOWN),
        "judged": {"note": str(one.row["llm_reasoning"] or "")},
        "created_by_name": one.who,
        "created_at": one.at,
    }


def _feedback(
    session: Session,
    tool: OlderTool,
    fitting: Sequence[Fitting],
    rows: Sequence[dict[str, Any]],
) -> list[Feedback]:
    """What people said of these, in order; the last word of each person counts."""
    evaluations = dict(zip((one.row["id"] for one in fitting), rows, strict=True))
    given = {
        (row["evaluation_id"], str(row["who"] or UNKNOWN)): row
        for row in tool.ratings(session, list(evaluations))
    }
    people = _people(session, {name for _, name in given})
    return [
        Feedback.of(
            Evaluation(**evaluations[old]),
            person=people[name],
            person_name=name,
            **dict.fromkeys(METRICS, row["rating"]),
            overall=Decimal(row["rating"]),
            notes={"content": str(row["notes"])} if row["notes"] else {},
            created_at=moment_of(row["created_at"]),
        )
        for (old, name), row in given.items()
    ]


def _numbers(session: Session, table: type[Base], count: int) -> list[int]:
    """Keys for that many new rows."""
    drawn = text(
        "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
    )
    return list(session.scalars(drawn, {"table": table.__tablename__, "count": count}))


def _insert(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """All rows by one statement with one parameter: triggers run once, and nothing is spelled out
    value by value."""
    if not rows:
        return
    name, columns = table.__tablename__, ", ".join(rows[0])
    session.execute(
        text(
            f"INSERT INTO {name} ({columns}) SELECT {columns} "
            f"FROM jsonb_populate_recordset(CAST(NULL AS {name}), CAST(:rows AS jsonb))"
        ),
        {"rows": json.dumps(rows, default=str)},
    )


def _people(session: Session, names: set[str]) -> dict[str, UUID]:
    """Who has these names: a person of this deployment, or a number made of the name."""
    there = {
        name: id
        for id, name in session.execute(
            select(Person.id, Person.name).where(Person.name.in_({one.lower() for one in names}))
        )
    }
    return {
        name: there.get(name.lower()) or uuid5(NAMESPACE_URL, f"buttress:catalog:{name}")
        for name in names
    }
