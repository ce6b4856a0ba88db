"""The prompts that come with the app: files `prompts/*.md` that begin with name and version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from buttress.apps.catalog.products import HS_CODES, ProductType
from buttress.errors import NotFound

CUSTOMS = "customs"
CODES = "{{codes}}"
FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """What a model is told, in one version."""

    name: str
    version: int
    title: str
    text: str


def shipped() -> Mapping[str, Prompt]:
    """The prompts that come with the app, by name."""
    return _shipped()


def shipped_prompt(name: str) -> Prompt:
    """One of them; raises `NotFound`."""
    found = _shipped().get(name)
    if found is None:
        raise NotFound(f"there is no prompt {name!r}", hint=f"There are {', '.join(_shipped())}.")
    return found


def name_of(product_type: ProductType) -> str:
    """The name of the prompt for a type of product."""
    return f"extract-{product_type.value}"


def with_codes(text: str) -> str:
    """The prompt with the closed list of customs codes in it."""
    lines = (f"{one.code} {one.group}: {one.description}" for one in HS_CODES.values())
    return text.replace(CODES, "\n".join(lines))


@cache
def _shipped() -> Mapping[str, Prompt]:
    folder = files("buttress.apps.catalog").joinpath("prompts")
    found = {}
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".md"):
            prompt = read_prompt(file.read_text("utf-8"))
            found[prompt.name] = prompt
    return MappingProxyType(found)


def read_prompt(written: str) -> Prompt:
    """A prompt out of a file: lines of `key: value` between dashes, then the text."""
    front = FRONT.match(written)
    about = dict(
        line.split(": ", 1) for line in (front[1] if front else "").splitlines() if ": " in line
    )
    return Prompt(
        name=about["name"],
        version=int(about["version"]),
        title=about.get("title", about["name"]),
        text=written[front.end() if front else 0 :].strip(),
    )
