"""Batches, done by workers: all of them, what fails among them, and a worker that is killed."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import xlsxwriter
from sqlalchemy import func, select

from buttress.access import Identity
from buttress.apps.catalog import jobs
from buttress.apps.catalog.models import Extraction, Product, Request
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.schemas import Chosen, ManyPages, ManyRows, NewRequest
from buttress.apps.catalog.service import batches, drafts, sources
from buttress.apps.catalog.service.batches import Progress
from buttress.errors import BadInput, Conflict
from buttress.jobs import background
from buttress.runtime import Runtime
from catalog_documents import datasheet

pytestmark = pytest.mark.usefixtures("as_ana")
PATIENCE_SECONDS = 120
HEADER = ("EAN", "Brand", "Product name", "Net content", "Weight (g)", "Sale price")


@pytest.fixture(scope="module")
def working(runtime: Runtime) -> Iterator[None]:
    """A worker in this process."""
    with background.working(runtime.jobs, concurrency=4, owner=None, wait_seconds=0.0):
        yield


def price_list(products: int) -> bytes:
    """A workbook with two lines above its header and one product a row."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("Prices")
        sheet.write(0, 0, "Price list of Oakleaf")
        sheet.write_row(2, 0, HEADER)
        for number in range(products):
            sheet.write_row(3 + number, 0, (
                "5601234567893", "Oakleaf", f"Face Cream {number + 1}", "50 ml", 182, 24.9,
            ))  # fmt: skip
    return file.getvalue()


def rows_of(runtime: Runtime, products: int) -> int:
    """A draft with a request for each row of a price list."""
    with runtime.session() as session:
        source = sources.take(
            session, runtime.files, io.BytesIO(price_list(products)), "prices.xlsx"
        )
        (sheet,) = source.outline["sheets"]
        assert sheet["header"] == 3
        batch = drafts.draft(session, f"{products} rows")
        rows = ManyRows(
            product_type=ProductType.COSMETICS,
            source_id=source.id,
            sheet="Prices",
            header=3,
            rows=list(range(4, 4 + products)),
        )
        drafts.add_rows(session, batch.id, rows)
        return batch.id


def ended(runtime: Runtime, batch_id: int) -> Progress:
    """How a batch ended, waited for."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with runtime.session() as session:
            progress = batches.progress(session, [batch_id])[batch_id]
        if progress.ended:
            return progress
        time.sleep(0.1)
    pytest.fail(f"after {PATIENCE_SECONDS} s: {progress}")


@pytest.mark.usefixtures("working")
def test_each_row_of_a_sheet_becomes_a_product(runtime: Runtime) -> None:
    batch_id = rows_of(runtime, 4)
    with runtime.session() as session:
        jobs.execute(session, runtime.jobs, batch_id)

    assert ended(runtime, batch_id) == Progress(done=4)

    with runtime.session() as session:
        names = session.scalars(
            select(Product.name)
            .join(Request, Request.product_id == Product.id)
            .where(Request.batch_id == batch_id)
            .order_by(Request.position)
        ).all()
        assert names == ["Face Cream 1", "Face Cream 2", "Face Cream 3", "Face Cream 4"]


@pytest.mark.usefixtures("working")
def test_products_belong_to_who_began_the_batch(runtime: Runtime, ana: Identity) -> None:
    batch_id = rows_of(runtime, 1)
    with runtime.session() as session:
        jobs.execute(session, runtime.jobs, batch_id)
    ended(runtime, batch_id)

    with runtime.session() as session:
        product = session.scalars(
            select(Product)
            .join(Request, Request.product_id == Product.id)
            .where(Request.batch_id == batch_id)
        ).one()
        assert (product.created_by, product.created_by_name) == (ana.person, ana.name)


@pytest.mark.usefixtures("working")
def test_what_cannot_be_read_fails_alone_and_says_why(runtime: Runtime) -> None:
    with runtime.session() as session:
        batch = drafts.draft(session, "one of two")
        good = sources.take(session, runtime.files, io.BytesIO(datasheet()), "good.pdf")
        drafts.add(
            session,
            batch.id,
            NewRequest(product_type=ProductType.COSMETICS, sources=[Chosen(source_id=good.id)]),
        )
        pages = ManyPages(product_type=ProductType.COSMETICS, urls=["http://127.0.0.1/inside"])
        drafts.add_pages(session, batch.id, pages)
        jobs.execute(session, runtime.jobs, batch.id)
        id = batch.id

    assert ended(runtime, id) == Progress(done=1, failed=1)

    with runtime.session() as session:
        (failed,) = batches.requests(session, id, state="failed")
        assert failed.problem is not None
        assert "127.0.0.1" in failed.problem
        assert failed.cure
        jobs.retry(session, runtime.jobs, id)
        assert batches.progress(session, [id])[id] == Progress(done=1, waiting=1)
    assert ended(runtime, id) == Progress(done=1, failed=1)


def test_a_batch_is_begun_once_and_not_empty(runtime: Runtime) -> None:
    with runtime.session() as session:
        empty = drafts.draft(session, "nothing")
        with pytest.raises(BadInput, match="empty"):
            jobs.execute(session, runtime.jobs, empty.id)
    batch_id = rows_of(runtime, 1)
    with runtime.session() as session:
        batches.begin(session, batch_id)
    with runtime.session() as session, pytest.raises(Conflict, match="begun"):
        batches.begin(session, batch_id)


def test_a_request_whose_job_was_cancelled_does_not_wait_for_ever(runtime: Runtime) -> None:
    batch_id = rows_of(runtime, 2)
    with runtime.session() as session:
        batch = jobs.execute(session, runtime.jobs, batch_id)
        job_id = batch.job_id
    assert job_id is not None
    runtime.jobs.cancel(job_id, children=True)
    with runtime.session() as session:
        assert batches.settle(session, runtime.jobs) >= 2
        progress = batches.progress(session, [batch_id])[batch_id]
        (first, _) = batches.requests(session, batch_id)
        problem = first.problem or ""

    assert progress == Progress(failed=2)
    assert "cancelled" in problem


@pytest.mark.slow
def test_a_batch_of_50_ends_complete_although_its_workers_are_killed(
    runtime: Runtime, worker_environment: dict[str, str]
) -> None:
    batch_id = rows_of(runtime, 50)
    with runtime.session() as session:
        jobs.execute(session, runtime.jobs, batch_id)

    killed = 0
    worker = start_worker(worker_environment)
    try:
        until = time.monotonic() + 2 * PATIENCE_SECONDS
        while time.monotonic() < until:
            with runtime.session() as session:
                progress = batches.progress(session, [batch_id])[batch_id]
            if progress.ended:
                break
            if killed < 2 and progress.done >= 15 * (killed + 1):
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
                killed += 1
                worker = start_worker(worker_environment)
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    assert progress == Progress(done=50)
    assert killed == 2
    with runtime.session() as session:
        mine = select(Request.id).where(Request.batch_id == batch_id)
        products = session.scalar(
            select(func.count(Request.product_id.distinct())).where(Request.batch_id == batch_id)
        )
        extractions = session.scalar(select(func.count()).where(Extraction.request_id.in_(mine)))
        assert (products, extractions) == (50, 50)


def start_worker(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """`buttress worker`, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "buttress", "worker"],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
