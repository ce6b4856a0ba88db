"""One evaluation of an older tool, read by the contract of products."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping

from buttress.apps.catalog.extraction.measures import read_capacity
from buttress.apps.catalog.products import Product as Content
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.service.older_tool import SCORES
from buttress.apps.catalog.service.products import brand_and_name

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fitting:
    """An evaluation of the tool that fits the contract."""

    row: RowMapping
    product_type: ProductType
    content: Content
    brand: str
    name: str
    scores: dict[str, Decimal]
    at: datetime

    @property
    def key(self) -> str:
        """What rows of one product have in common."""
        return str(self.row["product_config_id"] or self.row["mark"])

    @property
    def who(self) -> str:
        """Who made it."""
        return str(self.row["who"] or "")

    @property
    def model(self) -> str:
        """What extracted it."""
        provider, name = self.row["provider"], self.row["model_name"]
        return f"{provider}:{name}" if provider else UNKNOWN

    @property
    def temperature(self) -> Decimal:
        """How freely."""
        return Decimal(str(self.row["temperature"] or 0))

    @cached_property
    def json(self) -> dict[str, Any]:
        """The content as it is kept."""
        return self.content.model_dump(mode="json", by_alias=True)


def read(row: RowMapping) -> Fitting:
    """The row by the contract; raises `ValueError`, of which pydantic's is one, where it fits no
    product."""
    for score, names in SCORES.items():
        if row[score] is None:
            raise ValueError(f"it has no {' or '.join(names)}")
    content = Content.model_validate(_content(row["extracted_json"]))
    brand, name = brand_and_name(content)
    return Fitting(
        row,
        ProductType(str(row["product_type"] or "").strip().lower()),
        content,
        brand or str(row["brand"] or ""),
        name or str(row["product_name"] or ""),
        {score: _score(row[score]) for score in SCORES},
        moment_of(row["created_at"]),
    )


def _content(value: Any) -> Any:
    """The product as the contract has it: older versions wrote one variant without `Subtypes`, and
    a capacity with its unit."""
    found = json.loads(value) if isinstance(value, str) else value
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    variant = found.get("catalogB") if isinstance(found, dict) else None
    if not isinstance(variant, dict) or not variant or "Subtypes" in variant:
        return found
    if isinstance(told := variant.get("ItemCapacity"), str) and (held := read_capacity(told)):
        unit = variant.get("ItemCapacityUnits", held.unit)
        variant = {**variant, "ItemCapacity": held.amount, "ItemCapacityUnits": unit}
    return {**found, "catalogB": {"Subtypes": [variant]}}


def _score(value: Any) -> Decimal:
    return min(Decimal(5), max(Decimal(1), Decimal(str(value))))


def moment_of(value: Any) -> datetime:
    """A moment as the tool wrote it, in UTC when it said no zone; now where it said none."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return datetime.now(UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def reason(error: ValueError) -> str:
    """Why a row fits no product, in a line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).splitlines()[0][:200]
