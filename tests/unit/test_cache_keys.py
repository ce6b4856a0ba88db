"""Keys tell apart what a function can tell apart, and values come back as they were."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy.orm import Session

from buttress.cache import cached, rows, tag
from buttress.cache.keys import digest, frozen
from buttress.cache.values import Codec
from buttress.errors import BadInput, ConfigurationError
from cache_world import Price, Shop, Stray

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Color(Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int


DIFFERENT = [
    1, True, 1.0, "1", b"1", Decimal("1"), Decimal("1.0"), (1,), [1], {1}, frozenset({1}), {1: 1},
    None, "None", Color.RED, "RED", Point(1, 2), (1, 2), NOON,
    NOON.astimezone(timezone(timedelta(hours=1))), NOON.replace(tzinfo=None), date(2024, 1, 1),
    UUID(int=1), 0.0, -0.0, ("1",), (1, "1"), ("a", "b"), ("ab",), (("a",), "b"), timedelta(1), "",
]  # fmt: skip


def test_arguments_that_differ_have_different_keys():
    keys = [frozen(value) for value in DIFFERENT]

    assert len(set(keys)) == len(DIFFERENT)
    assert len({digest(key) for key in keys}) == len(DIFFERENT)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
)


@given(plain, plain)
def test_names_are_equal_exactly_when_keys_are(left, right):
    assert (digest(frozen(left)) == digest(frozen(right))) == (frozen(left) == frozen(right))


def test_an_object_without_a_value_is_refused():
    with pytest.raises(BadInput, match="object cannot be part of a cache key"):
        frozen(object())


def test_a_name_is_the_same_in_another_process():
    code = (
        "from buttress.cache.keys import *; print(digest(frozen(('a', 1, frozenset('xyz'), 1.5))))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }

    assert told == {digest(frozen(("a", 1, frozenset("xyz"), 1.5))) + "\n"}


class Frozen(msgspec.Struct, frozen=True):
    at: datetime
    price: Decimal


class Open(msgspec.Struct):
    names: list[str]


class Model(BaseModel):
    id: UUID
    on: date


@dataclasses.dataclass
class Plain:
    x: int
    inner: list[int]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 5), (str | None, None), (list[Frozen], [Frozen(NOON, Decimal("1.50"))]),
        (dict[str, int], {"a": 1}), (tuple[int, str], (1, "a")), (set[int], {1, 2}),
        (Open, Open(["a"])), (Model, Model(id=UUID(int=5), on=date(2024, 1, 1))), (bytes, b"\x00"),
        (list[dict[str, int]], [{"a": 1}]), (Plain, Plain(1, [2])), (timedelta, timedelta(1)),
        (Color, Color.RED), (UUID, UUID(int=7)), (frozenset[str], frozenset("ab")),
        (list[Model], [Model(id=UUID(int=5), on=date(2024, 1, 1))]), (datetime, datetime(2024, 1, 1)),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_values_come_back_as_they_were(kind, value):
    codec = Codec(kind, "f")

    encoded, back = codec.kept(value)

    assert back == value
    assert type(back) is type(value)
    assert codec.decode(encoded) == value


@pytest.mark.parametrize(
    "kind", [list[int], dict[str, list[int]], list[dict[str, int]], Open, Plain, set[int]]
)
def test_what_can_be_changed_is_never_handed_out_twice(kind):
    value = {
        list[int]: [1], dict[str, list[int]]: {"a": [1]}, list[dict[str, int]]: [{"a": 1}],
        Open: Open(["a"]), Plain: Plain(1, [2]), set[int]: {1},
    }[kind]  # fmt: skip
    codec = Codec(kind, "f")
    encoded, back = codec.kept(value)

    out = codec.copy(back) if codec.copy else codec.decode(encoded)

    assert out == back
    assert out is not back
    if isinstance(out, dict):
        assert out["a"] is not back["a"]
    if kind == list[dict[str, int]]:
        assert out[0] is not back[0]


def test_what_cannot_be_changed_is_handed_out_as_it_is():
    codec = Codec(tuple[Frozen, ...], "f")
    _, back = codec.kept((Frozen(NOON, Decimal(1)),))

    assert codec.copy is not None
    assert codec.copy(back) is back


def test_an_entity_is_refused_when_it_is_declared():
    with pytest.raises(ConfigurationError, match="Shop: it belongs to a session"):

        @cached("x", tags=[Shop])
        def shops(session: Session) -> list[Shop]:
            return []


def test_a_value_that_would_come_back_changed_is_refused():
    with pytest.raises(ConfigurationError, match="come back changed"):
        Codec(dict[str, object], "f").kept({"at": Decimal("1.5")})


def test_a_function_that_returns_something_else_is_told_so():
    with pytest.raises(ConfigurationError, match="returned what is not int"):
        Codec(int, "f").kept("text")


def test_another_structure_has_another_schema():
    def schema(fields: list[tuple[str, type]]) -> str:
        return Codec(msgspec.defstruct("S", fields), "f").schema

    assert schema([("a", int)]) == schema([("a", int)]) != schema([("a", str)])


def test_a_function_without_a_return_annotation_is_refused():
    with pytest.raises(ConfigurationError, match="does not say what it returns"):

        @cached("x", tags=[Shop])
        def shops(session: Session):
            return []


def test_a_table_that_is_not_watched_is_refused():
    with pytest.raises(ConfigurationError, match="Stray is not watched"):

        @cached("x", tags=[Stray])
        def strays(session: Session) -> int:
            return 0


def test_a_row_tag_needs_its_columns_to_be_declared():
    with pytest.raises(ConfigurationError, match="no row tags by cents"):

        @cached("x", tags=[rows(Price, "cents")])
        def prices(session: Session, cents: int) -> int:
            return 0


def test_a_row_tag_needs_a_parameter_of_the_function():
    with pytest.raises(ConfigurationError, match="no parameter 'shop_id'"):

        @cached("x", tags=[rows(Price, "shop_id")])
        def prices(session: Session, shop: int) -> int:
            return 0


class Owned(Shop):
    __cache_tenant__ = "owner_id"


def test_a_function_over_rows_of_tenants_needs_the_tenant_in_its_key():
    with pytest.raises(ConfigurationError, match="no parameter 'owner_id'"):

        @cached("x", tags=[Owned])
        def shops(session: Session) -> int:
            return 0

    @cached("x", tags=[Owned])
    def of_owner(session: Session, owner_id: int) -> int:
        return 0

    @cached("x", tags=[Owned], tenant="who")
    def of_whom(session: Session, who: int) -> int:
        return 0

    @cached("x", tags=[Owned], tenant=lambda: 5)
    def of_current(session: Session) -> int:
        return 0

    @cached("x", tags=[Owned], across_tenants=True)
    def of_all(session: Session) -> int:
        return 0


def test_tags_read_like_the_rows_they_stand_for():
    assert tag(Price) == "cw_price"
    assert tag(Price, shop_id=5) == "cw_price/shop_id=5"
    assert tag(Price, sku="a", shop_id=5) == "cw_price/shop_id,sku=5,a"


def test_without_an_open_cache_a_cached_function_simply_runs():
    ran = []

    @cached("x", tags=[])
    def three() -> int:
        ran.append(1)
        return 3

    assert (three(), three(), len(ran)) == (3, 3, 2)
