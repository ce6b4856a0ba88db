"""What goes wrong with jobs, beyond the errors of the house."""

from __future__ import annotations

from buttress.errors import ButtressError


class JobFailed(ButtressError):
    """A job or one of its steps raised, was cancelled or was given up; `kind` names the type."""

    def __init__(self, message: str, *, kind: str = "JobFailed", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
