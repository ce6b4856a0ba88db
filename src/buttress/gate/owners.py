"""Whose the browser sessions and media of the workspace are.

Streamlit gives a file or an upload address to whoever knows it. What it sends to a browser names
both: from then on they are that person's.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from uuid import UUID

from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

MOST = 20_000
UPLOAD_PATH = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+/?")
MEDIA_PATH = re.compile(r"/media/([^/]+)")


class Owners:
    """Remembers the latest of each kind."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, set[UUID]] = OrderedDict()
        self._media: OrderedDict[str, set[UUID]] = OrderedDict()

    def note(self, frame: bytes, person: UUID) -> None:
        """Read what a message to a browser names."""
        # Text that people typed may look like an address: only the fields that hold one count.
        if b"/media/" in frame:
            for name in _media(ForwardMsg.FromString(frame)):
                _own(self._media, name, person)

    def note_session(self, frame: bytes, person: UUID) -> bool:
        """Read which session a browser was given, if this message tells; whether it did."""
        message = ForwardMsg.FromString(frame)
        if message.WhichOneof("type") != "new_session":
            return False
        _own(self._sessions, message.new_session.initialize.session_id, person)
        return True

    def may(self, path: str, person: UUID) -> bool:
        """Whether that person may use this address; others than of media and uploads are free."""
        if found := UPLOAD_PATH.fullmatch(path):
            return person in self._sessions.get(found[1], ())
        if found := MEDIA_PATH.fullmatch(path):
            return person in self._media.get(found[1], ())
        return True


def _own(owners: OrderedDict[str, set[UUID]], name: str, person: UUID) -> None:
    owners.setdefault(name, set()).add(person)
    owners.move_to_end(name)
    while len(owners) > MOST:
        owners.popitem(last=False)


def _media(message: ForwardMsg) -> Iterator[str]:
    for url in _urls(message):
        if found := MEDIA_PATH.fullmatch(url.partition("?")[0]):
            yield found[1]


def _urls(message: ForwardMsg) -> list[str]:
    match message.WhichOneof("type"):
        case "logo":
            return [message.logo.image, message.logo.icon_image]
        case "backend_operation_response":
            return [message.backend_operation_response.deferred_file.url]
        case "page_config_changed":
            return [message.page_config_changed.favicon]
        case "delta":
            return _urls_of_element(message.delta.new_element)
        case _:
            return []


def _urls_of_element(element: Element) -> list[str]:
    match element.WhichOneof("type"):
        case "imgs":
            return [image.url for image in element.imgs.imgs]
        case "download_button":
            return [element.download_button.url]
        case "audio":
            return [element.audio.url]
        case "video":
            return [element.video.url, *(part.url for part in element.video.subtitles)]
        case _:
            return []
