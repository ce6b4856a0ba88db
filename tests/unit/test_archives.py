"""Archives: what they claim, what they are, and how little it takes to find out."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buttress.errors import Refused
from buttress.files import ArchiveLimits, check_archive

MEGABYTE = 1 << 20


def archive(members, compression=zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, compression)
    file.seek(0)
    return file


def zeros(megabytes, declared=None, name=b"xl/worksheets/sheet1.xml") -> io.BytesIO:
    """One member of zeros; what its headers declare may be a lie."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = block * megabytes + b"\x03\x00"
    size = megabytes * MEGABYTE if declared is None else declared
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0)
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0, 0, 0, 0, 0, 0
    )  # fmt: skip
    at = len(local) + len(name) + len(packed)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry) + len(name), at, 0)
    return io.BytesIO(local + name + packed + entry + name + end)


def patched(file, at, value) -> io.BytesIO:
    """The same with bytes of its directory's first entry changed."""
    raw = bytearray(file.getvalue())
    place = raw.index(b"PK\1\2") + at
    raw[place : place + len(value)] = value
    return io.BytesIO(bytes(raw))


def refused(file, **limits) -> Refused:
    with pytest.raises(Refused) as caught:
        check_archive(file, ArchiveLimits(**limits))
    return caught.value


def test_an_honest_archive_passes_and_is_at_its_start_again():
    file = archive({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<x>" * 9999})

    assert [member.name for member in check_archive(file)] == [
        "[Content_Types].xml",
        "xl/workbook.xml",
    ]
    assert file.tell() == 0
    assert check_archive(archive({})) == []


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (lambda: zeros(1024), "more than 209,715,200 bytes"),
        (lambda: zeros(150), "times its size"),
        (lambda: zeros(300, declared=50_000), "more than it says"),
        (lambda: archive({f"{n}": b"" for n in range(2_001)}), "more than 2,000 members"),
    ],
)
def test_bombs_are_refused(file, words):
    error = refused(file())

    assert error.cause == "bomb"
    assert words in error.message


def test_small_members_may_be_packed_tightly():
    check_archive(zeros(1))


def test_members_that_overlap_are_refused():
    first = archive({"a": b"x" * 1000}, zipfile.ZIP_STORED).getvalue()
    entry = first[first.index(b"PK\1\2") : first.index(b"PK\5\6")]
    at = first.index(b"PK\1\2")
    other = entry.replace(b"PK\1\2", b"PK\1\2")[:-1] + b"b"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, 2 * len(entry), at, 0)

    assert "overlap" in refused(io.BytesIO(first[:at] + entry + other + end)).message


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../x", "a/../../x", "..\\x", "C:\\x", "C:/x", "a\\..\\..\\x", "\\x", "x/.."],
)
def test_names_that_lead_out_are_refused(name):
    plain = archive({"n" * len(name): b"x"}).getvalue()

    assert refused(io.BytesIO(plain.replace(b"n" * len(name), name.encode()))).cause == "name"


def test_links_doubles_and_passwords_are_refused():
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as made:
        made.writestr(link, "/etc/passwd")
    doubled = archive({"a": b"x", "b": b"y"}).getvalue().replace(b"b", b"a")

    assert refused(linked).cause == "name"
    assert refused(io.BytesIO(doubled)).cause == "name"
    assert refused(patched(archive({"a": b"x"}), 8, b"\1\0")).cause == "encrypted"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_methods_are_refused(compression):
    assert refused(archive({"a": b"x" * 100}, compression)).cause == "damaged"


@pytest.mark.parametrize(
    "raw",
    [b"", b"PK\3\4", b"PK\5\6", b"PK\5\6" + b"\xff" * 18, b"%PDF-1.7", b"PK\3\4" + b"\0" * 5000],
)
def test_what_is_no_archive_is_refused(raw):
    assert refused(io.BytesIO(raw)).cause in ("damaged", "bomb")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_or_passes_and_never_breaks_anything(data):
    raw = bytearray(archive({"a/b.xml": b"<a>" * 500, "c": b"y"}).getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))

    with suppress(Refused):
        check_archive(io.BytesIO(bytes(raw[:cut])))


def test_looking_through_a_bomb_takes_little_memory():
    bomb = zeros(300, declared=100_000_000)
    tracemalloc.start()
    refused(bomb, ratio=10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5_000_000
