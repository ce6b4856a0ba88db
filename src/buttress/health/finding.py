"""What is asked of one part of a deployment, and what it answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from buttress.errors import ButtressError

Status = Literal["pass", "warn", "fail"]

LIMIT_SECONDS = 0.5
"""Kubernetes waits one second for a probe unless told otherwise."""
KEEP_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    """What a question returns when a line of text alone would not do."""

    detail: str = ""
    status: Status = "pass"
    figures: Mapping[str, object] = field(default_factory=dict)
    """Values of JSON, with their unit in the name."""
    hint: str = ""


Question = Callable[[], Answer | str | None]
"""Returns a line to show, raises when something is wrong."""


@dataclass(frozen=True)
class Check:
    """One question, and how long it may take."""

    name: str
    question: Question
    otherwise: Status = "fail"
    """The status when it raises or does not answer in time."""
    limit_seconds: float = LIMIT_SECONDS
    keep_seconds: float = KEEP_SECONDS
    """How long an answer stands before the question is put again."""


@dataclass(frozen=True)
class Finding:
    """What one part answered."""

    name: str
    status: Status
    detail: str
    milliseconds: float
    figures: Mapping[str, object] = field(default_factory=dict)
    hint: str = ""


def ask(check: Check) -> Finding:
    """Put the question, however long it takes."""
    begun = time.perf_counter()
    try:
        answered = check.question()
        answer = answered if isinstance(answered, Answer) else Answer(answered or "")
    except ButtressError as error:
        answer = Answer(error.message, check.otherwise, hint=error.hint or "")
    # The code of a check may fail in any way, and its message may hold data: the type is told.
    except Exception as error:  # noqa: BLE001
        answer = Answer(type(error).__name__, check.otherwise)
    milliseconds = (time.perf_counter() - begun) * 1000
    return Finding(
        check.name, answer.status, answer.detail, milliseconds, answer.figures, answer.hint
    )


def worst(findings: Iterable[Finding]) -> Status:
    """The status of all of them together."""
    found = {finding.status for finding in findings}
    if "fail" in found:
        return "fail"
    return "warn" if "warn" in found else "pass"
