"""What every command needs: settings read with readable errors, and the terminal to write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from buttress.settings import Settings

out = Console(highlight=False, soft_wrap=True)
"""Standard output: results."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Standard error: problems and progress."""


def load_settings(**overrides: object) -> Settings:
    """The settings of this deployment; an option given on the command line overrides its setting.

    Raises
    ------
    ConfigurationError
        Something cannot be used; the message names each variable, never a value.
    """
    from pydantic import ValidationError

    from buttress.settings import Settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(
                f"{variable(problem['loc'])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
                for problem in error.errors(include_input=False, include_url=False)
            ),
            hint="Correct it in the environment or in the file .env.",
        ) from None


def variable(location: tuple[int | str, ...]) -> str:
    """The environment variable behind a field: `('pool', 'size')` is `BUTTRESS_POOL__SIZE`."""
    known = ("DATABASE_URL", "REDIS_URL")
    if location and location[0] in known:
        return str(location[0])
    return "BUTTRESS_" + "__".join(str(part) for part in location).upper()


def plain(text: str) -> str:
    """Text that Rich prints as it is."""
    from rich.markup import escape

    return escape(text)
