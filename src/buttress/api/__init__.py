"""The HTTP edge. An app's `api` module needs one name from here, the session of a request:

@app.api.get("/open")
def open_tickets(session: SessionDep) -> list[TicketOut]:
    return [TicketOut.model_validate(ticket) for ticket in service.open_tickets(session)]
"""

from buttress.api.session import SessionDep

__all__ = ["SessionDep"]
