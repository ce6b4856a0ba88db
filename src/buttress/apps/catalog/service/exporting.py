"""Products as files: whole as JSON, or flat as tables, one row for each variant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from buttress.apps.catalog.models import Product
from buttress.apps.catalog.products import CatalogA, Fragrance, Variant
from buttress.apps.catalog.service.products import Filter, filtered
from buttress.exports import Format, export_chunks

AT_ONCE = 500
MARKETING = tuple(
    field.alias or name for name, field in CatalogA.model_fields.items() if name != "fragrance"
)
PERFUME = tuple(field.alias or name for name, field in Fragrance.model_fields.items())
LOGISTICS = tuple(field.alias or name for name, field in Variant.model_fields.items())


def export(session: Session, format: Format, products: Sequence[int] | Filter) -> Iterator[bytes]:
    """Those products, in pieces of a file; the session stays open until the last.

    JSON has each product as it is; the tables have one row for each variant, with the fields that
    its product has in common with the others.
    """
    chosen = _chosen(session, products)
    if format in ("json", "jsonl"):
        return export_chunks(None, _whole(chosen), format)
    return export_chunks(None, _flat(chosen), format)


def flat(product: Product) -> Iterator[dict[str, Any]]:
    """The rows of one product; one without logistics when it has no variant."""
    marketing = product.content.get("catalogA", {})
    perfume = marketing.get("Fragrance") or {}
    common = {
        "product": product.id,
        "type": product.product_type,
        "overall": product.overall,
        **{name: _cell(marketing.get(name)) for name in MARKETING},
        **{name: _cell(perfume.get(name)) for name in PERFUME},
    }
    variants = product.content.get("catalogB", {}).get("Subtypes") or [{}]
    for variant in variants:
        yield common | {name: _cell(variant.get(name)) for name in LOGISTICS}


def whole(product: Product) -> dict[str, Any]:
    """A product as it leaves the catalog."""
    return {"id": product.id, "type": product.product_type, **product.content}


def _chosen(session: Session, products: Sequence[int] | Filter) -> Iterator[Product]:
    chosen = select(Product).options(undefer(Product.content)).order_by(Product.id)
    if isinstance(products, Filter):
        chosen = filtered(chosen, products)
    else:
        chosen = chosen.where(Product.id.in_(products))
    return iter(session.scalars(chosen.execution_options(yield_per=AT_ONCE)))


def _whole(products: Iterator[Product]) -> Iterator[dict[str, Any]]:
    return (whole(product) for product in products)


def _flat(products: Iterator[Product]) -> Iterator[dict[str, Any]]:
    return (row for product in products for row in flat(product))


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
