"""Types of what comes in and goes out."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, Field

Item = TypeVar("Item")
LONGEST_TEXT = 10_000


def storable(text: str) -> str:
    """Text a database can hold: no NUL, and no half of a surrogate pair."""
    if "\0" in text:
        raise ValueError("it contains a NUL character")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it contains half of a surrogate pair")
    return text


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(storable)]


class Page(BaseModel, Generic[Item]):
    """Some of a list, and how to get more."""

    items: list[Item]
    next: str | None = Field(
        None, description="what to ask for to get the next page; null at the end"
    )
