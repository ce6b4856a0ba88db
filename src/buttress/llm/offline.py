"""What stands in where no model is configured: rules that only repeat what the text says.

@offline("catalog.extract")
def extract(turns: Sequence[Message], into: type[Product] | None) -> Product: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from buttress.errors import ModelOutputInvalid
from buttress.llm.completion import Message
from buttress.llm.shape import Misfit, Shape, lines

NAME = "rules"
SENTENCES = 3
NOTICE = "No language model is configured. This is taken word for word from the text:"
NOTHING = "No language model is configured, and there is nothing in the text to repeat."
END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\w\"'(¿¡])")
LABELLED = re.compile(r"^[\s>*•-]*([^:\n]{1,80}?)[ \t*]*:[ \t*]*(\S.*?)[ \t]*$", re.MULTILINE)

Strategy = Callable[[Sequence[Message], type[Any] | None], Any]
S = TypeVar("S", bound=Strategy)

strategies: dict[str, Strategy] = {}
"""What apps do without a model, by purpose."""


def offline(purpose: str) -> Callable[[S], S]:
    """Register what is done for a purpose while no model is configured.

    The function gets the turns of the conversation and the type that is asked for; it returns a
    value of that type, or text when there is none. Raise `ModelOutputInvalid` when it cannot.
    """

    def register(strategy: S) -> S:
        strategies[purpose] = strategy
        return strategy

    return register


def answer(purpose: str, turns: Sequence[Message], shape: Shape[Any] | None) -> tuple[str, Any]:
    """The text and the value that rules find.

    Raises
    ------
    ModelOutputInvalid
        A required field is not in the text under its name.
    """
    strategy = strategies.get(purpose)
    if strategy is not None:
        found = strategy(turns, shape.into if shape else None)
        return (str(found), None) if shape is None else (shape.dump(found), found)
    document = max((turn.text for turn in turns if turn.role == "user"), key=len, default="")
    if shape is None:
        return summary(document), None
    value = labelled(document, shape)
    return shape.dump(value), value


def summary(document: str) -> str:
    """The leading sentences, and that no model wrote them."""
    text = " ".join(document.split())
    if not text:
        return NOTHING
    return f"{NOTICE}\n\n{' '.join(END_OF_SENTENCE.split(text)[:SENTENCES])}"


def labelled(document: str, shape: Shape[Any]) -> Any:
    """The value whose fields stand in the document as `Field: value`; raises ModelOutputInvalid."""
    known: dict[str, str] = {}
    for label, text in LABELLED.findall(document):
        known.setdefault(plain(label), text)
    found = {}
    properties = {} if shape.wrapped else shape.schema.get("properties", {})
    for name, described in properties.items():
        for label in (name, str(described.get("title", ""))):
            if plain(label) in known:
                found[name] = known[plain(label)]
                break
    try:
        # Nothing but these is known: a list or an object is not to be had from a line.
        adapter: TypeAdapter[Any] = shape.adapter
        value = adapter.validate_python(found, by_alias=True)
    except ValidationError as error:
        raise invalid(shape, lines(error)) from None
    except (ValueError, Misfit) as error:
        raise invalid(shape, [str(error)]) from None
    return value


def invalid(shape: Shape[Any], problems: list[str]) -> ModelOutputInvalid:
    """What rules could not find."""
    return ModelOutputInvalid(
        f"no language model is configured, and the text does not tell {shape.name} by labels: "
        + "; ".join(problems),
        problems=problems,
        hint="Set BUTTRESS_LLM__MODEL and the provider's key, or write fields as `name: value`.",
    )


def plain(label: str) -> str:
    """A label without what people write differently: case, blanks, underscores, dots."""
    return re.sub(r"[\W_]+", "", label).casefold()
