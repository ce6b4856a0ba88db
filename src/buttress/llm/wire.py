"""The one module that knows pydantic-ai: one request to one model, and what came back.

Importing pydantic-ai takes seconds, so that is left until a model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from buttress.errors import ConfigurationError
from buttress.llm.completion import Message, Tokens
from buttress.llm.providers import Chosen
from buttress.llm.shape import Shape

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

ANSWER = "answer"
"""The tool, or the schema, that stands for the type of the answer."""
TOOL_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Options:
    """How a model is asked."""

    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Reply:
    """What one request brought. `tokens` is None when the provider did not tell."""

    text: str
    tokens: Tokens | None
    refused: bool = False
    truncated: bool = False
    message: ModelResponse | None = None


def load() -> None:
    """Import what every call needs, so that no call's deadline pays for it."""
    import pydantic_ai.models.openai
    import pydantic_ai.providers.openai_compatible  # noqa: F401  # importing is all


def open_model(chosen: Chosen) -> Model:
    """The client of a model; raises `ConfigurationError` when its package is not installed."""
    try:
        return _model(chosen)
    except ImportError as error:
        extra = chosen.provider.extra
        hint = f'Run: pip install "buttress[{extra}]"' if extra else "Install buttress again."
        raise ConfigurationError(
            f"{chosen} cannot be asked: its client is not installed", hint=hint
        ) from error


def _model(chosen: Chosen) -> Model:
    key, address = chosen.key.get_secret_value(), chosen.base_url or None
    match chosen.provider.name:
        case "groq":
            from pydantic_ai.models.groq import GroqModel
            from pydantic_ai.providers.groq import GroqProvider

            return GroqModel(chosen.name, provider=GroqProvider(api_key=key, base_url=address))
        case "anthropic":
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            anthropic = AnthropicProvider(api_key=key, base_url=address)
            return AnthropicModel(chosen.name, provider=anthropic)
        case "gemini":
            from pydantic_ai.models.google import GoogleModel
            from pydantic_ai.providers.google import GoogleProvider

            google = GoogleProvider(api_key=key, base_url=address)
            return GoogleModel(chosen.name, provider=google)
        case "openai":
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai import OpenAIProvider

            # Without an address it would read one from the environment, which is not its place.
            address = address or "https://api.openai.com/v1"
            openai = OpenAIProvider(api_key=key, base_url=address)
            return OpenAIChatModel(chosen.name, provider=openai)
        case name:
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

            compatible = OpenAICompatibleProvider(
                name, base_url=chosen.base_url, api_key=key or None
            )
            return OpenAIChatModel(chosen.name, provider=compatible)


class Talk:
    """A conversation with one model, which grows by its answers and what was wrong with them."""

    def __init__(
        self,
        model: Model,
        turns: Sequence[Message],
        *,
        options: Options,
        shape: Shape[Any] | None = None,
        native: bool = False,
    ) -> None:
        self.model = model
        self.settings = _settings(options)
        self.parameters = _parameters(shape, native=native)
        self.messages = _messages(turns)

    async def ask(self) -> Reply:
        """One request; raises whatever the provider's client raises."""
        response = await self.model.request(self.messages, self.settings, self.parameters)
        return _reply(response)

    async def stream(self, put: Callable[[str], None]) -> Reply:
        """The same, giving pieces of text away as they come."""
        from pydantic_ai.messages import (
            PartDeltaEvent,
            PartStartEvent,
            TextPart,
            TextPartDelta,
        )

        async with self.model.request_stream(
            self.messages, self.settings, self.parameters
        ) as stream:
            async for event in stream:
                piece = ""
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    piece = event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    piece = event.delta.content_delta
                if piece:
                    put(piece)
            return _reply(stream.get())

    def object_to(self, reply: Reply, problems: Sequence[str]) -> None:
        """Have the next request tell what was wrong with the last answer."""
        from pydantic_ai.messages import (
            ModelRequest,
            ModelRequestPart,
            ToolCallPart,
            ToolReturnPart,
            UserPromptPart,
        )

        words = "Your answer does not fit the schema. Answer again, with this mended:\n"
        words += "\n".join(f"- {problem}" for problem in problems)
        calls = [
            part
            for part in (reply.message.parts if reply.message else ())
            if isinstance(part, ToolCallPart)
        ]
        objections: list[ModelRequestPart] = [
            ToolReturnPart(call.tool_name, words, tool_call_id=call.tool_call_id) for call in calls
        ]
        if reply.message and reply.message.parts:
            self.messages.append(reply.message)
        self.messages.append(ModelRequest(parts=objections or [UserPromptPart(words)]))


async def enter(stack: AsyncExitStack, model: Model) -> None:
    """Have the model's connections closed with the stack."""
    await stack.enter_async_context(model)


def _settings(options: Options) -> ModelSettings:
    settings: ModelSettings = {"max_retries": 0}  # trying again is our business
    if options.temperature is not None:
        settings["temperature"] = options.temperature
    if options.max_tokens is not None:
        settings["max_tokens"] = options.max_tokens
    return settings


def _parameters(shape: Shape[Any] | None, *, native: bool) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    if shape is None:
        return ModelRequestParameters()
    name = TOOL_NAME.sub("_", shape.name)[:60] or ANSWER
    if native:
        whole = OutputObjectDefinition(json_schema=shape.schema, name=name)
        return ModelRequestParameters(output_mode="native", output_object=whole)
    tool = ToolDefinition(
        name=name,
        parameters_json_schema=shape.schema,
        description="Give the answer.",
        kind="output",
    )
    return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)


def _messages(turns: Sequence[Message]) -> list[ModelMessage]:
    from pydantic_ai.messages import (
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextPart,
        UserPromptPart,
    )

    messages: list[ModelMessage] = []
    for turn in turns:
        match turn.role:
            case "assistant":
                messages.append(ModelResponse(parts=[TextPart(turn.text)]))
            case "system":
                messages.append(ModelRequest(parts=[SystemPromptPart(turn.text)]))
            case "user":
                messages.append(ModelRequest(parts=[UserPromptPart(turn.text)]))
    return messages


def _reply(response: ModelResponse) -> Reply:
    from pydantic_ai.messages import TextPart, ToolCallPart

    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    texts = [part.content for part in response.parts if isinstance(part, TextPart)]
    usage = response.usage
    told = bool(usage.input_tokens or usage.output_tokens)
    tokens = Tokens(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
    return Reply(
        text=calls[0].args_as_json_str() if calls else "".join(texts),
        tokens=tokens if told else None,
        refused=response.finish_reason == "content_filter",
        truncated=response.finish_reason == "length",
        message=response,
    )
