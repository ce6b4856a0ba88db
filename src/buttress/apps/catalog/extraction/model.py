"""Extraction by a language model, each of its values held against the sources."""

from __future__ import annotations

from buttress.apps.catalog.extraction import offline
from buttress.apps.catalog.extraction.customs import classify, with_customs
from buttress.apps.catalog.extraction.draft import Draft
from buttress.apps.catalog.extraction.enclosing import addressing, enclosed
from buttress.apps.catalog.extraction.prompts import Prompt, name_of, shipped_prompt
from buttress.apps.catalog.extraction.result import Extraction, Origin
from buttress.apps.catalog.extraction.verification import verified
from buttress.apps.catalog.extraction.wording import slug
from buttress.apps.catalog.material import Found, Material
from buttress.apps.catalog.products import KINDS, Product, ProductType
from buttress.apps.catalog.products.contract import MODEL_NAME
from buttress.llm import LLM, Completion

PURPOSE = "catalog.extract"
A = "catalogA."
SPOKEN_TO = 0.2
"""How sure a value is that stands in a sentence which tells a model what to do."""


def extract(
    llm: LLM,
    material: Material,
    product_type: ProductType,
    *,
    model: str | None = None,
    temperature: float | None = None,
    prompt: Prompt | None = None,
    customs_prompt: Prompt | None = None,
    customs_model: str | None = None,
    deadline_seconds: float | None = None,
) -> Extraction:
    """What a model makes of the sources, and the customs code it chooses in a second step.

    Facts that no source states are emptied, with a note. Where neither a model is named nor one
    configured, or there is no text to read, this is what the offline engine finds.

    Parameters
    ----------
    prompt, customs_prompt
        What it is told; the prompts that come with the app unless given.
    customs_model
        Who chooses the customs code; `model` unless given.

    Raises
    ------
    ModelUnavailable, ModelRefused, ModelOutputInvalid, BudgetSpent, ConfigurationError, NotFound
        As `LLM.complete`, of the first step; without a second one, rules choose the code.
    """
    if not (model or llm.settings.model) or not material.text.strip():
        return offline.extract(material, product_type)
    prompt = prompt or shipped_prompt(name_of(product_type))
    text, cut = enclosed(material)
    completion = llm.complete(
        text,
        purpose=PURPOSE,
        into=Product,
        model=model,
        system=prompt.text,
        temperature=temperature,
        deadline_seconds=deadline_seconds,
    )
    draft = Draft()
    if cut:
        draft.note("the sources are longer than what a model is given: their end was not read")
    if completion.truncated:
        draft.note("the model's answer was cut off at its limit")
    verified(completion.value, material, draft)
    compute(draft, product_type)
    _doubt_addressing(draft, material)
    if not completion.value.catalog_b.variants:
        draft.note("the model found nothing that can be ordered", "catalogB.Subtypes")
    extraction = _extraction(draft, completion, prompt)
    if not extraction.product.catalog_b.variants:
        return extraction
    classified = classify(
        llm,
        extraction.product,
        product_type,
        model=customs_model or model,
        prompt=customs_prompt,
    )
    return with_customs(extraction, classified)


def compute(draft: Draft, product_type: ProductType) -> None:
    """The fields that follow from others: slugs, the shop's constant, the kind of instructions."""
    brand = draft.get(f"{A}brand") or ""
    for language in ("EN", "PT"):
        title = draft.get(f"{A}Title{language}")
        if title:
            made = Origin(how="computed", confidence=0.95, remark="of brand and title")
            draft.put(f"{A}Url{language}", slug(brand, title), made)
    draft.put(f"{A}ModelName", MODEL_NAME, Origin(how="computed", remark="always this"))
    if draft.get(f"{A}HowToEN") or draft.get(f"{A}HowToPT"):
        made = Origin(how="computed", confidence=0.9, remark="by the type of product")
        draft.put(f"{A}HowtoType", KINDS[product_type].how_to, made)


def _doubt_addressing(draft: Draft, material: Material) -> None:
    """Tell of sentences that speak to a model, and doubt what was read in them."""
    suspects = addressing(material)
    for source, passage in suspects[:3]:
        draft.note(f"source {source} seems to tell a model what to do: {passage.text[:120]!r}")
    suspected = {Found(source, passage.place, "") for source, passage in suspects}
    for path, origin in draft.origins.items():
        if origin.place is not None and Found(origin.source, origin.place, "") in suspected:
            draft.origins[path] = origin.model_copy(
                update={
                    "confidence": SPOKEN_TO,
                    "remark": "stands in a sentence that tells a model what to do",
                }
            )


def _extraction(draft: Draft, completion: Completion[Product], prompt: Prompt) -> Extraction:
    return draft.extraction(
        engine=completion.model,
        prompts={prompt.name: str(prompt.version)},
        calls=(completion.id,),
        cost_usd=completion.cost,
    )
