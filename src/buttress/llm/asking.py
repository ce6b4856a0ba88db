"""One model is asked: the retries, the repairs, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import stamina

from buttress.errors import ButtressError, ModelOutputInvalid
from buttress.llm.completion import Message, Tokens
from buttress.llm.deadline import Deadline
from buttress.llm.entry import Entry
from buttress.llm.failures import Transient, refusal, too_late, translated
from buttress.llm.loop import Loop, Stopped
from buttress.llm.prices import Prices
from buttress.llm.providers import Chosen
from buttress.llm.shape import Misfit, Shape
from buttress.llm.streams import Pump, Reader
from buttress.llm.wire import Options, Reply, Talk

if TYPE_CHECKING:
    from pydantic_ai.models import Model

R = TypeVar("R")

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0
REPAIRS = 2
"""How often a model is told what is wrong with its answer."""
CHARACTERS_A_TOKEN = 4
UNLIMITED_ANSWER_TOKENS = 1_000
"""What an answer without `max_tokens` is taken for while it is in flight."""


@dataclass
class Question:
    """What is asked, whoever answers."""

    turns: tuple[Message, ...]
    purpose: str
    options: Options
    shape: Shape[Any] | None = None
    cache: bool = False
    attempts: int = 0
    """Requests sent so far, to all models."""
    begun: bool = False
    """Whether somebody has seen a piece of an answer: no other model may begin again then."""

    @property
    def tokens(self) -> Tokens:
        """What reading it takes, estimated."""
        return Tokens(input=estimated(turn.text for turn in self.turns), estimated=True)

    @property
    def most_tokens(self) -> Tokens:
        """What a request may take, estimated."""
        answer = self.options.max_tokens or UNLIMITED_ANSWER_TOKENS
        return self.tokens + Tokens(output=answer)


def estimated(texts: Iterable[str]) -> int:
    """Tokens of texts, as a rule of thumb."""
    return -(-sum(map(len, texts)) // CHARACTERS_A_TOKEN)


class Asking:
    """One question put to one model, within a deadline; `entry` is told what it takes."""

    def __init__(
        self,
        question: Question,
        chosen: Chosen,
        model: Model,
        *,
        entry: Entry,
        deadline: Deadline,
        loop: Loop,
        prices: Prices,
    ) -> None:
        self.question = question
        self.chosen = chosen
        self.entry = entry
        self.deadline = deadline
        self.loop = loop
        self.prices = prices
        self.truncated = False
        """Whether the last answer was cut off at the limit of tokens."""
        self.talk = Talk(
            model,
            question.turns,
            options=question.options,
            shape=question.shape,
            native=chosen.provider.form == "native",
        )

    def complete(self) -> tuple[str, Any]:
        """The answer's text and value.

        Raises
        ------
        ModelOutputInvalid
            No answer fitted, repairs included.
        ButtressError
            As `buttress.llm.failures` tells.
        """
        shape = self.question.shape
        problems: Sequence[str] = ()
        for _ in range(1 + REPAIRS):
            reply = self._request()
            if shape is None:
                return reply.text, None
            try:
                return reply.text, shape.read(reply.text)
            except Misfit as misfit:
                problems = misfit.problems
                if reply.truncated:
                    problems = ["the answer was cut off at the limit of tokens", *problems]
                self.talk.object_to(reply, problems)
        raise ModelOutputInvalid(
            f"{self.chosen} gave no valid {shape.name if shape else 'answer'} in {1 + REPAIRS} "
            f"answers: {'; '.join(problems)}",
            problems=problems,
            hint="Describe the fields better, allow more max_tokens, or ask another model.",
        )

    def stream(self, reader: Reader) -> Generator[str, None, str]:
        """Pieces of the answer; retried until the first has come. Returns the whole text."""
        given: list[str] = []
        pump, piece = self._begin(reader)
        try:
            while piece is not None:
                self.question.begun = True
                given.append(piece)
                yield piece
                piece = self._tried(pump.next)
            reply = self._tried(pump.reply)
        except BaseException:
            # What was written until then is paid for, and the provider has not told how much it is.
            self._spend(self.question.tokens + Tokens(output=estimated(given)))
            raise
        finally:
            pump.close()
        self._account(reply)
        return "".join(given)

    def _request(self) -> Reply:
        """One answer, fitting or not."""

        def ask() -> Reply:
            try:
                return self.loop.run(self.talk.ask(), seconds=self.deadline.left)
            except (TimeoutError, Stopped, KeyboardInterrupt):
                self._spend(self.question.tokens)
                raise

        reply = self._retried(lambda: self._tried(ask))
        self._account(reply)
        return reply

    def _begin(self, reader: Reader) -> tuple[Pump, str | None]:
        def begin() -> tuple[Pump, str | None]:
            pump = Pump(self.loop, self.talk.stream, seconds=self.deadline.left)
            reader.reads(pump)
            try:
                return pump, pump.next()
            except (TimeoutError, Stopped, KeyboardInterrupt):
                pump.close()
                self._spend(self.question.tokens)
                raise

        return self._retried(lambda: self._tried(begin))

    def _retried(self, ask: Callable[[], R]) -> R:
        """What `ask` returns, asked again while that may help and time is left."""
        for attempt in stamina.retry_context(
            on=self._again,
            attempts=ATTEMPTS,
            timeout=None,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=FIRST_WAIT_SECONDS,
        ):
            with attempt:
                self.question.attempts += 1
                self.entry.attempts += 1
                return ask()
        raise AssertionError("stamina raises the last error")

    def _again(self, error: Exception) -> bool | float:
        """Whether to ask again, and after how many seconds when the provider says so."""
        if not isinstance(error, Transient):
            return False
        if error.after_seconds is not None:
            wait = max(0.0, error.after_seconds)
            return wait if wait < self.deadline.left else False
        return self.deadline.left > FIRST_WAIT_SECONDS

    def _tried(self, work: Callable[[], R]) -> R:
        """What `work` returns; what it raises as an error of the house."""
        try:
            return work()
        except ButtressError:
            raise
        except TimeoutError:
            raise too_late(self.chosen, self.deadline.seconds) from None
        except Exception as error:  # noqa: BLE001  # clients of providers raise what they like
            raise translated(error, self.chosen) from None

    def _account(self, reply: Reply) -> None:
        """Write down what a reply took; raises `ModelRefused`."""
        told = reply.tokens
        self._spend(told or self.question.tokens + Tokens(output=estimated([reply.text])))
        self.truncated = reply.truncated
        if reply.refused:
            raise refusal(self.chosen)

    def _spend(self, tokens: Tokens) -> None:
        self.entry.spend(tokens, self.prices.cost(str(self.chosen), tokens))
