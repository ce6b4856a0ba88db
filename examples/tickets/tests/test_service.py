"""What support tickets can do, on a real PostgreSQL."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session
from tickets import app, service

from buttress import Database
from buttress.db.migrations import new_revision, upgrade
from buttress.errors import BadInput, Conflict


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade(database, [app.migrations])
    yield database
    database.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.session() as session:
        yield session


def test_urgent_tickets_come_first(session: Session) -> None:
    service.open_ticket(session, "A typo", "user1@example.com", "low")
    service.open_ticket(session, "The shop is down", "user2@example.com", "high")

    subjects = [ticket.subject for ticket in service.waiting_tickets(session)]

    assert subjects == ["The shop is down", "A typo"]


def test_an_answered_ticket_waits_no_more(session: Session) -> None:
    ticket = service.open_ticket(session, "Where is my order?", "user1@example.com")

    service.answer_ticket(session, ticket.id, "On its way.")

    assert service.figures(session) == service.Figures(waiting=0, urgent=0, answered=1)


def test_a_ticket_is_answered_once(session: Session) -> None:
    ticket = service.open_ticket(session, "Where is my order?", "user1@example.com")
    service.answer_ticket(session, ticket.id, "On its way.")

    with pytest.raises(Conflict):
        service.answer_ticket(session, ticket.id, "It arrived.")


def test_a_blank_subject_is_refused(session: Session) -> None:
    with pytest.raises(BadInput):
        service.open_ticket(session, "  ", "user1@example.com")


def test_the_revisions_make_what_the_models_say(database: Database) -> None:
    assert new_revision(database, [app.migrations], app.name, "what is missing") is None
