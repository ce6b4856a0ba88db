"""DBOS as our engine: the only module that knows it.

Its defaults that would lose or delay work here are set otherwise: a fixed application version (the
default, a hash of the code, strands the jobs of before a deploy), queues polled ten times a second
(the default is once), and values stored as JSON (the default is pickle). Where it has no public
door private ones are used; each is held by a test.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    Serializer,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
    SQLAlchemyDatasource,
    _core,
    _enqueue_options,
    _scheduler,
    _sys_db,
)
from dbos import error as engine_errors
from dbos._datasource import DatasourceOptions, _still_owns
from dbos._sys_db import SystemDatabase
from dbos._utils import INTERNAL_QUEUE_NAME
from sqlalchemy import ColumnElement, Engine, create_engine, event, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from buttress.db.database import Database
from buttress.db.transactions import noted
from buttress.errors import BadInput, ButtressError, Conflict, NotFound, Unavailable
from buttress.jobs import values
from buttress.jobs.clock import DatabaseClock, put_into
from buttress.jobs.declaration import Step, inside_step
from buttress.jobs.errors import JobFailed
from buttress.jobs.for_whom import Kept
from buttress.jobs.queues import Queue
from buttress.jobs.tables import SCHEMA, Tables

APPLICATION = "buttress"
VERSION = "1"
"""The same for all processes and all deploys: a job may go on with newer code."""
WORKFLOW = "buttress.job"
SCHEDULED = "buttress.scheduled"
ATTEMPTS = 5
"""How often a job is begun before it is given up: whoever kills its workers must not go on."""
CLIENT_CONNECTIONS = 5

log = logging.getLogger(__name__)
ENQUEUE_CLOCK = DatabaseClock()
"""What delays of new jobs are added to; set before each."""
put_into([_enqueue_options], ENQUEUE_CLOCK)
# It tells of each launch, and prints tracebacks of errors that jobs raise: we log those ourselves.
logging.getLogger("dbos").setLevel(logging.CRITICAL)


class Json(Serializer):
    """Values as our JSON."""

    def serialize(self, data: Any) -> str:
        if isinstance(data, engine_errors.DBOSMaxStepRetriesExceeded):
            data = _gave_up(data)
        text = values.encode(data)
        if len(text) > values.MANY_CHARACTERS:
            log.warning(
                "large value stored with a job",
                extra={"characters": len(text), "job": DBOS.workflow_id or ""},
            )
        return text

    def deserialize(self, serialized_data: str) -> Any:
        return values.decode(serialized_data)

    def name(self) -> str:
        return "buttress_json"


def install_engine(database: Database) -> None:
    """Create or renew the engine's tables; connected as the owner."""
    DBOS.migrate(_url(database), schema=SCHEMA)
    SQLAlchemyDatasource.migrate(_url(database), schema=SCHEMA)


def open_client(database: Database) -> tuple[DBOSClient, Callable[[], None]]:
    """What enqueues, lists and cancels, and how to close it."""
    engine = _system_engine(database, CLIENT_CONNECTIONS)
    client = DBOSClient(
        system_database_url=None if engine else _url(database),
        system_database_engine=engine,
        dbos_system_schema=SCHEMA,
        serializer=Json(),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )

    def close() -> None:
        client.destroy()
        if engine is not None:
            engine.dispose()

    return client, close


class Execution:
    """This process's part in doing jobs: the engine's threads and its transactions.

    One at a time in a process: the engine keeps its state in globals.
    """

    def __init__(
        self,
        database: Database,
        executor: str,
        work: Callable[[str, str, list[Any], dict[str, Any], Kept | None], Any],
        work_at: Callable[[str, str, dt.datetime], Any],
        *,
        threads: int,
        clock: DatabaseClock,
    ) -> None:
        self.database = database
        self.executor = executor
        self._threads = threads
        self._replaced: list[tuple[Any, str, Any]] = put_into([_core, _scheduler, _sys_db], clock)
        self._system = _system_engine(database, threads + CLIENT_CONNECTIONS)
        config: DBOSConfig = {
            "name": APPLICATION,
            "application_version": VERSION,
            "executor_id": executor,
            "dbos_system_schema": SCHEMA,
            "run_migrations": False,
            "serializer": Json(),
            "log_level": "CRITICAL",
            "scheduler_polling_interval_sec": 5.0,
        }
        if self._system is None:
            config["system_database_url"] = _url(database)
        else:
            config["system_database_engine"] = self._system
        self._dbos = DBOS(config=config)
        self._data = _data_engine(database, threads)
        self._datasource = SQLAlchemyDatasource.create(
            _url(database), engine=self._data, schema=SCHEMA, serializer=Json(),
            run_migrations=False,
        )  # fmt: skip
        self._isolation: DatasourceOptions = {
            "isolation_level": "READ COMMITTED"
            if database.backend.name == "postgresql"
            else "SERIALIZABLE"
        }

        # Jobs made by earlier versions come without for whom they are.
        def job(
            name: str, args: list[Any], kwargs: dict[str, Any], kept: Kept | None = None
        ) -> Any:
            return work(DBOS.workflow_id or "", name, args, kwargs, kept)

        def scheduled(at: dt.datetime, name: str) -> Any:
            return work_at(DBOS.workflow_id or "", name, at)

        again = ATTEMPTS - 1
        self._job = DBOS.workflow(name=WORKFLOW, max_recovery_attempts=again)(job)
        self._scheduled = DBOS.workflow(name=SCHEDULED, max_recovery_attempts=again)(scheduled)

    def launch(self, queues: Iterable[Queue], client: DBOSClient) -> None:
        """Begin to take work from the queues."""
        queues = list(queues)
        self._limit_queues({queue.name: self._at_a_time(queue) for queue in queues})
        # Before the launch: queues made after it are not noticed for a second.
        for queue in queues:
            client.register_queue(
                queue.name,
                global_concurrency=queue.concurrency,
                worker_concurrency=queue.worker_concurrency,
                limiter={"limit": queue.rate[0], "period": queue.rate[1]} if queue.rate else None,
                polling_interval_sec=queue.poll_seconds,
                on_conflict="always_update",
            )
        DBOS.launch()

    def start(
        self,
        job_id: str,
        arguments: list[Any],
        timeout: float | None,
        attributes: dict[str, Any],
    ) -> Any:
        """Begin a job here and now, past the queues; the engine's handle."""
        kept = SetWorkflowAttributes(attributes)
        with SetWorkflowID(job_id), SetWorkflowTimeout(timeout), kept:
            return DBOS.start_workflow(self._job, *arguments)

    def recover(self, executor: str) -> None:
        """Put the jobs a dead process was doing back into their queues."""
        # A private call: the public one would forget how often a job was tried and its key.
        self._dbos._recover_pending_workflows([executor])

    def recover_dropped(self, jobs: Sequence[str]) -> None:
        """Put those of the jobs this process took back into their queues which nothing here does.

        The answer to taking them was lost with the connection, or what came of them could not be
        written down: while this process lives no other would take them over.
        """
        running = set(self._dbos._active_workflows_set.activeList())
        for job in jobs:
            if job not in running and self._dbos._sys_db.reenqueue_for_recovery(
                job, [self.executor], INTERNAL_QUEUE_NAME
            ):
                log.warning("job was taken and not done, put back", extra={"job": job})

    def step(self, step: Step[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do a step of the job this thread runs, or return what it returned before.

        Raises
        ------
        Conflict
            Another step was done in this place: the code changed while the job was half done.
        """
        try:
            return self._step(step, args, kwargs)
        except engine_errors.DBOSUnexpectedStepError as error:
            job, number, _, before = error.inputs
            raise Conflict(
                f"step {number} of job {job} was {before} when it was done and is {step.name} now: "
                "the code changed in between",
                hint=f"Bring the former order of steps back, then `buttress jobs retry {job}`; or "
                f"`buttress jobs retry {job} --from-step {number}`, which does that step and all "
                "after it again, whatever of them was done.",
            ) from error

    def _step(self, step: Step[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if step.transaction:
            options: DatasourceOptions = {"name": step.name, **self._isolation}
            return self._datasource.run_tx_step(options, self._transaction, step, args, kwargs)

        def call() -> Any:
            # Paused and resumed meanwhile, the job may be done elsewhere already.
            if not _still_owns(DBOS.workflow_id or ""):
                raise engine_errors.DBOSWorkflowConflictIDError(DBOS.workflow_id or "")
            with inside_step():
                return step.function(*args, **kwargs)

        try:
            return DBOS.run_step(
                {
                    "name": step.name,
                    "retries_allowed": step.retries > 0,
                    "max_attempts": step.retries + 1,
                    "interval_seconds": step.backoff_seconds,
                    "backoff_rate": 2.0,
                },
                call,
            )
        except engine_errors.DBOSMaxStepRetriesExceeded as error:
            raise _gave_up(error) from error.errors[-1]

    def close(self, drain_seconds: int) -> None:
        """Stop taking work, and wait for what is under way."""
        DBOS.destroy(workflow_completion_timeout_sec=drain_seconds, destroy_registry=True)
        for owner, name, before in self._replaced:
            setattr(owner, name, before)
        self._data.dispose()
        if self._system is not None:
            self._system.dispose()

    def _at_a_time(self, queue: Queue) -> int:
        limits = (self._threads, queue.concurrency, queue.worker_concurrency)
        return min(limit for limit in limits if limit is not None)

    def _limit_queues(self, at_a_time: dict[str, int]) -> None:
        """Take nothing from paused queues, and of each no more at a time than this process does.

        The engine keeps one number for all workers and knows no pause; both hooks are its own,
        and private.
        """
        paused = Tables(self.database).paused_queue
        read_queue = SystemDatabase.get_queue
        self._replaced += [
            (SystemDatabase, "get_queue", read_queue),
            (SystemDatabase, "_claim_gate", SystemDatabase._claim_gate),
        ]

        def get_queue(system: SystemDatabase, name: str, **options: Any) -> Any:
            queue = read_queue(system, name, **options)
            if queue is not None and name in at_a_time:
                queue._worker_concurrency = at_a_time[name]
            return queue

        def claim_gate(_: SystemDatabase, queue: str, __: str | None) -> list[ColumnElement[bool]]:
            return [~select(paused.c.queue).where(paused.c.queue == queue).exists()]

        setattr(SystemDatabase, "get_queue", get_queue)  # noqa: B010  # a method, to mypy
        setattr(SystemDatabase, "_claim_gate", claim_gate)  # noqa: B010

    def _transaction(self, step: Step[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        session: Session = self._datasource.sql_session()
        with noted(session), inside_step():
            try:
                result = step.function(session, *args, **kwargs)
                session.flush()
            except DBAPIError as error:
                # Conflicts and broken connections are the engine's to retry; it knows the driver's.
                meaning = self.database.backend.explain(error.orig) if error.orig else None
                if isinstance(meaning, (Conflict, BadInput)):
                    raise meaning from error
                raise
            return result


@contextmanager
def translated(label: str) -> Iterator[None]:
    """Errors of the engine inside arrive as errors of the house."""
    try:
        yield
    except ButtressError:
        raise
    except engine_errors.DBOSNonExistentWorkflowError as error:
        raise NotFound("there is no such job", hint="See `buttress jobs list`.") from error
    except engine_errors.DBOSException as error:
        raise Conflict(str(error)) from error
    except DBAPIError as error:
        raise Unavailable(
            f"the jobs in {label} cannot be reached: {type(error.orig).__name__}",
            hint="Is the database running, and has `buttress migrate` been run?",
        ) from error


def _gave_up(error: engine_errors.DBOSMaxStepRetriesExceeded) -> JobFailed:
    last = error.errors[-1]
    return JobFailed(
        f"step {error.step_name} failed {error.max_retries} times, at last with "
        f"{type(last).__name__}: {last}"
    )


def _url(database: Database) -> str:
    return database.url.sqlalchemy.render_as_string(hide_password=False)


def _system_engine(database: Database, connections: int) -> Engine | None:
    """The engine's own connections; the driver's errors reach it untranslated, and it retries.

    None for SQLite, where reads of ours take the write lock: there it opens the file itself.
    """
    if database.backend.name == "sqlite":
        return None
    return _data_engine(database, connections)


def _data_engine(database: Database, connections: int) -> Engine:
    engine = create_engine(
        database.url.sqlalchemy,
        connect_args=database.backend.connect_args(),
        pool_size=connections,
        max_overflow=connections,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    database.backend.listen(engine)
    event.listen(engine, "handle_error", _tell_connecting_failed)
    return engine


def _tell_connecting_failed(context: ExceptionContext) -> None:
    """Have the engine try again: it knows psycopg's words for only some of the ways to be away."""
    if context.connection is None:
        context.is_disconnect = True
