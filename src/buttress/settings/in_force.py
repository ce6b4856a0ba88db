"""What is set where: the environment, `.env` or nothing, and the value each setting has."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from buttress.settings.settings import AppSettings, Settings


@dataclasses.dataclass(frozen=True)
class Given:
    """What the environment and `.env` set, by name; values may be secret."""

    environment: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    file: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    path: Path = Path(".env")

    @property
    def together(self) -> dict[str, str]:
        """The environment wins."""
        return {**self.file, **self.environment}


def given(path: Path = Path(".env")) -> Given:
    """Every variable this process would read its settings from, ours and others'."""
    from dotenv import dotenv_values

    found = {name: value or "" for name, value in dotenv_values(path).items()}
    return Given(dict(os.environ), found, path)  # noqa: TID251  # this module may


def known_names() -> set[str]:
    """Every variable that is a setting, of the apps that are imported too; a group may be given as
    JSON under its own name."""
    models: list[type[BaseSettings]] = [Settings, *AppSettings.__subclasses__()]
    return {name for model in models for name in _names(model, model.model_config["env_prefix"])}


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, described in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        alias = described.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (str(choice) for choice in alias.choices)
        else:
            yield str(alias or variable)
        if isinstance(described.annotation, type) and issubclass(described.annotation, BaseModel):
            yield from _names(described.annotation, f"{variable}__")


Origin = Literal["default", "environment", ".env", "code"]


@dataclasses.dataclass(frozen=True)
class InForce:
    """One setting as it is: a secret's value is told by its length, a URL's without what is in
    it for the server alone."""

    name: str
    value: str
    origin: Origin
    meaning: str


def in_force(settings: Settings, given: Given) -> list[InForce]:
    """Every setting with its value and where that came from, in the order of the declaration;
    those of the apps last."""
    file, environment = _folded(given.file), _folded(given.environment)
    found = []
    models = [settings, *(model() for model in AppSettings.__subclasses__())]
    for names, value, field in chain.from_iterable(
        _values(model, str(model.model_config["env_prefix"]), ()) for model in models
    ):
        origin: Origin = "code"
        if not environment.isdisjoint(names):
            origin = "environment"
        elif not file.isdisjoint(names):
            origin = ".env"
        elif value == field.get_default(call_default_factory=True):
            origin = "default"
        found.append(
            InForce(names[0].upper(), _told(value, field), origin, field.description or "")
        )
    return found


def _folded(names: dict[str, str]) -> set[str]:
    return {name.casefold() for name in names}


def _values(
    model: BaseModel, prefix: str, groups: tuple[str, ...]
) -> Iterator[tuple[list[str], object, FieldInfo]]:
    """Every setting: the names it may be given by, its own first and its groups' last."""
    for name, field in type(model).model_fields.items():
        value, variable = getattr(model, name), f"{prefix}{name}".casefold()
        if isinstance(value, BaseModel):
            yield from _values(value, f"{variable}__", (variable, *groups))
            continue
        alias = field.validation_alias
        own = alias.choices if isinstance(alias, AliasChoices) else [alias or variable]
        yield [*(str(one).casefold() for one in own), *groups], value, field


def _told(value: object, field: FieldInfo) -> str:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        if value == field.get_default(call_default_factory=True):
            return secret or "not set"
        return f"set, {len(secret)} characters"
    if value is None:
        return "not set"
    return re.sub(r"://[^/@\s]*@", "://…@", re.sub(r"(://[^?]*)\?.*", r"\1?…", str(value)))
