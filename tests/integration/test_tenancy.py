"""Two people, every table whose rows have owners, every way in: nobody meets another's row."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from io import BytesIO
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy.orm import DeclarativeBase
from starlette.testclient import TestClient

import notes
from buttress.access import Identity, acting, people, permissions_of
from buttress.api.app import create_api
from buttress.backup import Backups
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.check import Facts, all_checks
from buttress.db import migrations, tenancy
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.tenancy import as_system
from buttress.db.url import parse_database_url
from buttress.errors import BudgetSpent, ButtressError, ConfigurationError, Forbidden
from buttress.exports import export_chunks
from buttress.files import File
from buttress.imports import import_rows
from buttress.jobs import Job, Jobs, Ticket
from buttress.jobs.worker import Worker
from buttress.llm.tables import LLMCall
from buttress.settings import BackupSettings
from integration.test_pgbouncer import PGBOUNCER, pgbouncer
from llm_world import gateway
from tenancy_world import Owned, Tenants, fill, tenants

LINT = ("BT-406", "BT-407", "BT-408", "BT-409", "BT-414", "BT-415", "BT-416", "BT-417", "BT-418")


@pytest.fixture(scope="module")
def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with tenants(servers, tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture
def jobs(world: Tenants) -> Iterator[Jobs]:
    people_of = world.runtime.jobs.people
    with Jobs(world.runtime.database, lambda: notes.app.jobs, people=people_of) as opened:
        yield opened


def owners_by_core(world: Tenants, owned: Owned) -> set[UUID | None]:
    with world.runtime.session() as session:
        return set(session.scalars(sa.select(owned.column)))


def owners_read_only(world: Tenants, owned: Owned) -> set[UUID | None]:
    with world.runtime.database.session(read_only=True) as session:
        return set(session.scalars(sa.select(owned.column)))


def owners_by_connection(world: Tenants, owned: Owned) -> set[UUID | None]:
    with world.runtime.database.connection() as connection:
        return set(connection.scalars(sa.select(owned.column)))


def owners_by_text(world: Tenants, owned: Owned) -> set[UUID | None]:
    with world.runtime.session() as session:
        return set(session.scalars(sa.text(f'SELECT "{owned.owner}" FROM "{owned.table.name}"')))


def owners_after_savepoints(world: Tenants, owned: Owned) -> set[UUID | None]:
    with world.runtime.session() as session:
        with pytest.raises(sa.exc.ProgrammingError), session.begin_nested():
            session.execute(sa.text("SELECT nothing_of_the_kind"))
        with session.begin_nested():
            return set(session.scalars(sa.select(owned.column)))


def owners_by_coroutine(world: Tenants, owned: Owned) -> set[UUID | None]:
    async def read() -> set[UUID | None]:
        async with world.runtime.database.async_session() as session:
            return set(await session.scalars(sa.select(owned.column)))

    return asyncio.run(read())


def owners_by_the_driver(world: Tenants, owned: Owned) -> set[UUID | None]:
    """COPY out, on the driver's own cursor."""
    with world.runtime.session() as session:
        session.execute(sa.text("SELECT 1"))
        driver: psycopg.Connection = session.connection().connection.driver_connection
        with (
            driver.cursor() as cursor,
            cursor.copy(
                f'COPY (SELECT "{owned.owner}" FROM "{owned.table.name}") TO STDOUT'
            ) as copy,
        ):
            return {None if row[0] is None else UUID(str(row[0])) for row in copy.rows()}


def owners_by_model(world: Tenants, owned: Owned) -> set[UUID | None]:
    model = model_of(owned)
    if model is None:
        return owners_by_core(world, owned)
    column = sa.inspect(model).get_property_by_column(model.__table__.c[owned.owner]).key
    with world.runtime.session() as session:
        return {getattr(row, column) for row in session.scalars(sa.select(model))}


def owners_exported(world: Tenants, owned: Owned) -> set[UUID | None]:
    with world.runtime.session() as session:
        text = b"".join(export_chunks(session, sa.select(owned.column), format="csv")).decode(
            "utf-8-sig"
        )
    return {UUID(line) for line in text.split()[1:]}


READS = [
    owners_by_core, owners_read_only, owners_by_connection, owners_by_text, owners_by_coroutine,
    owners_after_savepoints, owners_by_the_driver, owners_by_model, owners_exported,
]  # fmt: skip


def model_of(owned: Owned) -> type | None:
    """The mapped class of a table, if one is imported."""
    bases = list(DeclarativeBase.__subclasses__())
    while bases:
        base = bases.pop()
        bases += base.__subclasses__()
        if getattr(getattr(base, "__table__", None), "name", None) == owned.table.name:
            return base
    return None


def test_the_tables_of_the_foundation_and_of_apps_are_among_those_tried(world):
    names = {owned.table.name for owned in world.tables}

    assert {"buttress_file", "notes_note"} <= names


@pytest.mark.parametrize("read", READS)
def test_nobody_reads_a_row_of_another(world, read):
    for owned in world.tables:
        for who in (world.alice, world.bob):
            with acting(who):
                assert read(world, owned) == {who.person}, owned.table.name
        assert read(world, owned) == set(), f"{owned.table.name}: nobody acts"


@pytest.mark.parametrize("read", READS)
def test_who_may_see_everything_and_the_system_do(world, read):
    both = {world.alice.person, world.bob.person}
    for owned in world.tables:
        with acting(world.admin):
            assert read(world, owned) >= both
        with as_system("a test"):
            assert read(world, owned) >= both


def test_nobody_changes_a_row_of_another(world):
    for owned in world.tables:
        foreign = owned.column == world.alice.person
        texts = [c for c in owned.table.c if isinstance(c.type, sa.String) and not c.computed]
        with acting(world.bob), world.runtime.session() as session:
            changed = session.execute(
                sa.update(owned.table).where(foreign).values({texts[0]: texts[0]})
            )
            gone = session.execute(sa.delete(owned.table).where(foreign))
            locked = session.execute(sa.select(owned.table).where(foreign).with_for_update()).all()
        assert (changed.rowcount, gone.rowcount, locked) == (0, 0, []), owned.table.name


def test_nobody_writes_a_row_for_another(world):
    for owned in world.tables:
        foreign = owned.table.insert().values(owned.row(world.alice.person))
        given_away = sa.update(owned.table).values({owned.column: uuid4()})
        for statement in (foreign, given_away):
            with (
                acting(world.bob),
                pytest.raises(Forbidden, match="row-level security"),
                world.runtime.session() as session,
            ):
                session.execute(statement)
        with pytest.raises(Forbidden), world.runtime.session() as session:
            session.execute(owned.table.insert(), [owned.row(world.bob.person)])


def test_rows_are_not_imported_for_another(world):
    for owned in world.tables:
        rows = [owned.row(world.alice.person, "imported")]
        with acting(world.bob), pytest.raises(Forbidden):
            import_rows(world.runtime.database, owned.table.name, rows, on_conflict="error")
        with as_system("a look"), world.runtime.session() as session:
            column = next(c for c in owned.table.c if isinstance(c.type, sa.String))
            found = sa.select(owned.column).where(sa.cast(column, sa.Text).like("imported%"))
            assert session.scalars(found).all() == [], owned.table.name


def test_no_route_of_the_api_shows_a_row_of_another(world):
    api = create_api(world.runtime)
    client = TestClient(api, raise_server_exceptions=False)
    (versioned,) = (route.app for route in api.routes if getattr(route, "path", "") == "/api/v1")
    contexts = iter_route_contexts(versioned.routes)
    routes = [one.route for one in contexts if isinstance(one.route, APIRoute)]
    asked = 0
    for owned in world.tables:
        with as_system("keys of Alice"), world.runtime.session() as session:
            keys = session.execute(
                sa.select(*owned.table.primary_key).where(owned.column == world.alice.person)
            ).all()
        addresses = [
            f"/api/v1{route.path.format(**dict.fromkeys(route.param_convertors, key[0]))}"
            for route in routes
            for key in keys
            if "GET" in route.methods
        ]
        for address in dict.fromkeys(addresses):
            with acting(world.bob):
                answer = client.get(address)
            asked += answer.status_code == 200
            assert owned.secret not in answer.text, address
        for route in routes:
            if "DELETE" in route.methods and route.param_convertors:
                names = dict.fromkeys(route.param_convertors, keys[0][0])
                with acting(world.bob):
                    client.delete(f"/api/v1{route.path.format(**names)}")
        with as_system("a look"), world.runtime.session() as session:
            left = session.scalars(sa.select(owned.column)).all()
        assert left.count(world.alice.person) == len(keys), owned.table.name
    assert asked >= 3
    with acting(world.alice):
        mine = client.get("/api/v1/notes/notes").text
    assert next(o.secret for o in world.tables if o.table.name == "notes_note") in mine


def test_a_cached_value_is_its_readers_own_and_is_kept(world):
    cache = world.runtime.cache
    cache.look()
    counters = cache.counters_of("notes")

    def read(who: Identity) -> list[str]:
        with acting(who), world.runtime.database.session(read_only=True) as session:
            return notes.texts(session)

    async def read_async(who: Identity) -> list[str]:
        with acting(who):
            async with world.runtime.database.async_session(read_only=True) as session:
                return await notes.texts_async(session)

    first = {who.name: read(who) for who in (world.alice, world.bob, world.admin)}
    misses = counters.snapshot(()).misses
    again = {who.name: read(who) for who in (world.alice, world.bob, world.admin)}

    assert again == first
    assert counters.snapshot(()).misses == misses, "the second reads are hits"
    assert not set(first[world.alice.name]) & set(first[world.bob.name])
    assert set(first[world.admin.name]) >= {*first[world.alice.name], *first[world.bob.name]}
    for who in (world.alice, world.bob):
        assert asyncio.run(read_async(who)) == first[who.name]
    with world.runtime.database.session(read_only=True) as session:
        assert notes.texts(session) == []


def test_a_transaction_begun_for_another_fills_nobodys_cache(world):
    world.runtime.cache.look()
    world.runtime.cache.clear("notes")
    with (
        as_system("a test"),
        world.runtime.database.session(read_only=True) as session,
        acting(world.bob),
    ):
        session.execute(sa.text("SELECT 1"))
    with as_system("a test"), world.runtime.database.session(read_only=True) as session:
        session.execute(sa.text("SELECT 1"))
        with acting(world.bob):
            everything = notes.texts(session)
    with acting(world.bob), world.runtime.database.session(read_only=True) as session:
        own = notes.texts(session)

    assert len(everything) > len(own)


def test_values_kept_by_hand_are_not_of_rows_with_owners(world):
    cache = world.runtime.cache
    cache.look()
    with pytest.raises(ConfigurationError, match="belong to people"):
        cache.set("mine", 1, "x", tags=[notes.Note], stamp=cache.stamp())


def test_a_job_sees_what_the_person_sees_who_asked_for_it(world, jobs):
    with Worker(jobs, concurrency=2):
        for who in (world.alice, world.bob):
            with acting(who):
                tickets = [jobs.enqueue(notes.whose_notes), jobs.start(notes.whose_notes)]
            assert [t.result(timeout_seconds=60) for t in tickets] == [(who.name, 1)] * 2
            assert tickets[0].status().whom == who.name
        with as_system("a test"):
            ticket = jobs.enqueue(notes.whose_notes)
        assert ticket.result(timeout_seconds=60)[1] >= 2
        assert ticket.status().whom == "system"
        assert jobs.enqueue(notes.whose_notes).result(timeout_seconds=60) == (None, 0)


def test_a_content_that_another_person_uploaded_too_stays(world):
    files = world.runtime.files

    def put(who: Identity) -> File:
        with acting(who), world.runtime.session() as session:
            return files.put(session, BytesIO(b"the same"), name="a.txt", app="x", owner=who.person)

    hers, his = put(world.alice), put(world.bob)
    with acting(world.bob), world.runtime.session() as session:
        files.delete(session, his)

    assert files.read(hers) == b"the same"
    with acting(world.bob), world.runtime.session() as session:
        files.delete(session, hers)
    assert files.read(hers) == b"the same", "he deleted nothing"
    with acting(world.alice), world.runtime.session() as session:
        files.delete(session, hers)


def test_threads_of_one_pool_never_meet_rows_of_another(world):
    """Connections go from hand to hand, with transactions that fail or belong to nobody between."""
    column = notes.Note.owner_id
    foreign: list[object] = []

    def work(number: int) -> None:
        for turn in range(40):
            who = (world.alice, world.bob, None)[(number + turn) % 3]
            try:
                with acting(who), world.runtime.session() as session:
                    found = set(session.scalars(sa.select(column)))
                    if found - ({who.person} if who else set()):
                        foreign.append(found)
                    if turn % 3 == 0:
                        session.execute(sa.text("SELECT 1/0"))
            except (ButtressError, sa.exc.SQLAlchemyError):
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert foreign == []


def test_a_transaction_stays_whose_it_was_when_it_began(world):
    with acting(world.alice), world.runtime.session() as session:
        before = set(session.scalars(sa.select(notes.Note.owner_id)))
        with acting(world.bob):
            assert set(session.scalars(sa.select(notes.Note.owner_id))) == before


def test_who_acts_travels_with_begin_and_costs_no_statement(world):
    sent: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    engine = world.runtime.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        for who in (None, world.alice):
            with acting(who), world.runtime.session() as session:
                session.execute(sa.text("SELECT 1"))
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert sent == ["SELECT 1", "SELECT 1"]


def test_the_lint_finds_nothing_in_what_is_shipped(world):
    facts = Facts(world.runtime.settings, runtime=world.runtime)
    told = {check.id: check.ask(facts) for check in all_checks() if check.id in LINT}

    assert told == dict.fromkeys(LINT, "")


def test_tenancy_is_undone_by_its_reverse_and_comes_back(world, servers):
    url = world.superuser.replace("postgres@", "buttress_owner@")
    with closing(Database(url)) as owner:
        with owner.connection() as connection:
            before = owner.backend.fingerprint(connection)
        sources = [app.migrations for app in world.runtime.apps]
        down = migrations.downgrade(owner, sources, "notes@base")
        with owner.connection() as connection:
            assert not connection.scalar(
                sa.text("SELECT count(*) FROM pg_policy WHERE polrelid = to_regclass('notes_note')")
            )
        up = migrations.upgrade(owner, sources)
        with owner.connection() as connection:
            after = owner.backend.fingerprint(connection)
    fill(world, next(owned for owned in world.tables if owned.table.name == "notes_note"))
    assert [r.id for r in down] == [r.id for r in up] == ["notes_0001"]
    assert after == before


def test_disabling_a_person_between_asking_and_doing_refuses_the_job(world, jobs):
    with world.runtime.session() as session:
        made = people.create(session, "carol@example.com", "analyst")
    carol = Identity(made.id, made.name, made.role, permissions_of("analyst"))
    with acting(carol):
        ticket = jobs.enqueue(notes.whose_notes)
    with acting(world.admin), world.runtime.session() as session:
        people.disable(session, people.find(session, carol.person))

    with Worker(jobs, concurrency=1):
        with pytest.raises(Forbidden, match="is disabled"):
            ticket.result(timeout_seconds=60)
        assert ticket.status().refused
        with acting(world.admin), world.runtime.session() as session:
            people.enable(session, people.find(session, carol.person))
        jobs.retry(ticket.id)
        assert ticket.result(timeout_seconds=60) == (carol.name, 0)

    gone = Identity(uuid4(), "dave@example.com", "analyst", permissions_of("analyst"))
    with acting(gone):
        ticket = jobs.enqueue(notes.whose_notes)
    with Worker(jobs, concurrency=1), pytest.raises(Forbidden, match="no longer here"):
        ticket.result(timeout_seconds=60)


def test_a_job_asked_for_with_a_token_may_no_more_than_the_token(world):
    from buttress.access.later import Later

    later = Later(world.runtime.session)
    token = Identity(
        world.admin.person, world.admin.name, "admin", frozenset({"apps.read"}), token="bt_1"
    )
    with acting(token):
        kept = later.now()
    assert kept is not None
    with later.acting(kept), world.runtime.session() as session:
        assert session.scalars(sa.select(notes.Note.owner_id)).all() == []


def test_calls_of_models_in_a_job_are_the_persons_and_end_with_their_budget(
    world, jobs, model_server
):
    limits = {
        "person_daily_budget_usd": {world.bob.name: 0.01},
        "app_daily_budget_usd": {"notes": 0.02},
    }

    def spend(who: Identity, job: str) -> None:
        values = {
            "id": uuid4(), "at": dt.datetime.now(dt.UTC), "provider": "openai", "model": "m",
            "app": "notes", "person": who.name, "job_id": job, "purpose": "notes.ask",
            "outcome": "ok", "attempts": 1, "latency_ms": 1, "input_tokens": 1, "output_tokens": 1,
            "cached_tokens": 0, "tokens_estimated": False, "cost": Decimal("0.01"),
        }  # fmt: skip
        with world.runtime.session() as session:
            session.execute(sa.insert(LLMCall), [values])

    def ask(who: Identity) -> Ticket:
        with acting(who):
            return jobs.enqueue(notes.ask_model, "?")

    url = world.superuser.replace("postgres@", "buttress_app@")
    with gateway(url, model_server, tables=False, **limits) as llm, Worker(jobs, concurrency=1):
        llm.complete("warm", purpose="other.thing")
        notes.gateways.append(llm)
        asked = ask(world.bob)
        assert asked.result(timeout_seconds=60)
        call = llm.calls()[-1]
        assert (call["person"], call["job_id"], call["app"]) == (world.bob.name, asked.id, "notes")

        spend(world.bob, asked.id)
        with pytest.raises(BudgetSpent, match="of this person") as refused:
            ask(world.bob).result(timeout_seconds=60)
        assert refused.value.resets_at > dt.datetime.now(dt.UTC)
        assert ask(world.alice).result(timeout_seconds=60)

        spend(world.alice, asked.id)
        with pytest.raises(BudgetSpent, match="of app 'notes'"):
            ask(world.alice).result(timeout_seconds=60)
        notes.gateways.pop()


def test_a_schedule_acts_as_the_system(world, jobs):
    seen: list[object] = []
    job = Job("notes.scheduled", lambda: seen.append(tenancy.scope()))
    jobs.declared = lambda: [job]
    with Worker(jobs) as worker:
        worker._work_at(uuid4().hex, job.name, dt.datetime.now(dt.UTC))

    (whose,) = seen
    assert whose.everything
    assert whose.system == "schedule of notes.scheduled"


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_behind_a_pooler_who_acts_ends_with_the_transaction(world):
    url = world.superuser.replace("postgres@", "buttress_app@")
    name = psycopg.conninfo.conninfo_to_dict(parse_database_url(url).conninfo)["dbname"]
    foreign: list[object] = []
    with pgbouncer(url) as folder:
        place = f"host={quote(str(folder), safe='')}&port=6432&pgbouncer=true"
        with closing(Database(f"postgresql://buttress_app@/{name}?{place}")) as database:

            def work(number: int) -> None:
                for turn in range(30):
                    who = (world.alice, world.bob, None)[(number + turn) % 3]
                    with acting(who), database.session() as session:
                        found = set(session.scalars(sa.select(notes.Note.owner_id)))
                        if found != ({who.person} if who else set()):
                            foreign.append((who, found))

            threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    assert foreign == []


def test_a_revision_sees_every_row_only_when_it_says_so(world):
    with closing(Database(world.superuser.replace("postgres@", "buttress_owner@"))) as owner:
        owner.backend.listen_for_migrations(owner.engine)
        count = "SELECT count(*) FROM notes_note"
        with (
            pytest.raises(ConfigurationError, match="row-level security"),
            owner.connection() as connection,
        ):
            connection.scalar(sa.text(count))
        with owner.connection() as connection:
            with Operations.context(MigrationContext.configure(connection)) as operations:
                operations.see_every_row()
            assert connection.scalar(sa.text(count)) >= 2


def test_rows_given_owners_while_the_cache_is_open_are_kept_apart_at_once(world):
    """A revision that comes between two looks at the tables, which are half a minute apart."""
    database = world.runtime.database
    cache = world.runtime.cache

    def read(who: Identity) -> list[str]:
        with acting(who), database.session(read_only=True) as session:
            return notes.texts(session)

    with closing(Database(world.superuser.replace("postgres@", "buttress_owner@"))) as owner:

        def run(*statements: str) -> None:
            with owner.connection() as connection:
                for statement in statements:
                    connection.execute(sa.text(statement))

        run("ALTER TABLE notes_note DISABLE ROW LEVEL SECURITY")
        cache.look()
        cache.clear("notes")
        assert read(world.alice) == read(world.bob)
        # As a revision does: what Alembic notes is watched, and counts as a change of everything.
        run(
            "ALTER TABLE notes_note ENABLE ROW LEVEL SECURITY",
            "UPDATE buttress_migrations SET version_num = version_num WHERE version_num LIKE 'n%'",
        )

    assert not set(read(world.alice)) & set(read(world.bob))


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["backup", "owner"])
def test_a_backup_has_the_rows_of_everybody_and_is_proven(world, reader, tmp_path):
    """As the role that is asked no policy, and on a server where one role does everything."""
    urls = {
        role: parse_database_url(world.superuser.replace("postgres@", f"buttress_{role}@"))
        for role in ("backup", "owner")
    }
    site = Site(urls[reader], urls["owner"], parse_database_url(world.superuser), tmp_path / "home")
    made = Backups(site, FolderStore(tmp_path / "store"), BackupSettings()).create("a test")

    with as_system("a count"), world.runtime.session() as session:
        notes_kept = session.scalar(sa.select(sa.func.count()).select_from(notes.Note))
    counts = {table.name: table.rows for table in made.manifest.content.tables}
    assert made.verified
    assert counts["notes_note"] == notes_kept >= 2
    assert counts["buttress_file"] >= 2


def test_where_a_policy_of_another_kind_hides_rows_no_backup_is_made(world, tmp_path):
    owner = parse_database_url(world.superuser.replace("postgres@", "buttress_owner@"))
    site = Site(owner, owner, parse_database_url(world.superuser), tmp_path / "home")
    hide = "CREATE POLICY odd ON notes_note AS RESTRICTIVE USING (id <> 0)"
    with psycopg.connect(owner.conninfo, autocommit=True) as connection:
        connection.execute(hide)
        try:
            with pytest.raises(ConfigurationError, match="row-level security"):
                Backups(site, FolderStore(tmp_path / "store"), BackupSettings()).create("a test")
        finally:
            connection.execute("DROP POLICY odd ON notes_note")
