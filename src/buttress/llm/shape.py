"""The type an answer is asked for in: its schema for the model, and reading what came back."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar, cast

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from buttress.errors import BadInput

T = TypeVar("T")

PROBLEMS = 20
"""Lines about what is wrong that a model, or a person, is told."""
FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


class Misfit(Exception):
    """An answer does not fit; `problems` are lines of place and reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Shape(Generic[T]):
    """A pydantic model, a dataclass, or any other type that pydantic validates.

    Raises `BadInput` for a type without JSON schema.
    """

    def __init__(self, into: type[T]) -> None:
        self.into = into
        self.name = getattr(into, "__name__", str(into))
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(into)
            schema = adapter.json_schema()
            self.wrapped = schema.get("type") != "object" or "additionalProperties" in schema
            if self.wrapped:  # models answer with objects
                adapter = TypeAdapter(create_model("Answer", value=(into, ...)))
                schema = adapter.json_schema()
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema) as error:
            raise BadInput(
                f"no answer can be read into {self.name}",
                hint="Use a pydantic model, a dataclass, or a plain type.",
            ) from error
        self.adapter = adapter
        self.schema: dict[str, Any] = schema

    def read(self, text: str) -> T:
        """The value in a JSON text, which may stand in a fence; raises `Misfit`."""
        try:
            value = self.adapter.validate_json(unfenced(text))
        except ValidationError as error:
            raise Misfit(lines(error)) from None
        except (ValueError, RecursionError) as error:  # validators of the type may raise those
            raise Misfit([str(error)]) from None
        return cast("T", value.value if self.wrapped else value)

    def dump(self, value: T) -> str:
        """The JSON text that `read` makes the value of."""
        given = self.adapter.validate_python({"value": value}) if self.wrapped else value
        return self.adapter.dump_json(given, by_alias=True).decode()


def lines(error: ValidationError) -> list[str]:
    """What is wrong, a line each: `items.0.price: field required`."""
    found = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"][:1].lower() + problem["msg"][1:]
        found.append(f"{place}: {message}" if place else message)
    more = len(found) - PROBLEMS
    return [*found[:PROBLEMS], f"and {more} more"] if more > 0 else found


def unfenced(text: str) -> str:
    """The JSON in an answer of a model that put it between fences or words."""
    if text.lstrip().startswith(("{", "[")):
        return text
    fenced = FENCED.search(text)
    if fenced:
        return fenced[1]
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
