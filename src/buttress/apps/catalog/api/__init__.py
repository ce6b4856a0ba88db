"""Routes under /api/v1/catalog: documents in, batches, products, reviews, figures, results out."""

from buttress.apps.catalog.api import (
    batches,
    dashboard,
    documents,
    experiments,
    products,
    prompts,
    results,
    reviews,
)

__all__ = [
    "batches",
    "dashboard",
    "documents",
    "experiments",
    "products",
    "prompts",
    "results",
    "reviews",
]
