"""Prompts: versions, the one in use, the next."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from buttress.api import SessionDep
from buttress.api.types import Text, storable
from buttress.apps.catalog import app
from buttress.apps.catalog.api.documents import Id
from buttress.apps.catalog.extraction.prompts import shipped, shipped_prompt
from buttress.apps.catalog.models import Prompt
from buttress.apps.catalog.service import prompts


class PromptOut(BaseModel):
    """One version; `id` is None for the one that came with the app."""

    id: int | None
    name: str
    version: int
    text: str
    note: str
    active: bool
    created_at: datetime | None


class NewVersion(BaseModel):
    """The next version, written from version `base`."""

    text: Annotated[str, Field(min_length=1, max_length=50_000), AfterValidator(storable)]
    note: Annotated[Text, Field(max_length=500)] = ""
    base: int = Field(ge=1, lt=2**31)


@app.api.get("/prompts")
def in_use(session: SessionDep) -> list[PromptOut]:
    """The version in use of each prompt."""
    changed = {one.name: one for one in prompts.all_active(session)}
    return [
        told(changed[name]) if name in changed else as_shipped(name, active=True)
        for name in shipped()
    ]


@app.api.get("/prompts/{name}")
def versions(name: Text, session: SessionDep) -> list[PromptOut]:
    """All versions of a prompt, the newest first."""
    found = [told(one) for one in prompts.versions(session, name)]
    return [*found, as_shipped(name, active=not any(one.active for one in found))]


@app.api.post("/prompts/{name}", needs="settings.read")
def save(name: Text, new: NewVersion, session: SessionDep) -> PromptOut:
    """Write the next version and use it from now on; admins only."""
    shipped_prompt(name)
    return told(prompts.save(session, name, new.text, new.note, base=new.base))


@app.api.post("/prompts/{prompt_id}/activation", status=200, needs="settings.read")
def activate(prompt_id: Id, session: SessionDep) -> PromptOut:
    """Use an older version again; admins only."""
    return told(prompts.activate(session, prompt_id))


def told(prompt: Prompt) -> PromptOut:
    """A version out of the database."""
    return PromptOut(
        id=prompt.id,
        name=prompt.name,
        version=prompt.version,
        text=prompt.text,
        note=prompt.note,
        active=prompt.active,
        created_at=prompt.created_at,
    )


def as_shipped(name: str, *, active: bool) -> PromptOut:
    """The version that came with the app; raises `NotFound`."""
    one = shipped_prompt(name)
    return PromptOut(
        id=None,
        name=name,
        version=one.version,
        text=one.text,
        note="as it came",
        active=active,
        created_at=None,
    )
