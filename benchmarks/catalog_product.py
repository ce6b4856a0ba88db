"""A product from the PDF of a datasheet, offline: read, extracted, translated, evaluated, kept."""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.catalog_sheets import TEXTS
from benchmarks.move import fresh
from buttress.access import Identity, acting, people, permissions_of
from buttress.apps.catalog import app
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.schemas import Chosen, NewRequest
from buttress.apps.catalog.service import batches, drafts, extracting, sources
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.runtime import Runtime
from buttress.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from catalog_documents import DATASHEET, datasheet

SENTENCES = 4
WIDTH = 88


def lines(servers: Servers, quick: bool) -> list[str]:
    """The section as Markdown."""
    rounds = 3 if quick else 7
    with fresh(servers, "bench_product") as url, deployed(url, servers.valkey_url) as runtime:
        seconds = [carried_out(runtime, number) for number in range(1 + rounds)]
    later = seconds[1:]
    return [
        "## A product offline",
        "",
        "Seconds from the upload of a datasheet's PDF to the product that is kept with its evaluation, no "
        f"key and no network; {SENTENCES} sentences of marketing, others each time, go through the "
        "bundled translator. The first one starts the jail and loads the translator.",
        "",
        "| | seconds |",
        "| --- | --- |",
        f"| the first of a process | {seconds[0]:.2f} |",
        f"| later ones, median of {rounds} | {statistics.median(later):.2f} |",
        f"| the slowest of them | {max(later):.2f} |",
        "",
        f"Load average when it ended: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",
    ]


@contextmanager
def deployed(url: str, valkey: str) -> Iterator[Runtime]:
    """A deployment with the catalog, and somebody who works with it."""
    with closing(Database(url)) as database:
        prepare(database, [app])
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            _env_file=None, database_url=url, redis_url=valkey, home=Path(home), apps="catalog"
        )
        with Runtime(settings) as runtime:
            with runtime.session() as session:
                person = people.create(session, "analyst@example.com", "analyst")
                identity = Identity(person.id, person.name, "analyst", permissions_of("analyst"))
            with acting(identity):
                yield runtime


def carried_out(runtime: Runtime, number: int) -> float:
    """From the upload to what a worker does for it; gives seconds."""
    began = time.perf_counter()
    with runtime.session() as session:
        content = io.BytesIO(datasheet(told(number)))
        source = sources.take(session, runtime.files, content, f"sheet {number}.pdf")
        batch = drafts.draft(session, f"sheet {number}")
        request = drafts.add(
            session,
            batch.id,
            NewRequest(product_type=ProductType.COSMETICS, sources=[Chosen(source_id=source.id)]),
        )
        batches.begin(session, batch.id)
        id = request.id
    with runtime.session() as session:
        extracting.begin(session, id)
    extracting.extract(runtime, id, tell=lambda *_: None)
    return time.perf_counter() - began


def told(number: int) -> str:
    """The lines of a datasheet whose description is another one for each number."""
    texts = [english for kind in TEXTS["closing"].values() for english, *_ in kind]
    chosen = texts[number * SENTENCES :][:SENTENCES]
    assert len(chosen) == SENTENCES
    described = " ".join([f"Cream number {number} calms dry skin.", *chosen])
    return "\n".join(
        "\n".join(textwrap.wrap(f"Description: {described}", WIDTH))
        if line.startswith("Description:")
        else line
        for line in DATASHEET.splitlines()
    )
