"""Product content from documents: extracted, evaluated, reviewed, delivered."""

from buttress.app import App

app = App(
    "catalog",
    title="Catalog",
    summary="Product pages from supplier documents, with the place each value was read from.",
)
