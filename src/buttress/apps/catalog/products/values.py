"""The kinds of values that fields of a product hold.

What is unknown is empty: "" for text, None for numbers. Zero stands for "unknown" in the JSON that
older tools write, and is read as None where a quantity is always above zero.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

LARGEST = 10**9
UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def text_of(value: Any) -> Any:
    """Text without what databases and browsers do not take; None is empty; numbers are spelled."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.0f}" if float(value).is_integer() else str(value)
    return UNSTORABLE.sub("", value).strip() if isinstance(value, str) else value


def quantity_of(value: Any) -> Any:
    """A number above zero, or None; "12.5" is read, a comma for decimals too."""
    if isinstance(value, str):
        value = value.strip().replace(",", ".") if value.count(",") == 1 else value.strip()
        if not value:
            return None
    if isinstance(value, float):
        value = str(value)  # 12.1 and not its binary neighbour
    try:
        number = Decimal(value) if isinstance(value, str | int) else value
    except InvalidOperation:
        return value
    return None if number == 0 else number


def code_number(value: Any) -> Any:
    """A code as a number: "2" is 2, empty is None."""
    if isinstance(value, str):
        value = value.strip()
        return value or None
    return value


def spelled(number: Decimal) -> Decimal:
    """The number without zeros at its end."""
    return number.quantize(Decimal(1)) if number == number.to_integral() else number.normalize()


def _json_number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral() else float(number)


Text = Annotated[str, BeforeValidator(text_of)]
"""Plain text, "" when unknown."""

Html = Annotated[str, BeforeValidator(text_of), Field(max_length=50_000)]
"""HTML of paragraphs, lists, emphasis and quotations; shown escaped, never rendered as it is."""

Quantity = Annotated[
    Decimal,
    Field(gt=0, le=LARGEST),
    AfterValidator(spelled),
    PlainSerializer(_json_number, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""A measure or a price, exact."""

Measure = Annotated[Quantity | None, BeforeValidator(quantity_of)]
ListCode = Annotated[int | None, BeforeValidator(code_number)]
