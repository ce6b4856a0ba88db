"""Documents made to harm whoever reads them, and broken ones; small, made here."""

import io
import zipfile
import zlib
from collections.abc import Callable

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /Resources << >> >>"
NOTHING = b"<< /Length 0 >>\nstream\n\nendstream"


def pdf_of(*objects: bytes) -> bytes:
    """A PDF file of these objects, numbered from 1, the first the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(content: bytes, extra: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), extra, content)


def good_pdf(pages: int = 1, *, password: str | None = None) -> bytes:
    """Pages that say their number."""
    buffer = io.BytesIO()
    encryption = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(buffer, pagesize=(300, 300), encrypt=encryption)
    for number in range(1, pages + 1):
        canvas.drawString(50, 150, f"This is page {number}")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def packed_many(block: bytes, times: int) -> bytes:
    """A block so many times, packed without ever being there as a whole."""
    pack = zlib.compressobj(9)
    return b"".join([*(pack.compress(block * 1000) for _ in range(times // 1000)), pack.flush()])


def flate_bomb() -> bytes:
    """300 MB of drawing behind 300 kB."""
    packed = packed_many(b"0 0 m 9 9 l S\n", 22_000_000)
    return pdf_of(CATALOG, PAGES, PAGE, stream(packed, b"/Filter /FlateDecode"))


def double_flate_bomb() -> bytes:
    packed = zlib.compress(packed_many(bytes(1000), 900_000), 9)
    two = b"/Filter [/FlateDecode /FlateDecode]"
    return pdf_of(CATALOG, PAGES, PAGE, stream(packed, two))


def endless_form() -> bytes:
    """A picture that is drawn by drawing itself."""
    page = PAGE.replace(b"/Resources << >>", b"/Resources << /XObject << /A 5 0 R >> >>")
    form = stream(
        b"/A Do /A Do",
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /A 5 0 R >> >>",
    )
    return pdf_of(CATALOG, PAGES, page, stream(b"/A Do"), form)


def huge_image() -> bytes:
    """An image of ten thousand million pixels."""
    page = PAGE.replace(b"/Resources << >>", b"/Resources << /XObject << /A 5 0 R >> >>")
    image = stream(
        zlib.compress(b"\0" * 1000),
        b"/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /BitsPerComponent 8 "
        b"/ColorSpace /DeviceRGB /Filter /FlateDecode",
    )
    return pdf_of(CATALOG, PAGES, page, stream(b"300 0 0 300 0 0 cm /A Do"), image)


def deep_tree(levels: int = 30_000) -> bytes:
    nodes = [
        b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 1)
        for number in range(2, levels + 2)
    ]
    return pdf_of(CATALOG, *nodes, b"<< /Type /Page /MediaBox [0 0 9 9] >>")


PDF: dict[str, Callable[[], bytes]] = {
    "text": lambda: b"Dear customer, here is our price list.\n" * 10,
    "nothing": lambda: b"",
    "only a head": lambda: b"%PDF-1.7\n",
    "half a file": lambda: good_pdf(20)[:9000],
    "a file without its end": lambda: good_pdf(3)[:-300],
    "no pages": lambda: pdf_of(CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"),
    "a password": lambda: good_pdf(password="secret"),
    "a head and noise": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 400 + b"startxref\n9\n%%EOF",
    "pages that are their own parents": lambda: pdf_of(
        CATALOG, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"
    ),
    "a thousand million pages that are not there": lambda: pdf_of(
        CATALOG, b"<< /Type /Pages /Kids [] /Count 1000000000 >>"
    ),
    "a deep tree of pages": deep_tree,
}

SLOW_PDF: dict[str, Callable[[], bytes]] = {
    "a drawing that unpacks to 900 MB": double_flate_bomb,
    "300 MB of drawing": flate_bomb,
    "a form that draws itself": endless_form,
}

HARMLESS_PDF: dict[str, Callable[[], bytes]] = {
    "nested arrays": lambda: pdf_of(CATALOG, PAGES, PAGE, NOTHING, b"[" * 200_000 + b"]" * 200_000),
    "an image of ten thousand million pixels": huge_image,
    "a page of a thousand kilometres": lambda: pdf_of(
        CATALOG, PAGES, PAGE.replace(b"300 300", b"3000000000 3000000000"), NOTHING
    ),
}
"""Odd ones that can be read, or refused: either is right, as long as it ends."""

CONTENT_TYPES = b"""<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"""
ROOT = b"""<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
BOOK = b"""<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"""
RELATIONS = b"""<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"""
SHEET = b"""<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s<sheetData>%s</sheetData></worksheet>"""
STRINGS = b"""<?xml version="1.0"?>%s<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>%s</t></si></sst>"""
LAUGHS = b"<!DOCTYPE lolz [<!ENTITY a0 'lol'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
)
CELL = b'<row r="1"><c r="A1" t="s"><v>0</v></c></row>'


def xlsx_of(
    sheet: bytes = SHEET % (b"", CELL),
    strings: bytes = STRINGS % (b"", b"ok"),
    inflated: str = "",
    megabytes: int = 0,
    **more: bytes,
) -> bytes:
    """A workbook of one sheet, as XML."""
    return zip_of(
        {
            "[Content_Types].xml": CONTENT_TYPES,
            "_rels/.rels": ROOT,
            "xl/workbook.xml": BOOK,
            "xl/_rels/workbook.xml.rels": RELATIONS,
            "xl/worksheets/sheet1.xml": sheet,
            "xl/sharedStrings.xml": strings,
            **more,
        },
        inflated,
        megabytes,
    )


def zip_of(members: dict[str, bytes], inflated: str = "", megabytes: int = 0) -> bytes:
    """An archive; one member may have so many megabytes of spaces at its end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            with archive.open(name, "w") as member:
                member.write(content)
                for _ in range(megabytes if name == inflated else 0):
                    member.write(b" " * 1_000_000)
    return buffer.getvalue()


ODS = b"application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = (
    b'<?xml version="1.0"?><manifest:manifest '
    b'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry '
    b'manifest:full-path="/" manifest:media-type="%s"/></manifest:manifest>'
)


def ods_of(rows: bytes, megabytes: int = 0) -> bytes:
    content = (
        b'<?xml version="1.0"?><office:document-content '
        b'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        b'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        b'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body>'
        b'<office:spreadsheet><table:table table:name="S">%s</table:table></office:spreadsheet>'
        b"</office:body></office:document-content>" % rows
    )
    return zip_of(
        {"mimetype": ODS, "META-INF/manifest.xml": MANIFEST % ODS, "content.xml": content},
        "content.xml",
        megabytes,
    )


FAR = (
    b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
)
REPEATED = (
    b'<table:table-row table:number-rows-repeated="1000000"><table:table-cell '
    b'table:number-columns-repeated="16000" office:value-type="string"><text:p>x</text:p>'
    b"</table:table-cell></table:table-row>"
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

SHEETS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("a.xlsx", lambda: b""),
    "half a workbook": ("a.xlsx", lambda: xlsx_of()[:700]),
    "an archive of letters": ("a.xlsx", lambda: zip_of({"letter.txt": b"Dear customer"})),
    "a sheet that unpacks to 210 MB": (
        "a.xlsx",
        lambda: xlsx_of(inflated="xl/worksheets/sheet1.xml", megabytes=210),
    ),
    "a text that unpacks to a thousand times its size": (
        "a.xlsx",
        lambda: xlsx_of(inflated="xl/sharedStrings.xml", megabytes=20),
    ),
    "two cells in opposite corners": ("a.xlsx", lambda: xlsx_of(SHEET % (b"", FAR))),
    "a name that leads out": ("a.xlsx", lambda: xlsx_of(**{"../../etc/cron.d/x": b"x"})),
    "three thousand members": (
        "a.xlsx",
        lambda: xlsx_of(**{f"xl/{number}": b"" for number in range(3000)}),
    ),
    "OLE and noise": ("a.xls", lambda: OLE + bytes(range(256)) * 40),
    "an ODS of repeated cells": ("a.ods", lambda: ods_of(REPEATED)),
    "an ODS that unpacks to a thousand times its size": (
        "a.ods",
        lambda: ods_of(b"", megabytes=20),
    ),
    "NUL bytes": ("a.csv", lambda: b"ean;name\n560\0\0\0;soap\n\0\0"),
    "a picture": ("a.csv", lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
    "a PDF file": ("a.csv", good_pdf),
    "a web page": ("a.xls", lambda: b"<html><body><table><tr><td>1</td></tr></table></body>"),
    "only spaces": ("a.csv", lambda: b" \r\n\t\r\n"),
    "three million cells": ("a.csv", lambda: b"1;2;3;4;5;6\n" * 500_000),
    "a quotation mark that never ends": ("a.csv", lambda: b'a;b\n1;"' + b"x\n" * 1_500_000),
}

HARMLESS_SHEETS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a thousand million laughs": ("a.xlsx", lambda: xlsx_of(strings=STRINGS % (LAUGHS, b"&a9;"))),
    "a file of this machine": (
        "a.xlsx",
        lambda: xlsx_of(
            strings=STRINGS % (b"<!DOCTYPE s [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", b"&a;")
        ),
    ),
    "XML nested 100,000 deep": (
        "a.xlsx",
        lambda: xlsx_of(strings=STRINGS % (b"", b"<r>" * 100_000 + b"</r>" * 100_000)),
    ),
    "a size that is not so": (
        "a.xlsx",
        lambda: xlsx_of(SHEET % (b'<dimension ref="A1:XFD1048576"/>', CELL)),
    ),
}

WEB: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "only spaces": lambda: b"  \n  ",
    "a PDF file": good_pdf,
    "noise": lambda: bytes(range(256)) * 100,
    "200,000 nested elements": lambda: b"<div>" * 200_000 + b"soap",
    "100,000 nested spans in a table": lambda: b"<table><tr><td>" + b"<span>" * 100_000 + b"soap",
    "100,000 products in each other": lambda: (
        b'<div itemscope itemtype="https://schema.org/Product"><b itemprop="name">soap</b>'
        + b'<div itemprop="isRelatedTo" itemscope itemtype="https://schema.org/Product">' * 100_000
    ),
    "an element with 100,000 attributes": lambda: (
        b"<p " + b" ".join(b"a%d=1" % number for number in range(100_000)) + b">soap</p>"
    ),
}

HARMLESS_WEB: dict[str, Callable[[], bytes]] = {
    "JSON-LD nested 100,000 deep": lambda: (
        b'<script type="application/ld+json">' + b"[" * 100_000 + b"</script><p>soap</p>"
    ),
    "half of a character": lambda: b"<meta charset=utf-8><p>soap \xc3\x28 \xed\xa0\x80</p>",
}
