"""Checks of language models: that those chosen can be asked, and what they may cost."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from buttress.check.facts import LOOPBACK, Facts
from buttress.check.registry import NotApplicable, check
from buttress.errors import ConfigurationError, NotFound
from buttress.settings import LLMSettings


def chosen(settings: LLMSettings) -> list[str]:
    """The models that are asked unless a call names another, without the rules that need none."""
    from buttress.llm.providers import OFFLINE

    if not settings.model:  # then the fallback is not asked either
        return []
    names = [settings.model, *settings.fallback.split(",")]
    return [name.strip() for name in names if name.strip() not in ("", OFFLINE)]


def has_budget(settings: LLMSettings) -> bool:
    """Whether there is any limit to what may be spent."""
    limits = (settings.app_daily_budget_usd, settings.person_daily_budget_usd)
    return settings.daily_budget_usd is not None or any(limits)


@check(
    "BT-851", "models", "warning", "No model chosen",
    cure="Set BUTTRESS_LLM__MODEL, or to `offline` where rules are meant to answer.",
)  # fmt: skip
def none_chosen(facts: Facts) -> str | None:
    """People are answered by rules, which only repeat what the text says: fit for development, and
    in production easily overlooked."""
    if facts.settings.environment != "production" or facts.settings.llm.model:
        return None
    return "no BUTTRESS_LLM__MODEL: answers come from rules"


@check(
    "BT-852", "models", "error", "Model that cannot be asked",
    cure="Set the key of its provider, or write BUTTRESS_LLM__MODEL as provider:name.",
)  # fmt: skip
def cannot_be_asked(facts: Facts) -> Iterator[str]:
    """Its provider is unknown, or has no key or address: the first call fails, in front of whoever
    made it. A fallback fails when it is needed."""
    from buttress.llm import Providers

    providers = Providers.of(facts.settings)
    for name in chosen(facts.settings.llm):
        try:
            providers.choose(name)
        except (ConfigurationError, NotFound) as error:
            yield f"{error.message}: {error.hint}"


@check(
    "BT-853", "models", "warning", "Budget that does not see a model",
    cure="Give its price in BUTTRESS_LLM__PRICES, in USD per million tokens.",
)  # fmt: skip
def without_price(facts: Facts) -> Iterator[str]:
    """Calls of a model without a known price cost nothing in the account: no budget ends them."""
    from buttress.llm.prices import Prices

    settings = facts.settings.llm
    if not has_budget(settings):
        raise NotApplicable
    prices = Prices(settings.prices)
    for name in chosen(settings):
        if prices.per_million(name) is None:
            yield f"the price of {name} is not known"


@check(
    "BT-854", "models", "warning", "Nothing limits what models cost",
    cure="Set BUTTRESS_LLM__DAILY_BUDGET_USD.", deploy=True,
)  # fmt: skip
def no_budget(facts: Facts) -> str | None:
    """A loop in an app, or one person with a script, spends until the provider stops it."""
    settings = facts.settings.llm
    if not chosen(settings):
        raise NotApplicable
    return "no BUTTRESS_LLM__DAILY_BUDGET_USD" if settings.daily_budget_usd is None else None


@check(
    "BT-855", "models", "error", "Models asked without TLS",
    cure="Write BUTTRESS_LLM__BASE_URL with https://.",
)  # fmt: skip
def plain_http(facts: Facts) -> str | None:
    """The key, what is asked and what is answered travel readable to another host."""
    address = urlsplit(facts.settings.llm.base_url)
    if address.scheme != "http" or (address.hostname or "").startswith(LOOPBACK):
        return None
    return f"BUTTRESS_LLM__BASE_URL leads to {address.hostname} by http"
