"""What goes into a call of a language model, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Literal, TypeAlias, TypeVar
from uuid import UUID

from buttress.errors import BadInput

T = TypeVar("T")

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


Prompt: TypeAlias = str | Sequence[Message]


@dataclass(frozen=True)
class Tokens:
    """What was read and written; `cached` is that part of `input` a provider had read before.

    `estimated` says that the provider told nothing and four characters were taken for a token.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    estimated: bool = False

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True)
class Completion(Generic[T]):
    """What a model answered.

    `id` is that of the row in `buttress_llm_call`; `value` the answer as the type that was asked
    for, None when none was; `cost` in USD, repairs included, None when the price is unknown;
    `attempts` counts the requests that were sent, to other models too. `cached` tells that the
    answer was given before and kept, `offline` that no model had a part in it, `truncated` that it
    was cut off at `max_tokens` or at the model's own limit.
    """

    id: UUID
    text: str
    value: T
    model: str
    tokens: Tokens
    cost: Decimal | None
    latency_seconds: float
    attempts: int
    cached: bool = False
    offline: bool = False
    truncated: bool = False


def conversation(prompt: Prompt, system: str | None) -> tuple[Message, ...]:
    """The turns of a conversation; raises `BadInput` when nobody asks anything."""
    turns = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
    if not any(turn.role == "user" and turn.text.strip() for turn in turns):
        raise BadInput("there is no prompt", hint="Ask something, as text or as a Message('user').")
    return (Message("system", system), *turns) if system else turns
