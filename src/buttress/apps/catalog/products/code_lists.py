"""The closed lists of codes, read from the data files in `codes/`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True)
class Code:
    """A number of a list, what it means, and the words that documents use for it."""

    code: int
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class HSCode:
    """A customs code of eight digits; `words` are what the rules propose it by.

    `types` are the values of `ProductType` that it is proposed for.
    """

    code: str
    group: str
    description: str
    types: frozenset[str]
    words: tuple[str, ...]


def code_of(word: str, codes: Mapping[int, Code]) -> int | None:
    """The code that a word of a document stands for: "cápsulas" is 6 among the units."""
    wanted = " ".join(word.casefold().split())
    return next((code.code for code in codes.values() if wanted in code.words), None)


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files(__package__).joinpath("codes", name).read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


def _codes(name: str) -> Mapping[int, Code]:
    found = {}
    for row in _rows(name):
        number = int(row["code"])
        found[number] = Code(number, row["name"], tuple(row["words"].split(";")))
    return MappingProxyType(found)


def _hs_codes() -> Mapping[str, HSCode]:
    return MappingProxyType(
        {
            row["code"]: HSCode(
                row["code"],
                row["group"],
                row["description"],
                frozenset(row["types"].split(";")),
                tuple(row["words"].split(";")),
            )
            for row in _rows("hs_codes.csv")
        }
    )


UNITS = _codes("units.csv")
PACK_TYPES = _codes("pack_types.csv")
HOW_TO_TYPES = _codes("how_to_types.csv")
HS_CODES = _hs_codes()
