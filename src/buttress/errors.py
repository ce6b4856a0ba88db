"""Every error Buttress raises on purpose.

    ButtressError
    ├── ConfigurationError     a setting is missing or wrong            500  exit 78
    ├── Unavailable            a server does not answer                 503  exit 75
    │   ├── ConnectionLost     a connection broke while it was used
    │   ├── TransactionUndone  two transactions got in each other's way
    │   └── ModelUnavailable   no language model answered
    ├── NotSignedIn            nobody is signed in                      401  exit 77
    ├── Forbidden              the person may not do this               403  exit 77
    ├── TooMany                too often, too soon                      429  exit 75
    │   └── BudgetSpent        what may be spent on models today is     429  exit 75
    ├── NotFound               what was named does not exist            404  exit 1
    ├── Conflict               the state does not allow it              409  exit 1
    ├── BadInput               a file or a value cannot be used         422  exit 65
    │   ├── TooLarge           it is larger than what is taken          413
    │   ├── Refused            handling it was given up, to be safe     422
    │   └── ModelRefused       a language model does not answer this
    ├── ModelOutputInvalid     a model's answers do not fit             502  exit 65
    ├── Unsupported            this backend cannot do it                501  exit 69
    └── MoveMismatch           the proof found a difference             500  exit 65

The message says what happened and to what: lower case, no full stop. The hint is a sentence that
says what to do. Three places translate them for people: `cli`, `api` and `ui`. Exit codes follow
sysexits.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


class ButtressError(Exception):
    """Base of the family; raise one of the subclasses."""

    http_status = 500
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(ButtressError):
    """A setting is missing, contradictory or unusable; raised while starting."""

    exit_code = 78


class Unavailable(ButtressError):
    """A server, a disk or a lock does not answer now; trying again later may work."""

    http_status = 503
    exit_code = 75


class ConnectionLost(Unavailable):
    """The connection broke while a transaction was under way; doing the work again may succeed.

    What was not committed is undone. `commit_unknown` says that it broke during the COMMIT itself,
    so that the work may be done or not; `unsent` that the statement never reached a server.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        commit_unknown: bool = False,
        unsent: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.commit_unknown = commit_unknown
        self.unsent = unsent


class TransactionUndone(Unavailable):
    """The database undid the transaction in favour of another one; doing it again may succeed."""


class ModelUnavailable(Unavailable):
    """No language model answered in time, or each one that was asked failed."""


class NotSignedIn(ButtressError):
    """Nobody is signed in, or no longer."""

    http_status = 401
    exit_code = 77


class Forbidden(ButtressError):
    """The person who is signed in may not do this."""

    http_status = 403
    exit_code = 77


class TooMany(ButtressError):
    """It was asked too often; `after_seconds` tells when it may be asked again."""

    http_status = 429
    exit_code = 75

    def __init__(self, message: str, *, after_seconds: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after_seconds = after_seconds


class BudgetSpent(TooMany):
    """What may be spent on language models today is spent; `resets_at` tells when a day begins."""

    def __init__(
        self, message: str, *, resets_at: datetime, after_seconds: float, hint: str | None = None
    ) -> None:
        super().__init__(message, after_seconds=after_seconds, hint=hint)
        self.resets_at = resets_at


class NotFound(ButtressError):
    """What was named does not exist."""

    http_status = 404


class Conflict(ButtressError):
    """It exists, but its state does not allow what was asked."""

    http_status = 409


class BadInput(ButtressError):
    """A file or a value that was given cannot be used; nothing was changed."""

    http_status = 422
    exit_code = 65


class TooLarge(BadInput):
    """More bytes, members or rows than what is taken here."""

    http_status = 413


class Refused(BadInput):
    """Handling it was given up: it does harm, or leads where nothing may go.

    `cause` is one word for programs, such as `memory`, `time`, `crash`, `bomb` or `address`.
    """

    def __init__(self, message: str, *, cause: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause


class ModelRefused(BadInput):
    """A language model does not answer this: it was filtered, or is longer than it can read."""


class ModelOutputInvalid(ButtressError):
    """What a language model answered does not fit the type that was asked for, repairs included.

    `problems` are lines of place and reason.
    """

    http_status = 502
    exit_code = 65

    def __init__(self, message: str, *, problems: Sequence[str], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class Unsupported(ButtressError):
    """The backend in use has no such feature."""

    http_status = 501
    exit_code = 69


class MoveMismatch(ButtressError):
    """The proof found rows that differ between source and target; the target was left as it
    was.

        `report` is the move's `MoveReport`: its proof names the rows.
    """

    exit_code = 65

    def __init__(self, message: str, *, report: object, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.report = report
