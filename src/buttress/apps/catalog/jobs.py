"""What workers do for the catalog: batches, experiments, deliveries."""

from __future__ import annotations

from sqlalchemy.orm import Session

from buttress.apps.catalog import app
from buttress.apps.catalog.models import Batch, Delivery
from buttress.apps.catalog.service import batches, delivering, experiments, extracting, trying
from buttress.apps.catalog.settings import CatalogSettings
from buttress.errors import ButtressError
from buttress.jobs import Job, Jobs
from buttress.runtime import current_runtime

EXTRACTING = app.queue("catalog", worker_concurrency=CatalogSettings().parallel)
LONGEST_SECONDS = 900


@app.job
def carry_out(batch_id: int, requests: list[int]) -> int:
    """Have each request of a batch done by a job of its own; returns how many."""
    jobs = current_runtime().jobs
    for place, request_id in enumerate(requests, 1):
        ticket = jobs.enqueue(extract, request_id, key=f"request {request_id}")
        tell_job(request_id, ticket.id)
        Job.progress(place, len(requests), "enqueued")
    return len(requests)


@app.job(queue=EXTRACTING, timeout_seconds=LONGEST_SECONDS)
def extract(request_id: int) -> int | None:
    """Extract and evaluate one product; returns its number, None when the request failed.

    What is wrong with a document or a model is written to the request, and is no failure of the
    job: the others of its batch go on, and `retry_failed` tries it again.
    """
    begin(request_id)
    try:
        return extract_product(request_id)
    except ButtressError as error:
        fail(request_id, error.message, error.hint or "")
        return None
    except Exception as error:
        fail(
            request_id,
            f"the catalog could not cope with it ({type(error).__name__})",
            "Report it with the log of this job, and try another model or other pages.",
        )
        raise


@app.job(queue=EXTRACTING)
def deliver(delivery_id: int) -> str | None:
    """Send products out; gives the place, None when the destination refused."""
    try:
        place = send(delivery_id)
    except ButtressError as error:
        delivery_failed(delivery_id, error.message, error.hint or "")
        return None
    delivered(delivery_id, place)
    return place


@app.job(queue=EXTRACTING)
def experiment(experiment_id: int) -> int:
    """Extract each item of a dataset anew; gives how many came to something."""
    items = items_of(experiment_id)
    done = 0
    for place, item in enumerate(items, 1):
        done += try_item(experiment_id, item)
        Job.progress(place, len(items), "extracted")
    return done


@app.job(schedule="*/5 * * * *")
def settle() -> int:
    """Fail requests whose job ended without them, so that no batch waits for ever."""
    return settle_requests()


@app.step(transaction=True)
def settle_requests(session: Session) -> int:
    """How many there were."""
    return batches.settle(session, current_runtime().jobs)


def execute(session: Session, jobs: Jobs, batch_id: int) -> Batch:
    """Carry out a draft: its job exists if and only if the session commits."""
    return _enqueued(session, jobs, batch_id, batches.begin(session, batch_id))


def retry(session: Session, jobs: Jobs, batch_id: int) -> Batch:
    """Carry out again what failed."""
    return _enqueued(session, jobs, batch_id, batches.retry_failed(session, batch_id))


def deliver_again(session: Session, jobs: Jobs, delivery_id: int) -> Delivery:
    """Send again what failed."""
    delivery = delivering.again(session, delivery_id)
    jobs.enqueue(deliver, delivery_id, session=session)
    return delivery


def _enqueued(session: Session, jobs: Jobs, batch_id: int, requests: list[int]) -> Batch:
    batch = batches.batch_of(session, batch_id)
    batch.job_id = jobs.enqueue(carry_out, batch_id, requests, session=session).id
    session.flush()
    return batch


@app.step(retries=2, backoff_seconds=2)
def send(delivery_id: int) -> str:
    """Sent again it lands under the same name."""
    with current_runtime().session() as session:
        return delivering.send(session, delivery_id)


@app.step(transaction=True)
def delivered(session: Session, delivery_id: int, place: str) -> None:
    """Say where it lies."""
    delivering.sent(session, delivery_id, place)


@app.step(transaction=True)
def delivery_failed(session: Session, delivery_id: int, problem: str, cure: str) -> None:
    """Say why it was not sent."""
    delivering.failed(session, delivery_id, problem, cure)


@app.step(transaction=True)
def items_of(session: Session, experiment_id: int) -> list[int]:
    """What is left to do."""
    return experiments.missing(session, experiment_id)


@app.step
def try_item(experiment_id: int, item_id: int) -> bool:
    """One item; kept once, and whether it came to something."""
    return trying.try_item(current_runtime(), experiment_id, item_id)


@app.step(transaction=True)
def tell_job(session: Session, request_id: int, job_id: str) -> None:
    """Remember which job works on a request."""
    batches.request_of(session, request_id).job_id = job_id


@app.step(transaction=True)
def begin(session: Session, request_id: int) -> None:
    """Say that somebody works on it."""
    extracting.begin(session, request_id)


@app.step
def extract_product(request_id: int) -> int:
    """All the work; kept once, however often it is done."""
    return extracting.extract(current_runtime(), request_id, tell=Job.progress)


@app.step(transaction=True)
def fail(session: Session, request_id: int, problem: str, cure: str) -> None:
    """Say why there is no product, and what to do."""
    extracting.fail(session, request_id, problem, cure)
