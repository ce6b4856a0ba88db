"""Checks of Python and of the packages that are installed."""

from __future__ import annotations

import os
import platform
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from buttress.check.facts import Facts
from buttress.check.registry import NotApplicable, check

if TYPE_CHECKING:
    from packaging.requirements import Requirement

TESTED = "3.11"
PRIVATE = ("dbos", "psycopg", "sqlalchemy", "streamlit")
"""Packages of which we use parts that are private."""


@check(
    "BT-901", "supply", "error", "Python out of range",
    cure=f"Make the environment with a Python that Buttress supports; {TESTED} is tested.",
)  # fmt: skip
def python(_: Facts) -> str | None:
    """Buttress says which versions of Python it runs on."""
    from packaging.specifiers import SpecifierSet

    wanted = metadata("buttress")["Requires-Python"]
    if platform.python_version() in SpecifierSet(wanted, prereleases=True):
        return None
    return f"this is Python {platform.python_version()}, wanted is {wanted}"


@check(
    "BT-902", "supply", "error", "Package out of the range whose parts we use",
    cure='Install the range that Buttress names: pip install --upgrade "buttress".',
)  # fmt: skip
def private_parts(_: Facts) -> Iterator[str]:
    """Of these packages we use parts that may change without notice: another version may do
    something else without an error."""
    yield from out_of_range(private=True)


@check(
    "BT-903", "supply", "warning", "Package out of range",
    cure='Install what Buttress names: pip install --upgrade "buttress".',
)  # fmt: skip
def packages(_: Facts) -> Iterator[str]:
    """A package is missing or older than what Buttress was written for."""
    yield from out_of_range(private=False)


def out_of_range(*, private: bool) -> Iterator[str]:
    """Requirements of Buttress that the environment does not meet."""
    for wanted in requirements():
        if (wanted.name.lower() in PRIVATE) != private:
            continue
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            yield f"{wanted.name} is not installed"
            continue
        if not wanted.specifier.contains(there, prereleases=True):
            yield f"{wanted.name} is {there}, wanted is {wanted.specifier}"


def requirements() -> Iterator[Requirement]:
    """What Buttress needs on this machine, without extras."""
    from packaging.requirements import Requirement

    for line in requires("buttress") or ():
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield wanted


@check(
    "BT-904", "supply", "warning", "Runs as root",
    cure="Run it as a user of its own.", deploy=True,
)  # fmt: skip
def root(_: Facts) -> str | None:
    """Code that got into the process owns the machine, or the container and what it mounts."""
    return "the process runs as root" if os.geteuid() == 0 else None


@check(
    "BT-905", "supply", "warning", "Installed is not what is locked",
    cure="uv sync --locked",
)  # fmt: skip
def lock(facts: Facts) -> Iterator[str]:
    """`uv.lock` of the project names versions that were tested together; others are installed."""
    try:
        content = tomllib.loads((facts.folder / "uv.lock").read_text())
    except FileNotFoundError:
        raise NotApplicable from None
    locked = {package["name"]: package.get("version") for package in content.get("package", [])}
    for wanted in requirements():
        name = wanted.name.lower().replace("_", "-")
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            continue  # BT-902 and BT-903 say so
        if locked.get(name) not in (None, there):
            yield f"{name} is {there}, locked is {locked[name]}"
