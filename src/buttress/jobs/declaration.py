"""What apps declare: jobs, and the steps they consist of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, ParamSpec, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from buttress.errors import ConfigurationError
from buttress.jobs.queues import DEFAULT_QUEUE, Queue

P = ParamSpec("P")
R = TypeVar("R")


class Run(Protocol):
    """The job that runs here."""

    id: str

    def child_id(self) -> str:
        """The id of the next job it makes: the same ones in the same order when it runs again."""

    def step(self, step: Step[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do one step, or return what it returned when it was done before."""

    def progress(self, done: int, total: int | None, note: str) -> None:
        """Write down how far it is."""


_run: ContextVar[Run | None] = ContextVar("job_run", default=None)
_in_step: ContextVar[Iterator[int] | None] = ContextVar("job_in_step", default=None)

current_run = _run.get
"""The job this thread works on; None outside of jobs. No argument."""
step_count = _in_step.get
"""Numbers from 0 for what this attempt at a step makes; None outside of steps. No argument."""


@contextmanager
def running(run: Run) -> Iterator[None]:
    """This thread works on that job meanwhile."""
    token, outside = _run.set(run), _in_step.set(None)
    try:
        yield
    finally:
        _in_step.reset(outside)
        _run.reset(token)


@contextmanager
def inside_step() -> Iterator[None]:
    """Steps called meanwhile are ordinary functions: what they do belongs to the step around."""
    token = _in_step.set(count())
    try:
        yield
    finally:
        _in_step.reset(token)


@dataclass(frozen=True)
class Job(Generic[P, R]):
    """A function whose calls can be enqueued; called directly it is that function.

    Its code runs again from the start when its worker dies, and finished steps return what they
    returned then: whatever has an effect belongs into a step, and what is random too.
    """

    name: str
    function: Callable[P, R]
    queue: Queue | str = DEFAULT_QUEUE
    """A queue, or the name of one that is declared elsewhere or has no limits."""
    timeout_seconds: float | None = None
    schedule: str | None = None
    time_zone: str = "UTC"
    catch_up: bool = False

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigurationError(
                f"job {self.name}: there is no time zone {self.time_zone!r}",
                hint="Name it as the IANA does: Europe/Berlin.",
            ) from None
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            raise ConfigurationError(
                f"job {self.name}: timeout_seconds must be positive",
                hint="Leave it out for no limit.",
            )
        if isinstance(self.queue, str):
            Queue(self.queue)  # refuses a name that cannot be one

    @property
    def queue_name(self) -> str:
        """The name of its queue."""
        return self.queue if isinstance(self.queue, str) else self.queue.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    @staticmethod
    def progress(done: int, total: int | None = None, note: str = "") -> None:
        """Tell how far the running job is; of a transaction it is told when that has ended.

        Outside of a job nothing happens.
        """
        run = _run.get()
        if run is not None:
            run.progress(done, total, note)


@dataclass(frozen=True)
class Step(Generic[R]):
    """One part of a job that is not repeated once it is done.

    With `transaction` the function takes a session first, which callers leave out: what it writes
    and that it is done commit together, exactly once. Without, it is tried until it returns and
    may be done twice if its worker dies in between: it must be idempotent.
    """

    name: str
    function: Callable[..., R]
    transaction: bool = False
    retries: int = 0
    """How often it is tried again after it raised; a transaction only for conflicts, by itself."""
    backoff_seconds: float = 1.0
    """The wait before the first retry; each further one waits twice as long."""

    def __post_init__(self) -> None:
        if self.transaction and self.retries:
            raise ConfigurationError(
                f"step {self.name}: a transaction is not retried after an error of its code",
                hint="Leave retries out; conflicts and broken connections are retried anyway.",
            )
        if inspect.iscoroutinefunction(self.function):
            raise ConfigurationError(
                f"step {self.name} is a coroutine", hint="Write it as a plain function."
            )

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        run = _run.get()
        if run is None or _in_step.get() is not None:
            return self.function(*args, **kwargs)
        result: R = run.step(self, args, kwargs)
        return result


@dataclass
class Declared:
    """The jobs and queues of one app."""

    app: str
    jobs: dict[str, Job[Any, Any]] = field(default_factory=dict)
    queues: list[Queue] = field(default_factory=list)

    def job(self, function: Callable[P, R], **options: Any) -> Job[P, R]:
        """Declare a job.

        Raises
        ------
        ConfigurationError
            The app has a job of that name, or the function is a coroutine.
        """
        name = f"{self.app}.{function.__name__}"
        if name in self.jobs:
            raise ConfigurationError(
                f"two jobs are named {name}", hint="Rename one of the functions."
            )
        if inspect.iscoroutinefunction(function):
            raise ConfigurationError(
                f"job {name} is a coroutine", hint="Write it as a plain function."
            )
        job = Job(name, function, **options)
        self.jobs[name] = job
        return job
