"""Who extracts: the rules of the offline engine, or a model with a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from buttress.apps.catalog.extraction import Extraction, model, offline
from buttress.apps.catalog.extraction.customs import by_rules, classify, with_customs
from buttress.apps.catalog.extraction.prompts import CUSTOMS, Prompt, name_of
from buttress.apps.catalog.material import Material
from buttress.apps.catalog.models import Request
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.service import prompts
from buttress.llm import LLM

OFFLINE = "offline"


@dataclass(frozen=True)
class Settings:
    """Who extracts a product of that type, and with which prompts besides the app's own."""

    product_type: ProductType
    model: str
    temperature: Decimal
    prompts: Mapping[str, Prompt]


def extracted(llm: LLM, settings: Settings, material: Material) -> Extraction:
    """Extract; raises what the gateway raises."""
    if settings.model == OFFLINE:
        return offline.extract(material, settings.product_type)
    return model.extract(
        llm,
        material,
        settings.product_type,
        model=settings.model,
        temperature=float(settings.temperature),
        prompt=settings.prompts.get(name_of(settings.product_type)),
        customs_prompt=settings.prompts.get(CUSTOMS),
    )


def with_new_codes(llm: LLM, settings: Settings, before: Extraction) -> Extraction:
    """A product as it is, with its customs codes chosen anew."""
    classified = (
        by_rules(before.product, settings.product_type)
        if settings.model == OFFLINE
        else classify(
            llm,
            before.product,
            settings.product_type,
            model=settings.model,
            prompt=settings.prompts.get(CUSTOMS),
        )
    )
    return with_customs(before, classified)


def prompts_of(session: Session, request: Request) -> Mapping[str, Prompt]:
    """The versions that replace those of the app, by name: the active ones, and above them the one
    that the request names."""
    chosen = list(prompts.all_active(session))
    if request.prompt_id is not None:
        chosen.append(prompts.prompt_of(session, request.prompt_id))
    return {one.name: Prompt(one.name, one.version, one.name, one.text) for one in chosen}
