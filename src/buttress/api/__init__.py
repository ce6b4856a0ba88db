"""The HTTP edge. An app's `api` module needs the session of a request from here, and for lists that
grow a `Listing`:

@app.api.get("/open")
def open_tickets(session: SessionDep) -> list[TicketOut]:
    return [TicketOut.model_validate(ticket) for ticket in service.open_tickets(session)]
"""

from buttress.api.paging import Asked, Listing, at_least, beginning, below, containing, equal
from buttress.api.session import RuntimeDep, SessionDep
from buttress.api.types import Page, Text

__all__ = [
    "Asked",
    "Listing",
    "Page",
    "RuntimeDep",
    "SessionDep",
    "Text",
    "at_least",
    "beginning",
    "below",
    "containing",
    "equal",
]
