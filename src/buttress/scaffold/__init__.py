"""A new app, written from a template: small, complete and running."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from buttress.app import App
from buttress.errors import BadInput, Conflict

SUFFIX = ".jinja"


def write_app(name: str, folder: Path) -> Path:
    """Write an app called `name` into `folder`, which must be empty or missing; returns the folder.

    Raises
    ------
    ConfigurationError
        The name cannot name an app.
    BadInput
        A module of that name exists, which the app would hide or be hidden by.
    Conflict
        The folder holds something.
    """
    app = App(name, title=name.replace("_", " ").capitalize(), package=name)
    if taken(name):
        raise BadInput(
            f"a module named {name!r} exists already", hint="Choose another name for the app."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(
            f"{folder} exists and is not empty", hint="Name another place with --folder."
        )
    for path, text in rendered(app).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def taken(name: str) -> bool:
    """Whether importing that name finds something."""
    from importlib.util import find_spec
    from keyword import iskeyword

    return iskeyword(name) or find_spec(name) is not None


def rendered(app: App) -> dict[str, str]:
    """The files of the new app by their path, in the words of that app."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    words = {"name": app.name, "title": app.title}
    root = files("buttress.scaffold").joinpath("template")
    return {
        environment.from_string(path.removesuffix(SUFFIX)).render(words): environment.from_string(
            file.read_text("utf-8")
        ).render(words)
        for path, file in templates(root, "")
    }


def templates(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    """Every template below a folder, with its path."""
    found: list[tuple[str, Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += templates(entry, f"{path}/")
        elif path.endswith(SUFFIX):
            found.append((path, entry))
    return found
