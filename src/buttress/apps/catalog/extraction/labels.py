"""What documents call the fields of a product, in English and Portuguese."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from buttress.apps.catalog.material import words_of

FieldKind = Literal[
    "line", "text", "list", "words", "digits", "measure", "mass", "length", "lengths", "price",
    "code", "skip",
]  # fmt: skip
Language = Literal["en", "pt", ""]

MOST_WORDS = 6
"""A label is short; a sentence that begins like one is none."""
BRACKETED = re.compile(r"[(\[]([^)\]]{1,20})[)\]]")
ENDINGS = frozenset(
    [
        "g",
        "kg",
        "gr",
        "grams",
        "ml",
        "l",
        "cm",
        "mm",
        "m",
        "eur",
        "euro",
        "euros",
        "usd",
        "gbp",
        "€",
        "$",
        "£",
        "en",
        "pt",
    ]
)
"""What follows a label as a unit, a currency or a language."""
NUMERIC = frozenset({"digits", "measure", "mass", "length", "lengths", "price"})


@dataclass(frozen=True)
class Field:
    """A field that documents tell: what it is, and what its values look like."""

    name: str
    kind: FieldKind
    language: Language

    @property
    def long(self) -> bool:
        """Whether its value may take several lines."""
        return self.kind in ("text", "list")


@dataclass(frozen=True)
class Label:
    """A label that was understood; `unit` is what it says about its values, as in "Weight (g)"."""

    field: Field
    unit: str = ""


def read_label(text: str) -> Label | None:
    """The field that a label names, None when it names none of ours."""
    unit = ""
    if bracketed := BRACKETED.search(text):
        unit = bracketed[1].strip().casefold()
        whole = _known(text)
        if whole is not None:
            return Label(whole, unit)
        text = BRACKETED.sub(" ", text)
    words = words_of(text.replace("€", " eur "))
    if not words or len(words) > MOST_WORDS:
        return None
    field = _LABELS.get(" ".join(words))
    if field is None and len(words) > 1 and words[-1] in ENDINGS:
        field = _LABELS.get(" ".join(words[:-1]))
        if field is not None:
            language = words[-1] if words[-1] in ("en", "pt") else ""
            if language and field.language:
                return Label(_in_language(field, language))
            unit = unit or words[-1]
    return None if field is None else Label(field, unit)


def propose_columns(names: Sequence[str]) -> dict[str, str]:
    """For each column of a sheet that is understood, the field it holds.

    >>> propose_columns(["EAN", "Peso (g)", "Notes"])
    {'EAN': 'ean', 'Peso (g)': 'weight'}
    """
    found = {}
    for name in names:
        label = read_label(name)
        if label is not None and label.field.kind != "skip":
            found[name] = label.field.name
    return found


def _known(text: str) -> Field | None:
    return _LABELS.get(" ".join(words_of(text)))


def _in_language(field: Field, language: str) -> Field:
    return Field(field.name, field.kind, "pt" if language == "pt" else "en")


def _labels() -> dict[str, Field]:
    found: dict[str, Field] = {}
    text = files(__package__).joinpath("labels.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        field = Field(row["field"], row["kind"], row["language"])  # type: ignore[arg-type]
        for label in row["labels"].split(";"):
            found.setdefault(" ".join(words_of(label)), field)
    return found


_LABELS = _labels()
