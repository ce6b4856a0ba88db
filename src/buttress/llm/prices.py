"""What tokens cost: the deployment's own prices first, then the table of genai-prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from buttress.llm.completion import Tokens
from buttress.llm.providers import PROVIDERS

PLACES = Decimal("0.0000000001")
"""What the column keeps: a token of the cheapest model costs some 1e-8 USD."""


class Prices:
    """Prices in USD; `own` are per million tokens in and out, by provider:name."""

    def __init__(self, own: Mapping[str, tuple[float, float]]) -> None:
        self.own = {
            model: (Decimal(str(inward)), Decimal(str(outward)))
            for model, (inward, outward) in own.items()
        }

    def cost(self, model: str, tokens: Tokens) -> Decimal | None:
        """What a model takes for these tokens; None when nobody knows."""
        if model in self.own:
            inward, outward = self.own[model]
            return ((inward * tokens.input + outward * tokens.output) / 1_000_000).quantize(PLACES)
        provider, _, name = model.partition(":")
        listed = PROVIDERS[provider].prices if provider in PROVIDERS else ""
        if not listed:
            return None
        from genai_prices import Usage, calc_price

        usage = Usage(
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=min(tokens.cached, tokens.input),
        )
        try:
            price = calc_price(usage, name, provider_id=listed)
        except (LookupError, ValueError):  # a model it does not know, or cannot price
            return None
        return price.total_price.quantize(PLACES)

    def per_million(self, model: str) -> tuple[Decimal, Decimal] | None:
        """USD for a million tokens in, and out; None when nobody knows."""
        # Between a thousand and two: some take a fee for each request, some more for long prompts.
        inward = self._between(model, Tokens(input=1_000), Tokens(input=2_000))
        outward = self._between(model, Tokens(output=1_000), Tokens(output=2_000))
        return None if inward is None or outward is None else (inward * 1_000, outward * 1_000)

    def _between(self, model: str, fewer: Tokens, more: Tokens) -> Decimal | None:
        less, cost = self.cost(model, fewer), self.cost(model, more)
        return None if less is None or cost is None else cost - less
