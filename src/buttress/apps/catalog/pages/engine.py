"""The part of a form that says who extracts, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import streamlit as st

from buttress.apps.catalog.extraction.prompts import name_of, shipped_prompt
from buttress.apps.catalog.models import Prompt
from buttress.apps.catalog.pages.looks import model_title, type_title
from buttress.apps.catalog.pages.ways import given
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.schemas import Engine
from buttress.apps.catalog.service import prompts
from buttress.apps.catalog.service.engines import OFFLINE
from buttress.llm import PROVIDERS
from buttress.ui.current import current_runtime, page_session


@dataclass(frozen=True)
class Entered:
    """What the form says, unchecked."""

    model: str
    temperature: float
    prompt_id: int | None

    @property
    def engine(self) -> Engine:
        """Checked; raises `BadInput`."""
        return given(Engine, **self.values)

    @property
    def values(self) -> dict[str, object]:
        """By the names of the fields."""
        return {
            "model": self.model.strip(),
            "temperature": Decimal(str(round(self.temperature, 2))),
            "prompt_id": self.prompt_id,
        }


def choose_type(key: str, *, disabled: bool = False) -> ProductType:
    """Which of the types of products it is."""
    return ProductType(
        st.selectbox(
            "Type of product",
            [str(one) for one in ProductType],
            format_func=type_title,
            key=f"{key}-type",
            disabled=disabled,
            persist_state="session",
        )
    )


def choose_engine(key: str, product_type: ProductType | None = None) -> Entered:
    """Who extracts: the rules, or a model with a temperature and a version of its prompt.

    Without a type of product the prompts in use are taken.
    """
    model = st.selectbox(
        "Who extracts",
        models(),
        format_func=model_title,
        key=f"{key}-model",
        accept_new_options=bool(configured()),
        help="The offline engine reads labels and tables by rules, and translates on this machine.",
        persist_state="session",
    )
    model = model or OFFLINE
    if model == OFFLINE:
        st.caption(about_providers())
        return Entered(OFFLINE, 0.0, None)
    with st.container(horizontal=True):
        temperature = st.number_input(
            "Temperature", 0.0, 2.0, 0.0, 0.1, key=f"{key}-temperature", width=150
        )
        prompt_id = None if product_type is None else choose_prompt(key, product_type)
    return Entered(model, temperature, prompt_id)


def choose_prompt(key: str, product_type: ProductType) -> int | None:
    """The version of the prompt for that type; None is the one in use."""
    name = name_of(product_type)
    with page_session() as session:
        found: Sequence[Prompt] = prompts.versions(session, name)
    if not found:
        st.caption(f"Prompt {name}, version {shipped_prompt(name).version}, as it came.")
        return None
    titles = {one.id: f"{name}, version {one.version}" for one in found}
    return st.selectbox(
        "Version of the prompt",
        [None, *titles],
        format_func=lambda id: "the one in use" if id is None else titles[id],
        key=f"{key}-prompt-{name}",
        width=260,
    )


def configured() -> list[str]:
    """The providers that have what they need to be asked."""
    providers = current_runtime().llm.providers
    return [name for name in PROVIDERS if providers.is_configured(name)]


def models() -> list[str]:
    """The offline engine, and the models the settings name whose providers can be asked."""
    settings = current_runtime().llm.settings
    named = [settings.model, *settings.fallback.split(",")]
    there = configured()
    asked = [one.strip() for one in named if one.strip().partition(":")[0] in there]
    return [OFFLINE, *dict.fromkeys(asked)]


def about_providers() -> str:
    """Which models could be chosen besides the rules."""
    there = configured()
    if there:
        return f"Models of {', '.join(there)} can be asked too: type provider:name above."
    return (
        "No language model is set up here, so rules do all of it: they read what stands beside "
        "labels and in tables. An admin can set a provider's key, such as OPENAI_API_KEY."
    )
