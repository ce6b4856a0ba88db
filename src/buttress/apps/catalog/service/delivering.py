"""Products sent out: to a folder or an object store, to Dropbox, to a webhook."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from sqlalchemy import select
from sqlalchemy.orm import Session

from buttress.apps.catalog.models import Delivery
from buttress.apps.catalog.service.exporting import export
from buttress.apps.catalog.service.sources import person
from buttress.apps.catalog.settings import CatalogSettings
from buttress.errors import BadInput, Conflict, NotFound, Unavailable
from buttress.exports import MEDIA_TYPES, Format, format_of

SECONDS = 30.0
DROPBOX = "https://content.dropboxapi.com"
Send = Callable[[CatalogSettings, str, bytes], str]
"""Sends a file of that name; gives the place where it lies then."""


def targets(settings: CatalogSettings) -> list[str]:
    """Where this deployment may deliver to."""
    told = {
        "folder": settings.folder,
        "dropbox": settings.dropbox_token.get_secret_value(),
        "webhook": settings.webhook_url.get_secret_value(),
    }
    return [name for name, value in told.items() if value]


def plan(session: Session, target: str, format: Format, products: Sequence[int]) -> Delivery:
    """A delivery that waits; raises `BadInput` without products or that destination."""
    if not products:
        raise BadInput("there is nothing to deliver", hint="Choose products first.")
    if target not in SENDERS:
        raise BadInput(f"nothing is delivered to {target!r}", hint=f"One of {', '.join(SENDERS)}.")
    if target not in targets(CatalogSettings()):
        raise BadInput(
            f"this deployment has no {target} to deliver to",
            hint="Set BUTTRESS_CATALOG__FOLDER, BUTTRESS_CATALOG__DROPBOX_TOKEN or "
            "BUTTRESS_CATALOG__WEBHOOK_URL.",
        )
    delivery = Delivery(target=target, format=format, products=list(products), created_by=person())
    session.add(delivery)
    session.flush()
    return delivery


def delivery_of(session: Session, id: int, *, lock: bool = False) -> Delivery:
    """The delivery of that number; raises `NotFound`."""
    delivery = session.get(Delivery, id, with_for_update=lock)
    if delivery is None:
        raise NotFound(f"there is no delivery {id}")
    return delivery


def name_of(delivery: Delivery) -> str:
    """How its file is called where it is sent."""
    return f"catalog-{delivery.id}.{delivery.format}"


def newest(session: Session, *, limit: int = 50) -> Sequence[Delivery]:
    """Deliveries, the newest first."""
    return session.scalars(select(Delivery).order_by(Delivery.id.desc()).limit(limit)).all()


def send(session: Session, delivery_id: int) -> str:
    """Send what a delivery names; gives the place. Sent again it lands under the same name.

    Raises
    ------
    Unavailable
        The destination does not answer, or refuses it.
    """
    delivery = delivery_of(session, delivery_id)
    name = name_of(delivery)
    content = b"".join(export(session, format_of(name), delivery.products))
    return SENDERS[delivery.target](CatalogSettings(), name, content)


def sent(session: Session, delivery_id: int, place: str) -> None:
    """Write down where it lies."""
    delivery = delivery_of(session, delivery_id)
    delivery.state, delivery.place, delivery.sent_at = "sent", place, datetime.now(UTC)
    delivery.problem = delivery.cure = None


def failed(session: Session, delivery_id: int, problem: str, cure: str) -> None:
    """Write down why it was not sent."""
    delivery = delivery_of(session, delivery_id)
    delivery.state, delivery.problem, delivery.cure = "failed", problem, cure


def again(session: Session, delivery_id: int) -> Delivery:
    """Let what failed wait to be sent again; raises `Conflict` for what did not fail."""
    delivery = delivery_of(session, delivery_id, lock=True)
    if delivery.state != "failed":
        raise Conflict(f"delivery {delivery_id} has not failed", hint="Deliver the products anew.")
    delivery.state, delivery.problem, delivery.cure = "waiting", None, None
    return delivery


def to_folder(settings: CatalogSettings, name: str, content: bytes) -> str:
    """A folder of this machine, or a bucket."""
    try:
        if "://" in settings.folder:
            obstore.put(from_url(settings.folder), name, content)
        else:
            Path(settings.folder).mkdir(parents=True, exist_ok=True)
            obstore.put(LocalStore(settings.folder), name, content)
    except (BaseError, OSError) as error:
        raise Unavailable(
            f"{name} could not be written to the folder of results: {type(error).__name__}",
            hint="See that BUTTRESS_CATALOG__FOLDER exists, has room and may be written to.",
        ) from error
    return f"{settings.folder.rstrip('/')}/{name}"


def to_dropbox(settings: CatalogSettings, name: str, content: bytes) -> str:
    """Dropbox, by its HTTP API; a file of that name is replaced."""
    path = f"/{name}"
    _post(
        f"{DROPBOX}/2/files/upload",
        content,
        {
            "Authorization": f"Bearer {settings.dropbox_token.get_secret_value()}",
            "Dropbox-API-Arg": json.dumps({"path": path, "mode": "overwrite", "mute": True}),
            "Content-Type": "application/octet-stream",
        },
        "Dropbox",
        "See that BUTTRESS_CATALOG__DROPBOX_TOKEN is valid and may write files.",
    )
    return f"Dropbox {path}"


def to_webhook(settings: CatalogSettings, name: str, content: bytes) -> str:
    """Whoever listens at the address; told by POST, with the name in a header."""
    answer = _post(
        settings.webhook_url.get_secret_value(),
        content,
        {"Content-Type": MEDIA_TYPES[format_of(name)], "X-Catalog-Delivery": name},
        "the webhook",
        "See that it listens, and that BUTTRESS_CATALOG__WEBHOOK_URL is right.",
    )
    return f"webhook, answered {answer.status_code}"


SENDERS: dict[str, Send] = {"folder": to_folder, "dropbox": to_dropbox, "webhook": to_webhook}


def _post(
    url: str, content: bytes, headers: dict[str, str], who: str, cure: str
) -> httpx2.Response:
    try:
        answer = httpx2.post(url, content=content, headers=headers, timeout=SECONDS)
    except httpx2.HTTPError as error:
        raise Unavailable(f"{who} does not answer ({type(error).__name__})", hint=cure) from error
    if answer.status_code >= 300:
        raise Unavailable(f"{who} refused it with status {answer.status_code}", hint=cure)
    return answer
