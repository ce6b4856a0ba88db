"""What comes in and goes out over HTTP."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class NewTicket(BaseModel):
    """What is needed to open a ticket."""

    subject: str = Field(min_length=1, max_length=200)
    requester: str = Field(min_length=1, max_length=200)
    priority: Literal["high", "normal", "low"] = "normal"


class Answer(BaseModel):
    """What is needed to answer one."""

    text: str = Field(min_length=1, max_length=10_000)


class TicketOut(BaseModel):
    """A ticket as the API shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    subject: str
    requester: str
    priority: str
    opened_at: datetime
    answer: str | None
    answered_at: datetime | None
