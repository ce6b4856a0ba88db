"""The notes of perfumes, in both languages."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def notes_in(language: str) -> Mapping[str, str]:
    """For each note of the list, in lower case in the other language, how "en" or "pt" call it."""
    text = files(__package__).joinpath("notes.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if language == "pt":
        return {row["english"]: _capitalised(row["portuguese"]) for row in rows}
    return {row["portuguese"]: _capitalised(row["english"]) for row in rows}


def _capitalised(note: str) -> str:
    return note[:1].upper() + note[1:]
