"""A product while it is being made: values by path, each with its origin."""

from __future__ import annotations

from typing import Any

from buttress.apps.catalog.extraction.result import Extraction, Note, Origin
from buttress.apps.catalog.products import Product
from buttress.apps.catalog.products.values import text_of


class Draft:
    """Values that were found; the first for a path stays."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self.notes: list[Note] = []

    def put(self, path: str, value: Any, origin: Origin) -> None:
        """Set a field unless it is set, or there is nothing to set it to."""
        value = _storable(value)
        if value in (None, "", ()) or path in self.values:
            return
        self.values[path] = value
        self.origins[path] = origin

    def note(self, text: str, field: str = "") -> None:
        """Tell something about the extraction, once."""
        note = Note(text=text, field=field)
        if note not in self.notes:
            self.notes.append(note)

    def get(self, path: str) -> Any:
        """What a field is set to, None when it is not."""
        return self.values.get(path)

    def extraction(self, **about: Any) -> Extraction:
        """The result; raises pydantic's `ValidationError` when a value does not fit its field."""
        return Extraction(
            product=Product.model_validate(_tree(self.values)),
            origins=self.origins,
            notes=tuple(self.notes),
            **about,
        )


def _storable(value: Any) -> Any:
    """The value as fields keep it, so that one that becomes empty has no origin."""
    if isinstance(value, tuple | list):
        return tuple(text for one in value if (text := text_of(one)))
    return text_of(value) if isinstance(value, str) else value


def _tree(values: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *way, last = path.split(".")
        node = tree
        for step in way:
            node = node.setdefault(step, {})
        node[last] = value
    rows = tree.get("catalogB", {}).get("Subtypes")
    if rows is not None:
        # A variant of which nothing was found keeps its place: paths of origins count on it.
        count = max(map(int, rows)) + 1
        tree["catalogB"]["Subtypes"] = [rows.get(str(number), {}) for number in range(count)]
    return tree
