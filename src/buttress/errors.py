"""Every error Buttress raises on purpose.

    ButtressError
    ├── ConfigurationError     a setting is missing or wrong            500  exit 78
    ├── Unavailable            a server does not answer                 503  exit 75
    │   ├── ConnectionLost     a connection broke while it was used
    │   └── TransactionUndone  two transactions got in each other's way
    ├── NotFound               what was named does not exist            404  exit 1
    ├── Conflict               the state does not allow it              409  exit 1
    ├── BadInput               a file or a value cannot be used         422  exit 65
    ├── Unsupported            this backend cannot do it                501  exit 69
    └── MoveMismatch           the proof found a difference             500  exit 65

The message says what happened and to what: lower case, no full stop. The hint is a sentence that
says what to do. Three places translate them for people: `cli`, `api` and `ui`. Exit codes follow
sysexits.h.
"""


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
