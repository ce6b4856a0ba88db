"""What support tickets can do. Functions take a session and never commit: their caller does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from buttress.cache import cached
from buttress.errors import BadInput, Conflict, NotFound
from tickets.models import PRIORITIES, Ticket


@dataclass(frozen=True)
class Figures:
    """How the desk is doing."""

    waiting: int
    urgent: int
    answered: int


def open_ticket(session: Session, subject: str, requester: str, priority: str = "normal") -> Ticket:
    """Open a ticket; raises `BadInput` for a blank subject or an unknown priority."""
    if not subject.strip() or not requester.strip():
        raise BadInput("a ticket needs a subject and who asks", hint="Fill in both.")
    if priority not in PRIORITIES:
        raise BadInput(f"unknown priority {priority!r}", hint=f"One of {', '.join(PRIORITIES)}.")
    ticket = Ticket(subject=subject.strip(), requester=requester.strip(), priority=priority)
    session.add(ticket)
    session.flush()  # gives the ticket its id
    return ticket


def waiting_tickets(session: Session, *, limit: int = 100) -> Sequence[Ticket]:
    """The tickets without an answer: urgent ones first, then the oldest."""
    urgency = case(
        {priority: place for place, priority in enumerate(PRIORITIES)}, value=Ticket.priority
    )
    waiting = select(Ticket).where(Ticket.answered_at.is_(None))
    return session.scalars(waiting.order_by(urgency, Ticket.id).limit(limit)).all()


def answer_ticket(session: Session, ticket_id: int, text: str) -> Ticket:
    """Answer a ticket; raises `NotFound`, or `Conflict` when it has an answer already."""
    ticket = session.get(Ticket, ticket_id, with_for_update=True)
    if ticket is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    if ticket.answered_at is not None:
        raise Conflict(f"ticket {ticket_id} has been answered already")
    ticket.answer, ticket.answered_at = text, datetime.now(UTC)
    return ticket


@cached("tickets figures", tags=[Ticket])
def figures(session: Session) -> Figures:
    """How many tickets wait, how many of these are urgent, how many were answered."""
    waiting = Ticket.answered_at.is_(None)
    count = func.count
    row = session.execute(
        select(
            count().filter(waiting),
            count().filter(waiting, Ticket.priority == "high"),
            count().filter(~waiting),
        ).select_from(Ticket)
    ).one()
    return Figures(*row)
