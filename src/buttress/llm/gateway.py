"""The gateway: every call of a language model goes through it, and is accounted for."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from buttress.errors import ButtressError, ConfigurationError, ModelUnavailable, NotFound
from buttress.llm import answers, offline
from buttress.llm.asking import Asking, Question
from buttress.llm.books import Books
from buttress.llm.budgets import Budgets
from buttress.llm.clients import Clients
from buttress.llm.completion import Completion, Prompt, conversation
from buttress.llm.deadline import Deadline
from buttress.llm.entry import Entry
from buttress.llm.ledger import Ledger
from buttress.llm.loop import Loop, Stopped
from buttress.llm.metrics import LLMCollector
from buttress.llm.prices import Prices
from buttress.llm.providers import OFFLINE, Chosen, Providers
from buttress.llm.shape import Misfit, Shape
from buttress.llm.streams import AsyncStream, Reader, Stream
from buttress.llm.usage import Group, UsageRow, usage
from buttress.llm.wire import Options, load
from buttress.settings import LLMSettings
from buttress.telemetry import collectors

if TYPE_CHECKING:
    from buttress.db.database import Database

log = logging.getLogger(__name__)
T = TypeVar("T")

NEXT = (ModelUnavailable, ConfigurationError, NotFound)
"""What makes the next model be asked; a refusal, or an answer that does not fit, does not."""


class LLM:
    """Language models, for every thread and event loop of this process.

        offer = llm.complete(letter, purpose="catalog.extract", into=Offer)

    A model is named `provider:name`. Where none is named or configured, rules answer from the text
    itself, and the completion says `offline`. Every model that is asked leaves a row in
    `buttress_llm_call`, whatever comes of it.

    Attributes
    ----------
    providers
        Who can be asked.
    prices
        What they take.
    """

    offline = staticmethod(offline.offline)

    def __init__(self, database: Database, settings: LLMSettings, providers: Providers) -> None:
        self.database = database
        self.settings = settings
        self.providers = providers
        self.prices = Prices(settings.prices)
        self._ledger = Ledger(database.url)
        self._metrics = LLMCollector()
        self._books = Books(self._ledger, self._metrics)
        self._budgets = Budgets(settings, self._ledger)
        self._loop = Loop()
        self._clients = Clients(self._loop)

    def __enter__(self) -> Self:
        collectors.append(self._metrics)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, which counts as cancelled, and close the connections."""
        if self._metrics in collectors:
            collectors.remove(self._metrics)
        self._clients.close()
        self._books.close()

    @overload
    def complete(
        self,
        prompt: Prompt,
        *,
        purpose: str,
        into: None = ...,
        model: str | None = ...,
        fallback: Sequence[str] | None = ...,
        system: str | None = ...,
        temperature: float | None = ...,
        max_tokens: int | None = ...,
        deadline_seconds: float | None = ...,
        cache: bool = ...,
    ) -> Completion[None]: ...

    @overload
    def complete(
        self,
        prompt: Prompt,
        *,
        purpose: str,
        into: type[T],
        model: str | None = ...,
        fallback: Sequence[str] | None = ...,
        system: str | None = ...,
        temperature: float | None = ...,
        max_tokens: int | None = ...,
        deadline_seconds: float | None = ...,
        cache: bool = ...,
    ) -> Completion[T]: ...

    def complete(
        self,
        prompt: Prompt,
        *,
        purpose: str,
        into: type[Any] | None = None,
        model: str | None = None,
        fallback: Sequence[str] | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        deadline_seconds: float | None = None,
        cache: bool = False,
    ) -> Completion[Any]:
        """An answer, as text, or as a value of the type `into`.

        Parameters
        ----------
        prompt
            Text, or the turns of a conversation.
        purpose
            What it is for, as `<app>.<what>`; recorded, and what budgets of apps go by.
        into
            A pydantic model, a dataclass or any type pydantic validates. A model whose answer does
            not fit is told why, twice at most.
        model, fallback
            Who is asked, and who next when there is no answer; those of the settings unless given.
            "offline" names the rules.
        deadline_seconds
            For everything together; models that remain to be asked get an equal part of it.
        cache
            Answer what was answered to exactly this within the last week.

        Raises
        ------
        ModelUnavailable
            No model answered in time.
        ModelRefused
            The model, or its provider's filter, does not answer this.
        ModelOutputInvalid
            No answer fits the type.
        BudgetSpent
            The app, the person or the deployment has spent what it may today.
        ConfigurationError, NotFound
            The last model lacks its key or its client, or is not known.
        """
        shape = None if into is None else Shape(into)
        options = Options(temperature, max_tokens)
        turns = conversation(prompt, system)
        question = Question(turns, purpose, options, shape=shape, cache=cache)
        names = self._names(model, fallback)
        if names != [OFFLINE]:
            load()
        deadline = Deadline(deadline_seconds or self.settings.deadline_seconds)
        for place, name in enumerate(names):
            remaining = len(names) - place
            try:
                return self._complete(name, question, deadline.share(remaining))
            except NEXT as error:
                if remaining == 1 or isinstance(error, Stopped):
                    raise
                self._tell_next(name, names[place + 1], error)
        raise AssertionError("there is always a name")

    def stream(
        self,
        prompt: Prompt,
        *,
        purpose: str,
        model: str | None = None,
        fallback: Sequence[str] | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        deadline_seconds: float | None = None,
    ) -> Stream:
        """The answer in pieces, as they come; parameters and errors as of `complete`.

        The first piece begins the call. An answer that breaks off later raises `ModelUnavailable`;
        what came before is in `.text`.
        """
        question = Question(conversation(prompt, system), purpose, Options(temperature, max_tokens))
        names = self._names(model, fallback)
        deadline_seconds = deadline_seconds or self.settings.deadline_seconds
        reader = Reader()
        return Stream(self._pieces(names, question, deadline_seconds, reader), reader)

    def astream(
        self,
        prompt: Prompt,
        *,
        purpose: str,
        model: str | None = None,
        fallback: Sequence[str] | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        deadline_seconds: float | None = None,
    ) -> AsyncStream:
        """`stream` for a coroutine: `async for piece in llm.astream(…)`."""
        return AsyncStream(
            self.stream(
                prompt,
                purpose=purpose,
                model=model,
                fallback=fallback,
                system=system,
                temperature=temperature,
                max_tokens=max_tokens,
                deadline_seconds=deadline_seconds,
            )
        )

    def usage(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        by: Sequence[Group] = ("day", "model"),
    ) -> list[UsageRow]:
        """What calls of all processes took, grouped; of the last 30 days unless told otherwise.

        Raises
        ------
        BadInput
            There is no such group.
        """
        self._ledger.flush()
        until = until or datetime.now(UTC) + timedelta(seconds=1)
        since = since or until - timedelta(days=30)
        with self.database.session(read_only=True) as session:
            return usage(session, since, until, by)

    def _names(self, model: str | None, fallback: Sequence[str] | None) -> list[str]:
        first = model or self.settings.model
        if not first:
            return [OFFLINE]
        if fallback is None:
            # Who names a model wants that one; who names none gets what the deployment has.
            fallback = [] if model else self.settings.fallback.split(",")
        others = [name.strip() for name in fallback]
        return list(dict.fromkeys([first, *filter(None, others)]))

    def _complete(self, name: str, question: Question, deadline: Deadline) -> Completion[Any]:
        if name == OFFLINE:
            return self._by_rules(question)
        with self._books.entry(name, question.purpose) as entry:
            chosen = self.providers.choose(name)
            key = self._key(chosen, question) if question.cache else ""
            if key and (kept := self._kept(key, question)):
                entry.outcome = "cached"
                return self._completion(entry, question, *kept)
            asking = self._asking(chosen, question, entry, deadline)
            text, value = asking.complete()
            if key and not asking.truncated:
                answers.keep(self._ledger.database, key, text)
            return self._completion(entry, question, text, value, truncated=asking.truncated)

    def _pieces(
        self, names: Sequence[str], question: Question, seconds: float, reader: Reader
    ) -> Generator[str, None, Completion[None]]:
        if names != [OFFLINE]:
            load()
        deadline = Deadline(seconds)
        for place, name in enumerate(names):
            remaining = len(names) - place
            try:
                return (yield from self._stream(name, question, deadline.share(remaining), reader))
            except NEXT as error:
                if remaining == 1 or question.begun or isinstance(error, Stopped):
                    raise
                self._tell_next(name, names[place + 1], error)
        raise AssertionError("there is always a name")

    def _stream(
        self, name: str, question: Question, deadline: Deadline, reader: Reader
    ) -> Generator[str, None, Completion[None]]:
        if name == OFFLINE:
            completion = self._by_rules(question)
            yield from completion.text.splitlines(keepends=True)
            return completion
        with self._books.entry(name, question.purpose) as entry:
            chosen = self.providers.choose(name)
            asking = self._asking(chosen, question, entry, deadline)
            text = yield from asking.stream(reader)
            return self._completion(entry, question, text, None, truncated=asking.truncated)

    def _asking(
        self, chosen: Chosen, question: Question, entry: Entry, deadline: Deadline
    ) -> Asking:
        estimate = self.prices.cost(str(chosen), question.most_tokens)
        self._budgets.reserve(entry, estimate or Decimal(0), lambda: self._books.open)
        return Asking(
            question,
            chosen,
            self._clients.of(chosen),
            entry=entry,
            deadline=deadline,
            loop=self._loop,
            prices=self.prices,
        )

    def _by_rules(self, question: Question) -> Completion[Any]:
        with self._books.entry(f"{OFFLINE}:{offline.NAME}", question.purpose) as entry:
            text, value = offline.answer(question.purpose, question.turns, question.shape)
            entry.outcome = "offline"
            return self._completion(entry, question, text, value)

    def _key(self, chosen: Chosen, question: Question) -> str:
        return answers.key_of(
            str(chosen), chosen.base_url, question.turns, question.options, question.shape
        )

    def _kept(self, key: str, question: Question) -> tuple[str, Any] | None:
        text = answers.find(self._ledger.database, key)
        if text is None or question.shape is None:
            return None if text is None else (text, None)
        try:
            return text, question.shape.read(text)
        except Misfit:  # the type's own rules have changed since
            return None

    def _completion(
        self, entry: Entry, question: Question, text: str, value: Any, *, truncated: bool = False
    ) -> Completion[Any]:
        return Completion(
            id=entry.id,
            text=text,
            value=value,
            model=f"{entry.provider}:{entry.model}",
            tokens=entry.tokens,
            cost=entry.cost,
            latency_seconds=time.perf_counter() - entry.began,
            attempts=question.attempts,
            cached=entry.outcome == "cached",
            offline=entry.outcome == "offline",
            truncated=truncated,
        )

    @staticmethod
    def _tell_next(name: str, following: str, error: ButtressError) -> None:
        log.warning(
            "model does not answer, the next is asked",
            extra={"model": name, "next": following, "reason": type(error).__name__},
        )
