"""Contracts: every violation with its place and value, however the rows come."""

import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from buttress.contracts import Contract, Violation, frame_rule
from buttress.contracts.columns import surely_valid
from buttress.errors import BadInput, ConfigurationError
from buttress.exports import export_rows

DAY = dt.date(2026, 1, 1)


class Report(Contract, unique=[("account", "day")]):
    account: str = Field(min_length=1, max_length=10)
    day: dt.date
    score: float = Field(ge=0, le=1)
    note: str | None = None


GOOD = {"account": "A1", "day": DAY, "score": 0.5, "note": None}


def rows(*changes):
    return [{**GOOD, "account": f"A{place}", **change} for place, change in enumerate(changes, 1)]


def as_table(rows):
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("kind", [list, as_table, pd.DataFrame])
def test_every_violation_has_its_row_column_and_value(kind):
    checked = Report.check(
        kind(rows({}, {"score": -0.5}, {"account": "", "score": 7.0}, {"account": "x" * 99}, {}))
    )

    assert [(v.row, v.column, v.value, v.rule) for v in checked.violations] == [
        (2, "score", "-0.5", "greater_than_equal"),
        (3, "account", "''", "string_too_short"),
        (3, "score", "7.0", "less_than_equal"),
        (4, "account", f"'{'x' * 56}...", "string_too_long"),
    ]
    assert list(checked.valid_numbers) == [1, 5]
    assert [model.account for model in checked.models] == ["A1", "A5"]
    assert checked.table["account"].to_pylist() == ["A1", "A5"]
    assert [number for number, _ in checked.rejected] == [2, 3, 4]


def test_values_are_made_what_the_fields_say():
    checked = Report.check([{"account": "A", "day": "2026-01-01", "score": "0.25"}])

    assert checked.ok
    assert checked.models == [Report(account="A", day=DAY, score=0.25)]
    assert checked.table["score"].to_pylist() == [0.25]


@pytest.mark.parametrize("kind", [list, as_table])
def test_rows_that_repeat_a_key_name_the_row_they_repeat(kind):
    checked = Report.check(kind(rows({"account": "B"}, {}, {"account": "B"}, {"account": "B"})))

    assert checked.violations == [
        Violation(3, "account, day", f"('B', {DAY!r})", "repeats row 1", "unique"),
        Violation(4, "account, day", f"('B', {DAY!r})", "repeats row 1", "unique"),
    ]
    assert list(checked.valid_numbers) == [1, 2]


def test_keys_with_nothing_in_them_never_repeat():
    class Keyed(Contract, unique=["key"]):
        key: int | None

    assert Keyed.check([{"key": None}, {"key": None}, {"key": 1}]).ok
    assert Keyed.check(as_table([{"key": None}, {"key": None}, {"key": 1}])).ok


class Shares(Contract):
    owner: str
    share: float = Field(ge=0)

    @frame_rule(column="share")
    @classmethod
    def none_has_more_than_half(cls, frame):
        """nobody has more than half."""
        return pc.less_equal(frame["share"], 0.5)

    @frame_rule
    @classmethod
    def shares_sum_to_one(cls, frame):
        """the shares sum to 1"""
        return abs(pc.sum(frame["share"]).as_py() - 1) < 1e-9


@pytest.mark.parametrize("kind", [list, as_table])
def test_rules_about_the_whole_frame_are_methods(kind):
    good = [{"owner": "a", "share": 0.5}, {"owner": "b", "share": 0.5}]
    assert Shares.check(kind(good)).ok

    checked = Shares.check(kind([{"owner": "a", "share": 0.9}, {"owner": "b", "share": 0.3}]))

    assert checked.violations == [
        Violation(1, "share", "0.9", "nobody has more than half", "none_has_more_than_half"),
        Violation(None, None, "", "the shares sum to 1", "shares_sum_to_one"),
    ]
    assert "all rows: the shares sum to 1" in checked.summary
    assert list(checked.valid_numbers) == [2]


def test_a_frame_rule_that_answers_nonsense_is_a_mistake_in_the_contract():
    class Odd(Contract):
        a: int

        @frame_rule
        @classmethod
        def two(cls, frame):
            return [True, True]

    with pytest.raises(ConfigurationError, match="gave 2 truths for 1 rows"):
        Odd.check([{"a": 1}])
    with pytest.raises(ConfigurationError, match="no class method"):
        frame_rule(lambda frame: True)
    with pytest.raises(ConfigurationError, match="has no field b"):

        class Unknown(Contract, unique=["b"]):
            a: int


def test_contracts_inherit_rules_and_keys():
    class More(Shares, unique=["owner"]):
        extra: int = 0

    checked = More.check([{"owner": "a", "share": 0.5}, {"owner": "a", "share": 0.5}])

    assert {v.rule for v in checked.violations} == {"unique", "shares_sum_to_one"}
    assert Shares._unique == ()


def test_a_column_that_is_missing_is_told_once():
    checked = Report.check(pa.table({"account": ["a"] * 1000}))

    assert checked.violations == [
        Violation(None, "day", "", "the column is missing", "missing"),
        Violation(None, "score", "", "the column is missing", "missing"),
    ]
    assert (len(checked.rejected), checked.models) == (1000, [])
    assert next(checked.rejected_rows())["reason"].startswith("day: the column is missing")


def test_the_summary_counts_and_the_json_lists():
    checked = Report.check(rows({"score": 2.0}, {"score": 3.0}, {"account": ""}, {}))

    assert checked.summary.splitlines() == [
        "1 of 4 rows keep the contract Report",
        "score: Input should be less than or equal to 1, 2 × (first in row 1: 2.0)",
        "account: String should have at least 1 character, 1 × (first in row 3: '')",
    ]
    told = json.loads(json.dumps(checked.as_json(limit=1)))
    assert (told["rows"], told["valid"], told["rejected"]) == (4, 1, 3)
    assert (len(told["violations"]), told["violation_count"]) == (1, 3)
    assert told["groups"][0]["count"] == 2
    with pytest.raises(BadInput, match="break the contract Report"):
        checked.raise_if_rejected()


@pytest.mark.parametrize("format", ["csv", "xlsx", "jsonl", "parquet", "json"])
def test_rejected_rows_can_be_downloaded(format):
    checked = Report.check(rows({"score": 2.0}, {"note": "=1+1", "account": ""}, {}))
    file = io.BytesIO()

    assert export_rows(None, checked.rejected_rows(), file, format)
    if format == "jsonl":
        assert [json.loads(line)["row"] for line in file.getvalue().splitlines()] == [1, 2]


def test_rejected_rows_keep_columns_of_their_own_called_row_and_reason():
    class Own(Contract):
        row: int
        reason: str = Field(max_length=1)

    (rejected,) = Own.check([{"row": 7, "reason": "why"}]).rejected_rows()

    assert rejected == {
        "row_": 1,
        "reason_": "reason: String should have at most 1 character",
        "row": 7,
        "reason": "why",
    }


def test_nothing_is_a_frame_too():
    assert Report.check([]).summary == "0 of 0 rows keep the contract Report"
    assert Report.check(as_table(rows({})).slice(0, 0)).ok


class Every(BaseModel):
    """Fields of all kinds that columns are looked at for."""

    whole: int = Field(ge=-5, lt=5)
    real: float = Field(gt=-1, le=1)
    text: str = Field(min_length=1, max_length=3)
    maybe: str | None = Field(None, max_length=2)
    kind: Literal["a", "b"]
    day: dt.date
    at: dt.datetime
    money: Decimal
    yes: bool


EVERY = pa.schema(
    [
        ("whole", pa.int64()),
        ("real", pa.float64()),
        ("text", pa.string()),
        ("maybe", pa.string()),
        ("kind", pa.string()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("money", pa.decimal128(10, 2)),
        ("yes", pa.bool_()),
    ]
)

one_row = st.fixed_dictionaries(
    {
        "whole": st.none() | st.integers(-7, 7),
        "real": st.none() | st.floats(-1.5, 1.5) | st.sampled_from([float("nan"), float("inf")]),
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        "maybe": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        "kind": st.none() | st.sampled_from(["a", "b", "c", ""]),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes(timezones=st.just(dt.UTC)),
        "money": st.none() | st.decimals(-1000, 1000, places=2),
        "yes": st.none() | st.booleans(),
    }
)
PASSING = {
    "whole": 1, "real": 0.5, "text": "ok", "maybe": None, "kind": "a", "day": DAY,
    "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "money": Decimal("1.50"), "yes": True,
}  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(one_row | st.just(PASSING), max_size=6))
@example(
    [{**PASSING, "day": dt.date(1, 1, 1), "at": dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC)}]
)
def test_columns_pass_only_what_pydantic_passes_unchanged(rows):
    table = pa.Table.from_pylist(rows, EVERY)

    mask = surely_valid(Every, table)

    assert mask is not None
    for row, sure in zip(table.to_pylist(), mask.to_pylist(), strict=True):
        if sure:
            assert Every.model_validate(row).model_dump() == row
        if row == PASSING:
            assert sure


@settings(max_examples=60, deadline=None)
@given(st.lists(one_row | st.just(PASSING), max_size=6))
def test_a_frame_and_its_rows_are_judged_alike(rows):
    class Judged(Every, Contract, unique=["whole", ("text", "kind")]):
        pass

    table = pa.Table.from_pylist(rows, EVERY)
    at_once, one_by_one = Judged.check(table), Judged.check(table.to_pylist())

    assert at_once.violations == one_by_one.violations
    assert list(at_once.valid_numbers) == list(one_by_one.valid_numbers)
    assert [n for n, _ in at_once.rejected] == [n for n, _ in one_by_one.rejected]
    assert at_once.models == one_by_one.models


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (Annotated[str, Field(pattern="^a")], ["b"]),
        (Annotated[int, Field(multiple_of=2)], [3]),
        (Annotated[float, Field(allow_inf_nan=False)], [float("inf")]),
        (Annotated[int, Field(ge=10**30)], [5]),
        (Annotated[Decimal, Field(max_digits=1)], [Decimal("10.5")]),
        (int, ["5x"]),
        (list[int], [["x"]]),
    ],
)
def test_what_columns_do_not_know_is_left_to_pydantic(annotation, values):
    model = type(
        "Left", (Contract,), {"__annotations__": {"a": annotation}, "__module__": __name__}
    )

    assert not model.check(pa.table({"a": values})).ok


def test_models_with_ways_of_their_own_are_left_to_pydantic():
    class Validated(Contract):
        a: int

        @field_validator("a")
        @classmethod
        def odd(cls, value):
            if value % 2 == 0:
                raise ValueError("is even")
            return value

    class Stripped(Contract):
        model_config = ConfigDict(str_strip_whitespace=True)
        a: str

    class Closed(Contract):
        model_config = ConfigDict(extra="forbid")
        a: int

    class After(Contract):
        a: int

        def model_post_init(self, _):
            raise ValueError("never")

    assert [v.row for v in Validated.check(pa.table({"a": [1, 2]})).violations] == [2]
    assert Stripped.check(pa.table({"a": [" x "]})).table["a"].to_pylist() == ["x"]
    assert Closed.check(pa.table({"a": [1], "b": [2]})).violations[0].rule == "extra_forbidden"
    assert "never" in After.check(pa.table({"a": [1]})).violations[0].message


@given(st.text())
def test_values_are_shown_short_and_visible(text):
    class Never(Contract):
        a: Annotated[str, Field(max_length=0)]

    for violation in Never.check([{"a": text}]).violations:
        assert len(violation.value) <= 60
        assert violation.value.isprintable()


def test_the_example_of_the_how_to_prints_what_it_says(capsys):
    page = Path(__file__).parents[2] / "docs" / "howto" / "contracts.md"
    code, told = page.read_text().split("\nprints\n")

    exec(_indented(code), {"__name__": "example"})

    assert capsys.readouterr().out.strip() == _indented(told.partition("A contract is")[0]).strip()


def _indented(text):
    lines = text.splitlines()
    return "\n".join(line[4:] for line in lines if line.startswith("    ") or not line)
