"""Routes under /api/v1/tickets."""

from buttress.api import SessionDep
from tickets import app, service
from tickets.schemas import Answer, NewTicket, TicketOut


@app.api.get("/waiting")
def waiting_tickets(session: SessionDep, limit: int = 100) -> list[TicketOut]:
    """The tickets without an answer, urgent ones first."""
    waiting = service.waiting_tickets(session, limit=limit)
    return [TicketOut.model_validate(ticket) for ticket in waiting]


@app.api.post("/")
def open_ticket(new: NewTicket, session: SessionDep) -> TicketOut:
    """Open a ticket."""
    ticket = service.open_ticket(session, new.subject, new.requester, new.priority)
    return TicketOut.model_validate(ticket)


@app.api.post("/{ticket_id}/answer", status=200)
def answer_ticket(ticket_id: int, answer: Answer, session: SessionDep) -> TicketOut:
    """Answer a ticket."""
    return TicketOut.model_validate(service.answer_ticket(session, ticket_id, answer.text))
