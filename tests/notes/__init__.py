"""An app whose rows belong to people, for the tests of tenancy."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from buttress import Base
from buttress.access import current
from buttress.api.session import SessionDep
from buttress.app import App
from buttress.cache import cached
from buttress.llm import LLM

app = App("notes", title="Notes")
gateways: list[LLM] = []
"""What the job asks, while a test has one open."""


class Note(Base):
    """What somebody wrote down."""

    __tablename__ = "notes_note"
    __cache_tags__ = ()

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(index=True)
    text: Mapped[str]


@cached("notes", tags=[Note])
def texts(session: Session) -> list[str]:
    """What all notes say, as far as they are seen."""
    return list(session.scalars(select(Note.text).order_by(Note.text)))


@cached("notes", tags=[Note])
async def texts_async(session: AsyncSession) -> list[str]:
    """The same for a coroutine."""
    return list(await session.scalars(select(Note.text).order_by(Note.text)))


@app.api.get("/notes")
def list_notes(session: SessionDep) -> list[str]:
    return texts(session)


@app.api.get("/notes/{note_id}")
def one_note(note_id: int, session: SessionDep) -> list[str]:
    return list(session.scalars(select(Note.text).where(Note.id == note_id)))


@app.step(transaction=True)
def count_in_transaction(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Note)) or 0


@app.job
def whose_notes() -> tuple[str | None, int]:
    """Who acts, and how many notes they see."""
    identity = current()
    return identity.name if identity else None, count_in_transaction()


@app.step
def ask(prompt: str) -> str:
    return gateways[-1].complete(prompt, purpose="notes.ask", max_tokens=50).text


@app.job
def ask_model(prompt: str) -> str:
    """A model's answer."""
    return ask(prompt)
