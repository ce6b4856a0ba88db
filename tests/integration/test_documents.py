"""Documents from outside: what is read, where it stands, and what is refused."""

import datetime as dt
import io
import resource
import struct
import sys
import time
import zlib
from pathlib import Path

import pytest
import xlsxwriter
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

import hostile_documents as hostile
from buttress.documents import (
    Damaged,
    DocumentError,
    Harmful,
    NotThatKind,
    Protected,
    fetch_page,
    find_text,
    preview,
    propose_header,
    read_page,
    read_pdf,
    read_workbook,
)
from buttress.errors import BadInput, NotFound, Refused
from document_samples import page_of

AT = dt.datetime.fromisoformat("2026-02-01T09:30")
SAMPLES = Path(__file__).parents[1] / "samples"
SHOP = "https://shop.example/p/serum"


def workbook(fill) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    fill(book, book.add_worksheet("Prices"))
    book.close()
    return buffer.getvalue()


# PDF files


def test_words_come_with_their_boxes_and_pages_with_their_size(tmp_path):
    (tmp_path / "a.pdf").write_bytes(hostile.good_pdf(3))

    document = read_pdf(tmp_path / "a.pdf", pages=[3, 2])

    assert document.page_count == 3
    assert [page.number for page in document.pages] == [2, 3]
    page = document.pages[0]
    assert (page.width, page.height, page.scanned, page.text) == (300, 300, False, "This is page 2")
    (line,) = page.lines
    assert [word.text for word in line.words] == ["This", "is", "page", "2"]
    assert line.box.left == pytest.approx(50, abs=1)
    # Drawn 150 points above the lower edge.
    assert line.box.top < 150 < line.box.bottom


def test_pages_that_are_not_there_are_refused():
    with pytest.raises(DocumentError, match="there is no page 4: the PDF file has 3") as caught:
        read_pdf(hostile.good_pdf(3), pages=[1, 4])
    assert caught.value.cause == "pages"
    with pytest.raises(DocumentError):
        preview(hostile.good_pdf(1), 0)
    with pytest.raises(NotFound):
        read_pdf(Path("/nowhere/a.pdf"))


def test_a_preview_is_a_png_of_the_page():
    image = Image.open(io.BytesIO(preview(hostile.good_pdf(2), 2, scale=2)))

    assert image.size == (600, 600)
    assert image.convert("L").getextrema() == (0, 255)


def test_a_scan_is_told_and_said_when_nothing_reads_it():
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(300, 300))
    canvas.drawString(50, 150, "A page of text")
    canvas.showPage()
    canvas.drawImage(ImageReader(Image.new("L", (600, 600), 200)), 0, 0, 300, 300)
    canvas.showPage()
    canvas.save()

    document = read_pdf(buffer.getvalue())

    assert [page.scanned for page in document.pages] == [False, True]
    assert len(document.notes) == 1
    assert document.notes[0].startswith("Page 2 is ")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("hyaluronic ACID", ["Hyaluronic acid"]),
        ("moisturising", ["moistur- ising"]),
        ("50 ml", ["50ml", "50 ml"]),
        ("3.5", ["3.5"]),
        ("well-known", ["well-known"]),
        ("120", ["100-120"]),
        ("-5", ["-5"]),
        ("5", []),
        ("acid moist", []),
        ("12 3", ["12 3"]),
        ("123", []),
        ("000", []),
        ("", []),
    ],
)
def test_a_text_is_found_whatever_its_case_spaces_and_hyphens(wanted, found):
    content = page_of(
        (50, 100, "Hyaluronic acid, 50ml or 50 ml, a well-known moistur-"),
        (50, 115, "ising serum of 3.5 % at -5 degrees, 100-120 words, 12 3 and 1,000"),
    )

    places = find_text(read_pdf(content), wanted)

    assert [place.text.rstrip(",") for place in places] == found
    assert all(place.page == 1 and place.box.width > 0 for place in places)


def test_looking_for_a_text_takes_time_in_proportion_to_the_document():
    document = read_pdf(page_of(*((20, 20 + 7 * line, "ab " * 60) for line in range(100)), size=5))

    start = time.process_time()
    assert find_text(document, "ab " * 2000 + "c") == []
    assert time.process_time() - start < 1


def test_what_was_filled_into_a_form_is_text_of_its_page():
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(300, 300))
    canvas.drawString(50, 250, "Weight:")
    canvas.acroForm.textfield(name="weight", value="50 g net", x=120, y=240, width=120, height=24)
    canvas.showPage()
    canvas.save()

    (place,) = find_text(read_pdf(buffer.getvalue()), "50 g net")

    assert 115 < place.box.left < 130
    assert Image.open(io.BytesIO(preview(buffer.getvalue(), 1))).size == (210, 210)


# Sheets


def test_cells_of_a_workbook_keep_what_they_are():
    def fill(book, sheet):
        sheet.write_row(0, 0, ["EAN", "Text EAN", "Day", "At", "Sum", "Yes", "Price"])
        sheet.write_number(1, 0, 5601234567890)
        sheet.write_string(1, 1, "0012345678905")
        sheet.write_datetime(1, 2, dt.date(2026, 2, 1), book.add_format({"num_format": "d/m/yy"}))
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_datetime(1, 3, AT, moment)
        sheet.write_formula(1, 4, "=A2+1", None, 42)
        sheet.write_boolean(1, 5, True)
        sheet.write_number(1, 6, 39.9)
        book.add_worksheet("More").write(2, 1, "at B3")

    prices, more = read_workbook(workbook(fill), name="prices.xlsx").sheets

    assert prices.rows[1] == [
        5601234567890, "0012345678905", dt.date(2026, 2, 1), AT,
        42, True, 39.9,
    ]  # fmt: skip
    assert type(prices.rows[1][0]) is int
    assert (more.name, more.rows) == ("More", [[None, None], [None, None], [None, "at B3"]])


def test_an_ods_file_is_read():
    content = hostile.ods_of(
        b'<table:table-row><table:table-cell office:value-type="string"><text:p>Soap</text:p>'
        b'</table:table-cell><table:table-cell office:value-type="float" office:value="1.5"/>'
        b"</table:table-row>"
    )

    (sheet,) = read_workbook(content, name="a.ods").sheets

    assert (sheet.name, sheet.rows) == ("S", [["Soap", 1.5]])


def test_a_workbook_of_the_old_kind_is_read():
    (sheet,) = read_workbook((SAMPLES / "prices.xls").read_bytes(), name="prices.xls").sheets

    assert sheet.name == "Prices"
    assert sheet.rows[1:] == [
        ["5601234567893", "Oakleaf", "Face Cream", "50 ml", 182, 24.9, dt.date(2026, 3, 1)],
        ["5601234567909", "Oakleaf", "Sérum Açaí", "30 ml", 95, 31.5, dt.date(2026, 4, 15)],
    ]


def test_merged_cells_name_columns_and_fill_rows():
    def fill(book, sheet):
        sheet.merge_range("A1:D1", "Price list of November")
        sheet.merge_range("B2:C2", "Price")
        sheet.write_row("A3", ["Brand", "Sale", "Cost", "EAN"])
        sheet.merge_range("A4:A5", "Noor")
        sheet.write_row("B4", [3.5, 2, 5601234567890])
        sheet.write_row("B5", [4.5, 3, 5601234567891])

    (sheet,) = read_workbook(workbook(fill), name="a.xlsx").sheets
    header = propose_header(sheet)

    assert (header.row, header.names) == (2, ("Brand", "Price Sale", "Price Cost", "EAN"))
    assert [row[0] for row in sheet.rows[3:]] == ["Noor", "Noor"]
    assert header.confidence > 0.8
    assert header.why


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ([["Ref", "Nome", "PVP"], ["A1", "Creme", 3.5]], 0),
        ([["Ana", "Porto", 3], ["Rui", "Lisboa", 4]], None),
        ([["Shop", 2025, 2026], ["Porto", 31, 47], ["Lisboa", 45, 51]], 0),
        ([[None, None], ["Prices 2026", None], ["ref", "price"], ["a", 2.5], ["b", 3]], 2),
        ([["Supplier: X", None, None], ["EAN", "Name", "Cost"], ["560", "Soap", "1,5"]], 1),
        ([[1, 2], [3, 4]], None),
        ([], None),
    ],
)
def test_the_header_is_the_row_that_names_what_stands_below(rows, row):
    def fill(book, sheet):
        for number, cells in enumerate(rows):
            sheet.write_row(number, 0, cells)

    header = propose_header(read_workbook(workbook(fill), name="a.xlsx").sheets[0])

    assert header.row == row
    assert len(header.names) == max(map(len, rows), default=0)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp850"]
)
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_encoding_and_delimiter_of_csv_are_found(encoding, delimiter):
    rows = [
        ["EAN", "Designação", "Preço"],
        ["0012", 'Loção "suave"', "1.50"],
        ["0013", "Óleo é", None],
    ]
    text = "\r\n".join(
        delimiter.join('"{}"'.format((cell or "").replace('"', '""')) for cell in row)
        for row in rows
    )

    (sheet,) = read_workbook(text.encode(encoding), name="prices.csv").sheets

    assert sheet.rows == rows
    assert sheet.name == "prices"


def test_csv_with_remarks_above_and_a_decimal_comma_is_cut_at_the_right_sign():
    text = "Prices, valid, from, today\n\nref;name;price\nA1;Soap, white;1,50\nA2;Oil;2,50\n"

    (sheet,) = read_workbook(text.encode(), name="a.csv").sheets

    assert sheet.rows[2:] == [
        ["ref", "name", "price"],
        ["A1", "Soap, white", "1,50"],
        ["A2", "Oil", "2,50"],
    ]
    assert propose_header(sheet).row == 2


# Pages of the web

JSON_LD = (
    b"""<html lang="pt-PT"><head><title>Serum | Shop</title><base href="/de/">
<script type="application/ld+json">{"@context":"https://schema.org","@graph":[
{"@type":"BreadcrumbList","itemListElement":[]},
{"@type":["Product","Thing"],"name":"Serum &amp; oil","gtin13":"5601234567890",
"description":"two
lines","offers":{"@type":"Offer","price":12.50,"priceCurrency":"EUR"},}]}</script></head>
<body><nav>Home Shop Basket</nav><article><h1>Serum</h1><p>"""
    + b"It calms the skin. " * 30
    + b"""</p>
<table><tr><th>Weight<td>50 g<tr><th>Origin<td>Portugal</table>
<img src="a.jpg"><img src="data:image/png;base64,AA"></article></body>"""
)

MICRODATA = b"""<div itemscope itemtype="http://schema.org/Product"><h1 itemprop="name">Serum</h1>
<a itemprop="url" href="/serum">x</a><img itemprop="image" src="s.png"><img itemprop="image" src="t.png">
<div itemprop="offers" itemscope itemtype="http://schema.org/Offer"><meta itemprop="price" content="9.90">
<b itemprop="priceCurrency">EUR</b></div></div>"""

OPEN_GRAPH = b"""<head><meta property="og:type" content="product"><meta property="og:title" content="Serum">
<meta property="product:price:amount" content="9.90"><meta property="product:price:currency" content="EUR">
</head><body><p>Serum</p></body>"""


def test_a_page_tells_its_product_its_tables_and_its_text():
    page = read_page(JSON_LD, url=SHOP)

    assert (page.title, page.language, page.url) == ("Serum | Shop", "pt-PT", SHOP)
    (product,) = page.products
    assert (product["name"], product["gtin13"]) == ("Serum & oil", "5601234567890")
    assert product["description"] == "two lines"
    assert product["offers"]["price"] == 12.5
    assert product["@source"] == "json-ld"
    assert page.tables == [[["Weight", "50 g"], ["Origin", "Portugal"]]]
    assert "It calms the skin." in page.text
    assert "Basket" not in page.text
    assert page.images == ["https://shop.example/de/a.jpg"]


def test_microdata_and_opengraph_are_read_where_there_is_no_json_ld():
    (product,) = read_page(MICRODATA, url=SHOP).products
    (other,) = read_page(OPEN_GRAPH, url=SHOP).products

    assert product == {
        "@type": "Product",
        "name": "Serum",
        "url": "https://shop.example/serum",
        "image": ["https://shop.example/p/s.png", "https://shop.example/p/t.png"],
        "offers": {"@type": "Offer", "price": "9.90", "priceCurrency": "EUR"},
        "@source": "microdata",
    }
    assert (other["name"], other["offers"]["price"]) == ("Serum", "9.90")
    assert other["@source"] == "opengraph"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("<p>Loção</p>".encode("cp1252"), "windows-1252"),
        ("<meta charset=iso-8859-1><p>Loção</p>".encode("latin-1"), None),
        ("<p>Loção</p>".encode("cp1252"), None),
        ("<p>Loção</p>".encode(), None),
        ("<p>Loção</p>".encode("utf-16"), None),
        ("<p>Loção</p>".encode(), "no-such-encoding"),
    ],
)
def test_the_encoding_of_a_page_is_the_told_one_or_found(content, told):
    assert read_page(content, url=SHOP, encoding=told).text.strip() == "Loção"


def test_a_page_is_fetched_only_from_the_public_internet():
    with pytest.raises(Refused) as caught:
        fetch_page("http://127.0.0.1:8000/")
    assert caught.value.cause in {"address", "port"}


# Refusals


@pytest.mark.parametrize("name", hostile.PDF)
def test_a_hostile_pdf_file_is_refused(name):
    refuses(lambda content: read_pdf(content), hostile.PDF[name]())


@pytest.mark.parametrize("name", hostile.SHEETS)
def test_a_hostile_sheet_is_refused(name):
    called, make = hostile.SHEETS[name]
    refuses(lambda content: read_workbook(content, name=called), make())


@pytest.mark.parametrize("name", hostile.WEB)
def test_a_hostile_page_is_refused(name):
    refuses(lambda content: read_page(content, url=SHOP), hostile.WEB[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile.SLOW_PDF)
def test_a_pdf_file_that_takes_all_it_can_get_is_refused(name):
    refuses(lambda content: read_pdf(content), hostile.SLOW_PDF[name]())


def refuses(read, content: bytes) -> None:
    """It is refused in words, within 20 seconds, and this process is as it was."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()

    with pytest.raises(DocumentError) as caught:
        read(content)

    assert time.monotonic() - start < 20
    error = caught.value
    assert error.cause
    assert error.hint
    assert isinstance(error, BadInput)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown * (1 if sys.platform == "darwin" else 1024) < 50 << 20


def test_odd_documents_are_read_or_refused_and_show_nothing_of_this_machine():
    """What the formats allow may be read; what matters is that each ends, with nothing inside."""
    for make in hostile.HARMLESS_PDF.values():
        content = make()
        ends(lambda content=content: read_pdf(content))
        ends(lambda content=content: preview(content, 1))
    for called, make in hostile.HARMLESS_SHEETS.values():
        read = ends(lambda called=called, make=make: read_workbook(make(), name=called))
        assert "root:" not in str(read)
    for make in hostile.HARMLESS_WEB.values():
        page = ends(lambda make=make: read_page(make(), url=SHOP))
        assert "soap" in page.text


def ends(read):
    start = time.monotonic()
    try:
        return read()
    except DocumentError as error:
        return error
    finally:
        assert time.monotonic() - start < 20


def test_refusals_say_which_kind_they_are():
    kinds = {
        Protected: lambda: read_pdf(hostile.PDF["a password"]()),
        Damaged: lambda: read_pdf(hostile.PDF["half a file"]()),
        NotThatKind: lambda: read_pdf(hostile.PDF["text"]()),
        Harmful: lambda: read_workbook(
            hostile.SHEETS["a text that unpacks to a thousand times its size"][1](), name="a.xlsx"
        ),
    }
    for kind, read in kinds.items():
        with pytest.raises(kind):
            read()


def test_a_workbook_with_a_password_says_so():
    content = (SAMPLES / "protected.xlsx").read_bytes()

    with pytest.raises(Protected, match="password") as refused:
        read_workbook(content, name="protected.xlsx")

    assert "without a password" in refused.value.hint


def test_previews_of_huge_pages_have_no_more_pixels_than_are_taken():
    content = hostile.HARMLESS_PDF["a page of a thousand kilometres"]()

    image = preview(content, 1)

    width, height = struct.unpack("!II", image[16:24])
    assert width * height <= 12_000_000
    assert zlib.crc32(b"IEND") == int.from_bytes(image[-4:])
