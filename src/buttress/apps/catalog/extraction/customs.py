"""The customs code of a product, chosen from the closed list by a model; by rules without one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from buttress.apps.catalog.extraction.enclosing import MARK
from buttress.apps.catalog.extraction.offline.customs import propose
from buttress.apps.catalog.extraction.prompts import CUSTOMS, Prompt, shipped_prompt, with_codes
from buttress.apps.catalog.extraction.result import Extraction, Note, Origin
from buttress.apps.catalog.products import HS_CODES, Product, ProductType, with_field
from buttress.errors import BudgetSpent, ModelOutputInvalid, ModelRefused, ModelUnavailable
from buttress.llm import LLM

TEMPERATURE = 0.1
CHOSEN = 0.7
MOST_CHARACTERS = 6_000


class CustomsChoice(BaseModel):
    """A code of the closed list, and why."""

    code: str = Field(description="Eight digits without dots, one of the list.")
    reason: str = Field(default="", description="One sentence.")

    @field_validator("code")
    @classmethod
    def _listed(cls, code: str) -> str:
        digits = re.sub(r"\D", "", code)
        if digits not in HS_CODES:
            raise ValueError(f"{code[:20]!r} is not on the list of allowed codes")
        return digits


@dataclass(frozen=True)
class Classified:
    """A code with its origin, "" when none was found; the notes, the calls and what they cost."""

    code: str
    origin: Origin | None
    notes: tuple[str, ...] = ()
    calls: tuple[UUID, ...] = ()
    cost_usd: Decimal | None = None
    prompt: Prompt | None = None


def classify(
    llm: LLM,
    product: Product,
    product_type: ProductType,
    *,
    model: str | None = None,
    prompt: Prompt | None = None,
) -> Classified:
    """The code a model chooses, or the rules' where no model is configured or none answers."""
    if not (model or llm.settings.model):
        return by_rules(product, product_type)
    prompt = prompt or shipped_prompt(CUSTOMS)
    try:
        completion = llm.complete(
            _about(product, product_type),
            purpose="catalog.customs",
            into=CustomsChoice,
            model=model,
            system=with_codes(prompt.text),
            temperature=TEMPERATURE,
        )
    except (ModelUnavailable, ModelRefused, ModelOutputInvalid, BudgetSpent) as error:
        ruled = by_rules(product, product_type)
        told = f"the model chose no customs code, the rules did: {error.message}"
        return Classified(ruled.code, ruled.origin, (told, *ruled.notes))
    code = HS_CODES[completion.value.code]
    reason = " ".join(completion.value.reason.split())[:200]
    remark = f"{code.description}; {reason}" if reason else code.description
    origin = Origin(how="computed", confidence=CHOSEN, remark=remark)
    return Classified(
        code.code, origin, calls=(completion.id,), cost_usd=completion.cost, prompt=prompt
    )


def by_rules(product: Product, product_type: ProductType) -> Classified:
    """The code the rules propose for the words of a product."""
    names = [product.catalog_a.title_en, product.catalog_a.title_pt]
    names += [variant.item_description_en for variant in product.catalog_b.variants[:1]]
    proposal = propose(product_type, " ".join(names), _described(product))
    if proposal is None:
        return Classified("", None, ("no customs code fits the words of the product",))
    remark = f"{proposal.code.description}; proposed for: {', '.join(proposal.words[:3])}"
    origin = Origin(how="computed", confidence=proposal.confidence, remark=remark)
    return Classified(proposal.code.code, origin)


def with_customs(extraction: Extraction, classified: Classified) -> Extraction:
    """The extraction with that code in every variant that has not read one in a source."""
    product, origins = extraction.product, dict(extraction.origins)
    for number in range(len(product.catalog_b.variants)):
        path = f"catalogB.Subtypes.{number}.HSCode"
        if path in origins and origins[path].how == "read":
            continue
        product = with_field(product, path, classified.code)
        origins.pop(path, None)
        if classified.origin is not None:
            origins[path] = classified.origin
    prompts = dict(extraction.prompts)
    if classified.prompt is not None:
        prompts[classified.prompt.name] = str(classified.prompt.version)
    costs = [cost for cost in (extraction.cost_usd, classified.cost_usd) if cost is not None]
    notes = (Note(text=text, field="catalogB.Subtypes.0.HSCode") for text in classified.notes)
    return extraction.model_copy(
        update={
            "product": product,
            "origins": origins,
            "notes": (*extraction.notes, *notes),
            "prompts": prompts,
            "calls": (*extraction.calls, *classified.calls),
            "cost_usd": sum(costs, Decimal(0)) if costs else None,
        }
    )


def _about(product: Product, product_type: ProductType) -> str:
    text = f"Type: {product_type.value}\n{_described(product)}"
    return f"<source>\n{MARK.sub('‹', text)}\n</source>"


def _described(product: Product) -> str:
    a = product.catalog_a
    told = {
        "Brand": a.brand,
        "Name": a.title_en or a.title_pt,
        "Description": re.sub(r"<[^<>]*>", " ", a.description_en or a.description_pt),
        "Ingredients": a.ingredients,
        "How to use": re.sub(r"<[^<>]*>", " ", a.how_to_en or a.how_to_pt),
        "Variants": "; ".join(one.item_description_en for one in product.catalog_b.variants[:20]),
    }
    return "\n".join(f"{name}: {text}" for name, text in told.items() if text)[:MOST_CHARACTERS]
