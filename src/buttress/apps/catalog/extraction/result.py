"""What an extraction finds: the product, and where each of its values came from."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from buttress.apps.catalog.material import Place
from buttress.apps.catalog.products import Product

How = Literal["read", "translated", "computed", "written", "corrected"]

MACHINE_TRANSLATION = "machine translation, review"
RULES = "rules"


class Origin(BaseModel):
    """Where the value of a field came from.

    Attributes
    ----------
    how
        Read from a source, translated, computed from other values, or written by a model or from a
        template.
    source, place, text
        For what was read: the source's id, the place in it, and the text that matched there.
    confidence
        From 0 to 1; a guess of the engine's, for ordering what people look at first.
    remark
        What the person who checks it should know.
    """

    model_config = ConfigDict(frozen=True)

    how: How
    source: str = ""
    place: Place | None = None
    text: str = ""
    confidence: float = Field(default=1.0, ge=0, le=1)
    remark: str = ""


class Note(BaseModel):
    """Something to tell about the extraction, or about one of its fields."""

    model_config = ConfigDict(frozen=True)

    text: str
    field: str = ""


class Extraction(BaseModel):
    """A product with the origin of every value that is not empty, by the field's path.

    Paths are those of the product's JSON: `catalogA.TitleEN`, `catalogB.Subtypes.0.EAN`. `engine`
    is "rules", or the model that answered; `prompts` the names and versions of what it was asked,
    `calls` the gateway's records of it, and `cost_usd` what they took, None when that is unknown.
    """

    model_config = ConfigDict(frozen=True)

    product: Product
    origins: dict[str, Origin] = Field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    engine: str = RULES
    prompts: dict[str, str] = Field(default_factory=dict)
    calls: tuple[UUID, ...] = ()
    cost_usd: Decimal | None = None
