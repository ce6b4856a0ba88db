"""Fields of a product by their path in its JSON: `catalogA.TitleEN`, `catalogB.Subtypes.0.EAN`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from buttress.apps.catalog.products.contract import Product
from buttress.errors import NotFound


def leaves(product: Product) -> Iterator[tuple[str, Any]]:
    """Every field and its JSON value, empty ones too; lists of words are one field."""
    yield from _leaves(product.model_dump(mode="json", by_alias=True), "")


def read_field(product: Product, path: str) -> Any:
    """The JSON value at a path; raises `NotFound`."""
    return _at(product.model_dump(mode="json", by_alias=True), path.split("."), path)


def with_field(product: Product, path: str, value: Any) -> Product:
    """The product with another value at a path.

    Raises `NotFound` for a path that leads nowhere, and pydantic's `ValidationError` when the value
    does not fit the field.
    """
    tree = product.model_dump(mode="json", by_alias=True)
    *way, last = path.split(".")
    parent = _at(tree, way, path)
    _at(parent, [last], path)
    parent[int(last) if isinstance(parent, list) else last] = value
    return Product.model_validate(tree)


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for place, value in enumerate(tree):
            yield from _leaves(value, f"{path}.{place}")
    else:
        yield path, tree


def _at(tree: Any, way: list[str], path: str) -> Any:
    try:
        for step in way:
            tree = tree[int(step) if isinstance(tree, list) else step]
    except (KeyError, IndexError, TypeError, ValueError):
        raise NotFound(
            f"a product has no field {path!r}",
            hint="Name it as in its JSON: catalogA.TitleEN, catalogB.Subtypes.0.EAN.",
        ) from None
    return tree
