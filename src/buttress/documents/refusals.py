"""Why a document is not read; each is a `BadInput`, so that one bad file stops no other work."""

from __future__ import annotations

from buttress.errors import Refused, TooLarge


class DocumentError(Refused):
    """A document that cannot be read; `cause` is one word for programs.

    Beside the words of the subclasses it is `crash`, `memory`, `cpu`, `time`, `output` or `error`
    where its reader was stopped, which says that it is damaged or made to do harm.
    """


class NotThatKind(DocumentError):
    """It is something else than what it was given as (`kind`)."""


class Protected(DocumentError):
    """It is protected by a password (`password`)."""


class Damaged(DocumentError):
    """It is cut short, or not as its format wants it (`damaged`)."""


class Empty(DocumentError):
    """There is nothing in it (`empty`)."""


class Harmful(DocumentError):
    """It unpacks to far more than it is (`bomb`)."""


class DocumentTooLarge(DocumentError, TooLarge):
    """It has more bytes, pages or cells than are read (`size`)."""


class NoSuchTable(DocumentError):
    """No header has the columns that were expected (`table`)."""
