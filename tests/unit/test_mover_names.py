"""Names that PostgreSQL can have for whatever SQLite calls things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttress.mover.planning import names

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)


@pytest.mark.parametrize(
    "name", ["users", "Users", "order", 'say "hi"', "emoji 😀", "new\nline", "x" * 63, "XMIN"]
)
def test_a_name_postgresql_can_have_stays_as_it_is(name: str) -> None:
    assert names.relations().take(name) == name
    assert names.columns().take(name) == name


@pytest.mark.parametrize("name", sorted(names.SYSTEM_COLUMNS))
def test_a_system_column_is_renamed_in_a_table_only(name: str) -> None:
    assert names.columns().take(name) != name
    assert names.relations().take(name) == name


def test_names_of_our_own_tables_are_renamed() -> None:
    renamed = names.relations().take("buttress_moves")

    assert not renamed.startswith(names.RESERVED_PREFIXES)
    assert names.columns().take("buttress_moves") == "buttress_moves"


def test_an_empty_name_gets_one() -> None:
    assert names.columns().take("").startswith("unnamed_")


def test_names_equal_in_their_first_63_bytes_stay_apart() -> None:
    space = names.relations()

    found = {space.take("é" * 40 + tail) for tail in ("a", "b", "c")}

    assert len(found) == 3
    assert all(len(name.encode()) <= 63 for name in found)


@given(st.lists(NAMES, unique=True, max_size=12))
def test_different_names_stay_different_and_fit(wanted: list[str]) -> None:
    space = names.columns()

    found = [space.take(name) for name in wanted]

    assert len(set(found)) == len(wanted)
    assert all(0 < len(name.encode()) <= 63 and "\0" not in name for name in found)


@given(NAMES)
def test_the_same_name_is_always_renamed_alike(name: str) -> None:
    assert names.relations().take(name) == names.relations().take(name)


@given(NAMES)
def test_a_name_wanted_twice_is_given_once(name: str) -> None:
    space = names.relations()

    assert space.take(name) != space.take(name)
