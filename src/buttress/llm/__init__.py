"""Language models: one way to ask them, and an account of every call.

    answer = runtime.llm.complete(text, purpose="catalog.extract", into=Product)
    for piece in runtime.llm.stream("Tell me about oaks", purpose="assistant.chat"): ...

Importing this imports no client of a provider.
"""

from buttress.llm.completion import Completion, Message, Tokens
from buttress.llm.gateway import LLM
from buttress.llm.offline import offline
from buttress.llm.providers import PROVIDERS, Provider, Providers
from buttress.llm.streams import AsyncStream, Stream
from buttress.llm.usage import GROUPS, UsageRow, require_table, usage, usage_query

__all__ = [
    "GROUPS",
    "LLM",
    "PROVIDERS",
    "AsyncStream",
    "Completion",
    "Message",
    "Provider",
    "Providers",
    "Stream",
    "Tokens",
    "UsageRow",
    "offline",
    "require_table",
    "usage",
    "usage_query",
]
