"""Names of files: whatever people send becomes a name that leads nowhere."""

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from buttress.files import content_disposition, normalised

TRAVERSALS = [
    *("../" * depth + "etc/passwd" for depth in range(1, 9)),
    *("..\\" * depth + "windows\\win.ini" for depth in range(1, 9)),
    "/etc/passwd", "//etc/passwd", "\\\\server\\share\\x", "C:\\boot.ini", "C:boot.ini", "c:/x",
    "..", ".", "...", "....//....//etc/passwd", "..;/x", "..%2f..%2fetc%2fpasswd", "%2e%2e/x",
    "..%c0%af..%c0%afx", "..%255c..%255cx", "%2e%2e%5cx", "..\u2215..\u2215x", "..\uff0f..\uff0fx",
    "..\u29f5x", "\uff0e\uff0e/x", "x/../../y", "a/b/c", "a\\b\\c", "./x", ".\\x", "x/", "x\\", "/",
    "\\", "", " ", "\0", "x\0.pdf", "x.pdf\0.exe", "\r\nSet-Cookie: a=b", "x\n", "\u202efdp.exe",
    "x\u2066y", "\ufeffx", "CON", "nul.txt", "COM1", "lpt9.log", "aux.", "x:y", "x|y", "x?", "x*",
    '"x"', "<x>", "~root", "$HOME", "`id`", "-rf", ".htaccess", ".bashrc", "x" * 5000, "ü" * 300,
    "e\u0301" * 200 + ".pdf", "\ud800x", "file://x", "http://evil/x", "x.pdf/.", "x.pdf ", "x.pdf.",
]  # fmt: skip

anything = st.text(st.characters(), max_size=400)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_names_that_lead_out_become_names(name):
    check(normalised(name))


@given(anything)
@example("\ud83d")
def test_any_name_becomes_one_that_leads_nowhere(name):
    check(normalised(name))


@given(anything)
def test_a_name_that_is_normal_stays_as_it_is(name):
    once = normalised(name)

    assert normalised(once) == once


def check(name):
    assert PurePosixPath(name).name == name == PureWindowsPath(name).name
    assert not PureWindowsPath(name).is_reserved()
    assert name not in ("", ".", "..")
    assert 0 < len(name.encode()) <= 255
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cs", "Zl", "Zp"}
    assert unicodedata.is_normalized("NFC", name)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Preisliste März.xlsx", "Preisliste März.xlsx"),
        ("../../Olá.pdf", "Olá.pdf"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("relatório\u202efdp.exe", "relatóriofdp.exe"),
        ("👩\u200d🔬.png", "👩\u200d🔬.png"),
        ("...", "file"),
        ("con.pdf", "_con.pdf"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
    ],
)
def test_names_stay_as_near_to_what_was_given_as_they_can(given, shown):
    assert normalised(given) == shown


@given(anything)
def test_a_download_has_one_header_that_names_it(name):
    header = content_disposition(name)

    assert header.startswith('attachment; filename="')
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_a_download_keeps_its_letters_for_browsers_that_know_them():
    assert content_disposition("Olá mundo.pdf") == (
        "attachment; filename=\"Ola mundo.pdf\"; filename*=UTF-8''Ol%C3%A1%20mundo.pdf"
    )
    assert content_disposition("report (1).pdf") == 'attachment; filename="report (1).pdf"'
