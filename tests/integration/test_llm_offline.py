"""Without a model: rules that repeat what the text says, and say that they are rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel, Field

from buttress.errors import ModelOutputInvalid
from buttress.llm import Message, offline
from buttress.llm.offline import strategies
from llm_world import Gateway, Offer, gateway

LETTER = """Dear all,
here is what we offer.

Name: Oak, two years
- Price : 12.50
Currency: BRL
"""


@pytest.fixture(scope="module")
def opened(calls_url: str) -> Iterator[Gateway]:
    with gateway(calls_url) as llm:
        yield llm


@pytest.fixture
def llm(opened: Gateway) -> Gateway:
    opened.forget()
    return opened


def test_a_text_is_answered_by_its_leading_sentences(llm: Gateway) -> None:
    text = "Oaks are trees. They grow slowly! Do they flower? They do. In spring."

    answer = llm.complete(text, purpose="garden.ask")

    assert answer.text == (
        "No language model is configured. This is taken word for word from the text:\n\n"
        "Oaks are trees. They grow slowly! Do they flower?"
    )
    assert (answer.offline, answer.cost, answer.model) == (True, 0, "offline:rules")
    (row,) = llm.calls()
    assert (row["provider"], row["outcome"], row["input_tokens"]) == ("offline", "offline", 0)


def test_fields_are_found_by_their_labels(llm: Gateway) -> None:
    answer = llm.complete(LETTER, into=Offer, purpose="garden.offer")

    assert answer.value == Offer(name="Oak, two years", price=12.5, currency="BRL")
    assert answer.offline


def test_what_the_text_does_not_tell_is_not_made_up(llm: Gateway) -> None:
    with pytest.raises(ModelOutputInvalid, match="price: field required") as caught:
        llm.complete("Name: Oak", into=Offer, purpose="garden.offer")

    assert caught.value.problems == ("price: field required",)
    assert llm.outcomes == ["invalid"]


def test_a_field_that_may_be_missing_is_left_out(llm: Gateway) -> None:
    class Tree(BaseModel):
        name: str
        height: int | None = None
        soil: str | None = Field(None, title="Kind of soil")

    answer = llm.complete("Name: Oak\nKind of soil: loam", into=Tree, purpose="garden.tree")

    assert answer.value == Tree(name="Oak", height=None, soil="loam")


def test_a_list_is_not_made_of_a_line(llm: Gateway) -> None:
    with pytest.raises(ModelOutputInvalid):
        llm.complete("Value: 1, 2", into=list[int], purpose="garden.list")


def test_an_app_brings_its_own_rules(llm: Gateway) -> None:
    @offline("garden.shout")
    def shout(turns: Sequence[Message], into: type[Any] | None) -> Any:
        text = turns[-1].text.upper()
        return text if into is None else into(name=text, price=1)

    try:
        answer = llm.complete("oak", purpose="garden.shout")
        offer = llm.complete("oak", into=Offer, purpose="garden.shout")
    finally:
        del strategies["garden.shout"]

    assert (answer.text, answer.offline) == ("OAK", True)
    assert offer.value == Offer(name="OAK", price=1)


@pytest.mark.parametrize("text", ["\0", "\ud800", "a" * 100_000, "🌳" * 50, "Name:" * 5_000])
def test_any_text_is_answered(llm: Gateway, text: str) -> None:
    assert llm.complete(text, purpose=f"garden.{text[:3]}").offline
    assert llm.outcomes == ["offline"]
