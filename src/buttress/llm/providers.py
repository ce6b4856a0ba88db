"""Who offers language models, and which one a name like `groq:llama-3.3-70b-versatile` means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from buttress.errors import ConfigurationError, NotFound
from buttress.settings import Settings

OFFLINE = "offline"


@dataclass(frozen=True)
class Provider:
    """One provider: its variables, its extra, and how it is told which form an answer has.

    `prices` is its name in the table of prices; empty for servers of one's own.
    """

    name: str
    key: str
    extra: str = ""
    base_url: str = ""
    prices: str = ""
    form: Literal["tool", "native"] = "tool"


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("openai", "OPENAI_API_KEY", prices="openai"),
        Provider("groq", "GROQ_API_KEY", extra="groq", prices="groq"),
        Provider("anthropic", "ANTHROPIC_API_KEY", extra="anthropic", prices="anthropic"),
        Provider("gemini", "GEMINI_API_KEY", extra="google", prices="google"),
        Provider(
            "perplexity",
            "PERPLEXITY_API_KEY",
            base_url="https://api.perplexity.ai",
            prices="perplexity",
            form="native",  # it knows no tools
        ),
        Provider("openai-compatible", "BUTTRESS_LLM__API_KEY"),
    )
}


@dataclass(frozen=True)
class Chosen:
    """One model of one provider, with what is needed to reach it."""

    provider: Provider
    name: str
    key: SecretStr
    base_url: str

    def __str__(self) -> str:
        return f"{self.provider.name}:{self.name}"


@dataclass(frozen=True)
class Providers:
    """The providers as a deployment has set them up."""

    keys: Mapping[str, SecretStr]
    base_urls: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> Providers:
        """Those of a deployment."""
        return cls(settings.model_keys, {"openai-compatible": settings.llm.base_url})

    def is_configured(self, name: str) -> bool:
        """Whether a provider has what it needs to be asked."""
        return name in self.keys if name != "openai-compatible" else bool(self.base_urls.get(name))

    def choose(self, model: str) -> Chosen:
        """The model of that name.

        Raises
        ------
        NotFound
            The name is not provider:name of a provider we know.
        ConfigurationError
            The provider lacks its key, or its address.
        """
        provider, _, name = model.partition(":")
        if provider not in PROVIDERS or not name:
            raise NotFound(
                f"{model!r} names no model",
                hint=f"Write provider:name; providers are {', '.join(PROVIDERS)}.",
            )
        known = PROVIDERS[provider]
        if not self.is_configured(provider):
            lacking = "BUTTRESS_LLM__BASE_URL" if provider == "openai-compatible" else known.key
            raise ConfigurationError(f"{model} cannot be asked", hint=f"Set {lacking}.")
        base_url = self.base_urls.get(provider) or known.base_url
        return Chosen(known, name, self.keys.get(provider, SecretStr("")), base_url)
