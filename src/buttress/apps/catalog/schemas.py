"""What people and programs hand in: validated before anything is done."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from buttress.apps.catalog.products import ProductType

Model = Annotated[str, Field(pattern=r"^(offline|[a-z-]+:\S{1,100})$", max_length=120)]
"""`offline`, or `provider:name`."""
Rating = Annotated[int, Field(ge=1, le=5)]
Note = Annotated[str, Field(max_length=2000)]


class Given(BaseModel):
    """Nothing beyond what is declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Chosen(Given):
    """A document, and which part of it: pages of a PDF, a row of a sheet; all of it when neither.

    `row` and `header` count from 1, as spreadsheets do.
    """

    source_id: int
    pages: list[Annotated[int, Field(ge=1)]] | None = Field(None, min_length=1, max_length=200)
    sheet: str | None = None
    header: int | None = Field(None, ge=1)
    row: int | None = Field(None, ge=1)


class Engine(Given):
    """Who extracts, and how."""

    model: Model = "offline"
    temperature: Decimal = Field(Decimal(0), ge=0, le=2, decimal_places=2)
    prompt_id: int | None = None


class NewRequest(Engine):
    """A product to be extracted."""

    product_type: ProductType
    sources: list[Chosen] = Field(max_length=20)
    hint: str = Field("", max_length=10_000)


class ManyRows(Engine):
    """Rows of a sheet, each a product."""

    product_type: ProductType
    source_id: int
    sheet: str
    header: int = Field(ge=1)
    rows: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=5000)
    hint: str = Field("", max_length=10_000)


class ManyPages(Engine):
    """Pages of the web, each a product."""

    product_type: ProductType
    urls: list[Annotated[str, Field(min_length=8, max_length=2000)]] = Field(
        min_length=1, max_length=100
    )
    hint: str = Field("", max_length=10_000)


class Again(Engine):
    """Products to be extracted anew, as a whole or their customs codes only."""

    products: list[int] = Field(min_length=1, max_length=5000)
    scope: Literal["full", "hs-code"] = "full"


class Ratings(Given):
    """What a person says of an evaluation."""

    structure: Rating
    content: Rating
    translation: Rating
    notes: dict[Literal["structure", "content", "translation"], Note] = Field(default_factory=dict)
