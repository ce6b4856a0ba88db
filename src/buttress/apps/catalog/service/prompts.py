"""What models are told: versions that are never changed, one of them active."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from buttress.apps.catalog.models import Prompt
from buttress.apps.catalog.service.sources import person
from buttress.errors import BadInput, Conflict, NotFound

LONGEST = 50_000


def versions(session: Session, name: str) -> Sequence[Prompt]:
    """All versions of a prompt, the newest first."""
    chosen = select(Prompt).where(Prompt.name == name).order_by(Prompt.version.desc())
    return session.scalars(chosen).all()


def active(session: Session, name: str) -> Prompt | None:
    """The version in use, None while nobody has changed the one that came with the app."""
    return session.scalars(select(Prompt).where(Prompt.name == name, Prompt.active)).first()


def all_active(session: Session) -> Sequence[Prompt]:
    """The version in use of each prompt that somebody has changed."""
    return session.scalars(select(Prompt).where(Prompt.active)).all()


def prompt_of(session: Session, id: int) -> Prompt:
    """The version of that number; raises `NotFound`."""
    prompt = session.get(Prompt, id)
    if prompt is None:
        raise NotFound(f"there is no prompt {id}")
    return prompt


def save(session: Session, name: str, text: str, note: str = "", *, base: int) -> Prompt:
    """Write the next version, which is in use from then on.

    Parameters
    ----------
    base
        The version it was written from: two people who edit at once do not undo each other.

    Raises
    ------
    BadInput
        It is empty or too long.
    Conflict
        There is a newer version than `base`.
    """
    if not text.strip() or len(text) > LONGEST:
        raise BadInput("a prompt has between 1 and 50,000 characters", hint="Shorten it.")
    newest = session.scalar(select(func.max(Prompt.version)).where(Prompt.name == name)) or 1
    if newest != base:
        raise Conflict(
            f"version {newest} of {name} is newer than {base}, which this was written from",
            hint="Compare the two, then save again.",
        )
    deactivate(session, name)
    prompt = Prompt(
        name=name, version=newest + 1, text=text, note=note, active=True, created_by=person()
    )
    session.add(prompt)
    session.flush()
    return prompt


def activate(session: Session, id: int) -> Prompt:
    """Use this version from now on; raises `NotFound`."""
    prompt = prompt_of(session, id)
    deactivate(session, prompt.name)
    prompt.active = True
    session.flush()
    return prompt


def deactivate(session: Session, name: str) -> None:
    """Go back to the prompt that came with the app."""
    session.execute(update(Prompt).where(Prompt.name == name, Prompt.active).values(active=False))
