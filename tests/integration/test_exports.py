"""Exports read back by other programs' readers: what is in the file is what was in the table."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, Numeric, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from buttress.db.base import Base
from buttress.db.database import Database
from buttress.errors import BadInput
from buttress.exports import Options, export_chunks, export_rows

INSTANT = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, dt.UTC)


class Tables(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map = Base.type_annotation_map


class Product(Tables):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2, asdecimal=True))
    rating: Mapped[float | None]
    added_at: Mapped[dt.datetime | None]
    facts: Mapped[dict[str, Any] | None]
    key: Mapped[UUID | None]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
    with database.session() as session:
        session.add_all(
            [
                Product(id=1, name="=SUM(A1)", price=Decimal("-3.50"), rating=-1.5, added_at=INSTANT,
                        facts={"a": [1, "é"]}, key=UUID(int=7)),
                Product(id=2),
            ]
        )  # fmt: skip
    yield database
    database.close()


def exported(rows: Any, format: Any, session: Any = None, **options: Any) -> bytes:
    return b"".join(export_chunks(session, rows, format, Options(**options)))


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def read_excel(content: bytes) -> list[list[list[Any]]]:
    """Sheets of rows of cells, text and numbers apart; Excel's escapes are undone."""
    spaces = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    sheets = []
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        names = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        for name in sorted(names, key=lambda name: int(re.findall(r"\d+", name)[0])):
            sheet = []
            root = ElementTree.fromstring(book.read(name))
            assert root.findall(".//m:f", spaces) == []
            for row in root.findall(".//m:row", spaces):
                cells: dict[int, Any] = {}
                for cell in row.findall("m:c", spaces):
                    cells[_column(cell.attrib["r"])] = _cell(cell, spaces)
                sheet += [[]] * (int(row.attrib["r"]) - 1 - len(sheet))
                sheet.append([cells.get(n) for n in range(max(cells, default=-1) + 1)])
            sheets.append(sheet)
    return sheets


def _column(reference: str) -> int:
    number = 0
    for letter in re.match(r"[A-Z]+", reference)[0]:  # type: ignore[index]
        number = number * 26 + ord(letter) - 64
    return number - 1


def _cell(cell: ElementTree.Element, spaces: dict[str, str]) -> Any:
    value = cell.find("m:v", spaces)
    match cell.attrib.get("t"):
        case "inlineStr":
            text = cell.find("m:is/m:t", spaces)
            assert text is not None
            return re.sub("_x([0-9A-Fa-f]{4})_", lambda m: chr(int(m[1], 16)), text.text or "")
        case "b":
            return value is not None and value.text == "1"
    return None if value is None else float(value.text or "")


def test_a_select_of_a_model_gives_its_columns(database):
    with database.session(read_only=True) as session:
        content = exported(select(Product).order_by(Product.id), "csv", session)

    assert content.split(b"\r\n")[0] == b"id,name,price,rating,added_at,facts,key"
    assert read_csv(content)[0] == {
        "id": "1",
        "name": "'=SUM(A1)",
        "price": "-3.50",
        "rating": "-1.5",
        "added_at": "2026-01-02T03:04:05.678000Z",
        "facts": '{"a":[1,"é"]}',
        "key": "00000000-0000-0000-0000-000000000007",
    }
    assert set(read_csv(content)[1].values()) == {"2", ""}


@pytest.mark.parametrize("start", list("=+-@＝＋－＠\t\r\n"))
def test_csv_defuses_texts_and_names_but_no_numbers(start):
    rows = [
        {f"{start}name": f"{start}1", "number": -1, "decimal": Decimal(-1), "infinite": -math.inf}
    ]

    (row,) = read_csv(exported(rows, "csv"))

    assert row == {
        f"'{start}name": f"'{start}1",
        "number": "-1",
        "decimal": "-1",
        "infinite": "-Infinity",
    }
    assert read_csv(exported(rows, "csv", defuse=False))[0][f"{start}name"] == f"{start}1"


class Sign(Enum):
    PLUS = "+1"


def test_csv_defuses_what_became_text_and_nothing_else():
    rows = [
        {
            "bytes": b"\xf8\0\0",
            "enum": Sign.PLUS,
            "number": np.int64(-1),
            "duration": dt.timedelta(seconds=-1),
        }
    ]

    (row,) = read_csv(exported(rows, "csv"))

    assert row == {"bytes": "'+AAA", "enum": "'+1", "number": "-1", "duration": "-1.0"}


@pytest.mark.parametrize("format", ["json", "jsonl", "parquet"])
def test_two_columns_of_one_name_are_refused_where_one_would_be_lost(database, format):
    statement = text("SELECT 1 AS a, 2 AS b, 3 AS a")
    with (
        database.session(read_only=True) as session,
        pytest.raises(BadInput, match="two columns have the name 'a'"),
    ):
        export_chunks(session, statement, format)

    with database.session(read_only=True) as session:
        assert exported(statement, "csv", session) == b"a,b,a\r\n1,2,3\r\n"


def test_csv_has_a_mark_for_excel_when_asked():
    assert exported([{"a": "é"}], "csv", bom=True) == "\ufeffa\r\né\r\n".encode()


def test_parquet_has_the_types_of_the_columns(database):
    with database.session(read_only=True) as session:
        content = exported(select(Product, func.sum(Product.price).over()), "parquet", session)
    table = pq.read_table(io.BytesIO(content))

    assert [str(kind) for kind in table.schema.types] == [
        "int32", "string", "decimal128(12, 2)", "double", "timestamp[us, tz=UTC]", "string", "string",
        "decimal128(38, 20)",
    ]  # fmt: skip
    assert table.to_pylist()[0]["price"] == Decimal("-3.50")
    assert table.to_pylist()[0]["added_at"] == INSTANT
    assert set(list(table.to_pylist()[1].values())[1:-1]) == {None}


def test_an_arrow_stream_keeps_its_schema():
    table = pa.table({"a": pa.array([1, None], pa.int8()), "b": [["x"], []]})

    assert pq.read_table(io.BytesIO(exported(table, "parquet"))) == table


def test_a_value_of_another_type_than_before_is_refused():
    rows = ({"n": n if n < 60_000 else "many"} for n in range(60_001))

    with pytest.raises(BadInput, match="column 'n' holds a value that int64 does not"):
        exported(rows, "parquet")


def test_json_holds_what_it_can_and_says_the_rest_as_text(database):
    with database.session(read_only=True) as session:
        lines = exported(select(Product).order_by(Product.id), "jsonl", session).splitlines()
    assert json.loads(lines[0]) == {
        "id": 1,
        "name": "=SUM(A1)",
        "price": "-3.50",
        "rating": -1.5,
        "added_at": "2026-01-02T03:04:05.678000Z",
        "facts": {"a": [1, "é"]},
        "key": "00000000-0000-0000-0000-000000000007",
    }

    rows = [
        {"nan": math.nan, "inf": [math.inf], "dec": Decimal("1.10"), "big": 2**70, "raw": b"\xff"}
    ]
    assert (
        exported(rows, "json")
        == b'[\n{"nan":null,"inf":[null],"dec":"1.10","big":"1180591620717411303424","raw":"/w=="}\n]\n'
    )
    assert b'"dec":1.10' in exported(rows, "json", decimals="number")


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "xlsx", "parquet"])
def test_no_rows_are_a_valid_file(database, format):
    with database.session(read_only=True) as session:
        content = exported(select(Product).where(Product.id < 0), format, session)

    names = [column.name for column in Product.__table__.columns]
    match format:
        case "csv":
            assert content.decode().strip().split(",") == names
        case "json":
            assert json.loads(content) == []
        case "jsonl":
            assert content == b""
        case "xlsx":
            assert read_excel(content) == [[names]]
        case "parquet":
            assert pq.read_table(io.BytesIO(content)).schema.names == names


def test_excel_cells_are_text_numbers_and_dates():
    rows = [
        {
            "formula": "=1+1", "url": "https://example.com", "digits": "007", "markup": "<r>a</r>", "escape": "_x0041_",
            "int": 12, "big": 10**15, "dec": Decimal("1.25"), "long": Decimal("1.2345678901234567"), "nan": math.nan,
            "bool": True, "day": dt.date(2026, 1, 1), "old": dt.date(1899, 1, 1),
            "at": dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=12))), "fine": INSTANT.replace(microsecond=1),
        }
    ]  # fmt: skip

    (sheet,) = read_excel(exported(rows, "xlsx"))

    assert dict(zip(sheet[0], sheet[1], strict=True)) == {
        "formula": "=1+1", "url": "https://example.com", "digits": "007", "markup": "<r>a</r>", "escape": "_x0041_",
        "int": 12, "big": "1000000000000000", "dec": 1.25, "long": "1.2345678901234567", "nan": "NaN",
        "bool": True, "day": 46023, "old": "1899-01-01", "at": 46023.0, "fine": "2026-01-02T03:04:05.000001Z",
    }  # fmt: skip


def test_excel_refuses_a_text_that_does_not_fit_a_cell():
    with pytest.raises(
        BadInput, match="row 2, note: 32768 characters, and an Excel cell holds 32767"
    ):
        exported([{"note": "x" * 32_767}, {"note": "😀" * 16_384}], "xlsx")


def test_excel_continues_on_another_sheet(monkeypatch):
    monkeypatch.setattr("buttress.exports.excel.SHEET_ROWS", 4)

    sheets = read_excel(exported([{"n": n} for n in range(7)], "xlsx"))

    assert sheets == [[["n"], [0], [1], [2]], [["n"], [3], [4], [5]], [["n"], [6]]]


NAMES = st.lists(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
    unique_by=str.lower,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.one_of(
    st.none(),
    TEXTS,
    st.sampled_from(["=cmd|'/c calc'!A1", "@x", "-1", "<r>x</r>", "_x0041_", 'a,b\r\n"c"', "'"]),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=4),
    st.dates(),
    st.datetimes(timezones=st.just(dt.UTC)),
)


@st.composite
def tables(draw: Any, cells: st.SearchStrategy[Any]) -> list[dict[str, Any]]:
    names = draw(NAMES)
    return draw(
        st.lists(st.fixed_dictionaries(dict.fromkeys(names, cells)), min_size=1, max_size=6)
    )  # type: ignore[no-any-return]


@given(tables(SCALARS))
@settings(deadline=None, max_examples=100)
def test_csv_reads_back(rows):
    content = exported(rows, "csv")

    for row, found in zip(rows, read_csv(content), strict=True):
        for name, value in row.items():
            assert _reads_back(value, found[name]), (value, found[name])


def _reads_back(value: Any, text: str) -> bool:
    match value:
        case None:
            return text == ""
        case str():
            risky = value[:1] in {*"=+-@＝＋－＠\t\r\n"}
            return text == (f"'{value}" if risky else value)
        case bool():
            return text == str(value).lower()
        case dt.datetime():
            return dt.datetime.fromisoformat(text) == value
        case dt.date():
            return dt.date.fromisoformat(text) == value
    return bool(type(value)(text) == value)


@given(tables(SCALARS))
@settings(deadline=None, max_examples=60)
def test_excel_reads_back(rows):
    (sheet,) = read_excel(exported(rows, "xlsx"))

    names = list(rows[0])
    assert sheet[0] == names
    for row, cells in zip(rows, sheet[1:] + [[]] * (len(rows) + 1 - len(sheet)), strict=True):
        found = dict(zip(names, cells + [None] * len(names), strict=False))
        for name, value in row.items():
            assert _excel_holds(value, found[name]), (value, found[name])


def _excel_holds(value: Any, found: Any) -> bool:
    if value is None or value == "":
        return found is None or found == ""
    if isinstance(found, str):
        if isinstance(value, str):
            # XML's readers make one line feed of each line end; Excel writes them itself so.
            return re.sub("\r\n?", "\n", found) == re.sub("\r\n?", "\n", value)
        return _reads_back(value, found)
    if isinstance(value, dt.datetime | dt.date):
        moment = dt.datetime(1899, 12, 30) + dt.timedelta(milliseconds=round(found * 86_400_000))  # noqa: DTZ001
        if not isinstance(value, dt.datetime):
            return moment.date() == value
        return abs(moment - value.replace(tzinfo=None)) < dt.timedelta(milliseconds=2)
    return math.isclose(found, value, rel_tol=1e-15)


@given(tables(SCALARS))
@settings(deadline=None, max_examples=100)
def test_json_lines_read_back(rows):
    found = [json.loads(line) for line in exported(rows, "jsonl").decode().split("\n") if line]

    for row, read in zip(rows, found, strict=True):
        for name, value in row.items():
            if isinstance(value, Decimal | dt.date):
                assert _reads_back(value, read[name])
            else:
                assert read[name] == value


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "t": st.none() | TEXTS,
                "i": st.none() | st.integers(-(2**63), 2**63 - 1),
                "f": st.none() | st.floats(allow_nan=False),
                "d": st.none() | st.decimals(-(10**17), 10**17, places=10),
                "on": st.none() | st.dates(),
                "at": st.none() | st.datetimes(timezones=st.just(dt.UTC)),
                "raw": st.none() | st.binary(),
            }
        ),
        max_size=6,
    )
)
@settings(deadline=None, max_examples=60)
def test_parquet_reads_back(rows):
    found = pq.read_table(io.BytesIO(exported(rows, "parquet"))).to_pylist()

    assert found == rows


def test_a_path_has_its_file_when_it_is_complete_or_the_one_from_before(tmp_path: Path):
    path = tmp_path / "out.csv"
    export_rows(None, [{"a": 1}], path)

    def failing() -> Iterator[dict[str, int]]:
        yield from [{"a": 2}] * 20_000
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        export_rows(None, failing(), path)

    assert path.read_bytes() == b"a\r\n1\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_format_is_the_suffix_unless_given(tmp_path: Path):
    assert export_rows(None, [{"a": 1}], tmp_path / "a.jsonl") == 8
    file = io.BytesIO()
    assert export_rows(None, [{"a": 1}], file, "csv") == len(file.getvalue())
    with pytest.raises(BadInput, match=r"'a\.doc' tells no format"):
        export_rows(None, [{"a": 1}], tmp_path / "a.doc")
    with pytest.raises(BadInput, match="tells no format"):
        export_rows(None, [{"a": 1}], io.BytesIO())


def test_sqlite_exports_too(sqlite_url):
    database = Database(sqlite_url)
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
    with database.session() as session:
        session.add(Product(id=1, name="a", added_at=INSTANT))
    with database.session(read_only=True) as session:
        content = exported(select(Product.name, Product.added_at), "csv", session)
    database.close()

    assert content == b"name,added_at\r\na,2026-01-02T03:04:05.678000Z\r\n"


CHILD = """
import re, sys
from pathlib import Path
from sqlalchemy import text
from buttress.db.database import Database
from buttress.exports import export_rows
database = Database(sys.argv[1])
with database.session(read_only=True) as session:
    rows = text("SELECT n AS id, 'campaign ' || n % 5000 AS name, n * 0.37 AS spend, now() AS at, "
                "n % 7 = 0 AS flag, -n AS a, n / 3.0::float8 AS b FROM generate_series(1, 1000000) n")
    export_rows(session, rows, sys.argv[2])
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "json", "parquet", "xlsx"])
def test_a_million_rows_take_less_than_200_mb(database_url, tmp_path, format):
    path = tmp_path / f"out.{format}"

    done = subprocess.run(
        [sys.executable, "-c", CHILD, database_url, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    print(format, done.stdout.strip(), "MB,", path.stat().st_size, "bytes")
    assert int(done.stdout) < 200
