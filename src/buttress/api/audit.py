"""The audit log under `/api/v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from buttress.access.audit import Outcome
from buttress.access.tables import AuditEntry
from buttress.api.paging import Asked, Listing, at_least, beginning, below, equal
from buttress.api.permission import needs
from buttress.api.route import StrictRoute
from buttress.api.session import SessionDep
from buttress.api.types import Page

router = APIRouter(tags=["Audit"], route_class=StrictRoute)


class AuditEntryOut(BaseModel):
    """Who did what."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    address: str
    request_id: str
    details: dict[str, Any]


ENTRIES = Listing(
    AuditEntryOut,
    AuditEntry.number,
    sort={"number": AuditEntry.number},
    filters={
        "actor": equal(AuditEntry.actor),
        "action": beginning(AuditEntry.action),
        "outcome": equal(AuditEntry.outcome, Outcome),
        "since": at_least(AuditEntry.at),
        "until": below(AuditEntry.at),
    },
    first="-number",
)


@router.get("/audit", dependencies=[needs("audit.read")])
def audit_log(
    session: SessionDep, asked: Annotated[Asked, Depends(ENTRIES)]
) -> Page[AuditEntryOut]:
    """Who did what, the newest first."""
    return ENTRIES.page(session, asked)
