"""What a deployment may choose about its catalog."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, SecretStr, model_validator

from buttress.apps.catalog.evaluation.outcome import JudgedBy, Weights
from buttress.settings import AppSettings


class CatalogSettings(AppSettings, env_prefix="BUTTRESS_CATALOG__"):
    """Weights of the evaluation, pace of fetching, destinations of results."""

    structure_weight: Decimal = Field(
        Decimal("0.2"), ge=0, le=1, description="of the three metrics"
    )
    content_weight: Decimal = Field(Decimal("0.5"), ge=0, le=1, description="of the three metrics")
    translation_weight: Decimal = Field(
        Decimal("0.3"), ge=0, le=1, description="of the three metrics; the three add up to 1"
    )
    judge: str = Field("", description="model that judges besides the rules; empty for none")
    judge_by: JudgedBy = Field(
        "gateway",
        description="what puts the judge's question together; openevals is an extra to install",
    )
    parallel: int = Field(2, ge=1, le=64, description="products a worker extracts at a time")
    polite_seconds: float = Field(2.0, ge=0, description="wait between pages of one web host")
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="address:port of an intranet's web servers that may be fetched from, as JSON",
    )
    claim_minutes: int = Field(15, ge=1, description="how long a claimed review stays claimed")
    folder: str = Field("", description="where results may be delivered: a folder or s3://…")
    dropbox_token: SecretStr = Field(SecretStr(""), description="to deliver results to Dropbox")
    webhook_url: SecretStr = Field(SecretStr(""), description="told of results by POST")

    @property
    def weights(self) -> Weights:
        """What each metric counts for."""
        return Weights(
            structure=self.structure_weight,
            content=self.content_weight,
            translation=self.translation_weight,
        )

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if self.structure_weight + self.content_weight + self.translation_weight != 1:
            raise ValueError("the weights of structure, content and translation must add up to 1")
        return self
