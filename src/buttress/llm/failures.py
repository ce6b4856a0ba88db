"""What went wrong between us and a provider, as errors of the house.

Nothing a provider wrote is repeated but its error code: its words may hold the key or the prompt.
"""

from __future__ import annotations

import re

from buttress.errors import (
    BadInput,
    ButtressError,
    ConfigurationError,
    ModelRefused,
    ModelUnavailable,
    NotFound,
)
from buttress.llm.providers import Chosen

CODE = re.compile(r"[a-z][a-z0-9_]{2,40}")
LATER = "Try again later, or name models to be asked instead in BUTTRESS_LLM__FALLBACK."


class Transient(ModelUnavailable):
    """Asking the same model again may work, after `after_seconds` when the provider says so."""

    def __init__(
        self, message: str, *, hint: str | None = None, after_seconds: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.after_seconds = after_seconds


def translated(error: Exception, chosen: Chosen) -> ButtressError:
    """The error of the house for what pydantic-ai, or a client beneath it, raised."""
    from pydantic_ai import exceptions as theirs

    if isinstance(error, ButtressError):
        return error
    if isinstance(error, UnicodeError):
        hint = "It holds half of a surrogate pair; replace that."
        return BadInput("the prompt is no text that can be sent", hint=hint)
    if isinstance(error, theirs.ModelQuotaExceededError):
        hint = "Look at the account's plan and billing at the provider."
        return ModelUnavailable(f"the account at {_said(error, chosen)} is used up", hint=hint)
    if isinstance(error, theirs.ModelAuthenticationError):
        return ConfigurationError(
            f"{_said(error, chosen)} does not accept the key",
            hint=f"Correct {chosen.provider.key}.",
        )
    if isinstance(error, theirs.ModelNotFoundError):
        return NotFound(
            f"{_said(error, chosen)} knows no such model", hint="Correct the model's name."
        )
    if isinstance(error, theirs.ModelContextWindowExceededError):
        return ModelRefused(f"the prompt is longer than {chosen} can read", hint="Shorten it.")
    if isinstance(error, theirs.ContentFilterError):
        return refusal(chosen)
    if isinstance(error, theirs.ModelHTTPError):
        return _by_status(error, chosen)
    if isinstance(error, theirs.ModelAPIError | theirs.UnexpectedModelBehavior | OSError):
        return Transient(f"{chosen} gave no usable answer: {type(error).__name__}", hint=LATER)
    return ModelUnavailable(f"{chosen} could not be asked: {type(error).__name__}", hint=LATER)


def refusal(chosen: Chosen) -> ModelRefused:
    """The provider's filter, or the model itself, refused."""
    return ModelRefused(
        f"{chosen} refuses to answer this", hint="Word it otherwise, or ask another model."
    )


def too_late(chosen: Chosen, seconds: float) -> ModelUnavailable:
    """The deadline is over."""
    return ModelUnavailable(
        f"no answer from {chosen} within {seconds:.1f} seconds",
        hint="Try later, allow more with BUTTRESS_LLM__DEADLINE_SECONDS, or name fallback models.",
    )


def _by_status(error: Exception, chosen: Chosen) -> ButtressError:
    status = getattr(error, "status_code", 0)
    if status in (408, 409, 425, 429) or status >= 500:
        after = getattr(error, "retry_after", None)
        return Transient(
            f"{_said(error, chosen)} is not to be had now", hint=LATER, after_seconds=after
        )
    return ModelRefused(
        f"{_said(error, chosen)} does not take this request",
        hint="Look at the model's name, its limits, and the parameters it knows.",
    )


def _said(error: Exception, chosen: Chosen) -> str:
    """`openai:gpt-4o (429 rate_limit_exceeded)`."""
    parts = [str(getattr(error, "status_code", ""))]
    key = chosen.key.get_secret_value()
    for code in (
        getattr(error, "provider_error_code", None),
        getattr(error, "provider_error_type", None),
    ):
        if isinstance(code, str) and CODE.fullmatch(code) and (not key or key not in code):
            parts.append(code)
            break
    told = " ".join(part for part in parts if part)
    return f"{chosen} ({told})" if told else str(chosen)
