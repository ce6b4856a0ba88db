"""Strings that break programs, made by the class of what is wrong with them."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator

CONTROLS = [chr(code) for code in (*range(1, 32), 127, *range(128, 160))]
SPACES = [
    chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Zs", "Zl", "Zp")
]
FORMATS = [chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) == "Cf"]
NONCHARACTERS = ["\ufffe", "\uffff", "\ufdd0", "\ufdef", "\U0001fffe", "\U0010ffff"]
PRIVATE = ["\ue000", "\uf8ff", "\U000f0000", "\U0010fffd"]
SCRIPTS = [0x0391, 0x0410, 0x05D0, 0x0627, 0x0905, 0x0E01, 0x10A0, 0x1100, 0x1200, 0x1780, 0x3042,
           0x30A2, 0x4E00, 0xA000, 0xAC00, 0x10330, 0x12000, 0x13000, 0x1D400, 0x1F600, 0x20000]  # fmt: skip
MARKS = [chr(code) for code in range(0x0300, 0x0340)]
EMPTY_WORDS = ["null", "NULL", "None", "nil", "undefined", "nan", "NaN", "inf", "-Infinity", "true",
               "False", "N/A", "#N/A", "#REF!", "-", "--", "0", "1", "00", "007", "+1", "-0", "1e3", "1E400",
               "0x10", "1_000", "1,5", "1.000,00", "9" * 40, ".5", "5.", "1/2", "12/31/2026", "2026-02-30",
               "MARCH1", "SEPT2", "1:30", "TRUE", "()", "[]", "{}", "''", '""']  # fmt: skip
FORMULAS = [f"{first}{rest}" for first in ("=", "+", "-", "@", "\t=", "\r=", "＝")
            for rest in ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://x")', "SUM(A1:A9)")]  # fmt: skip
MARKUP = [
    f"<{tag}>"
    for tag in (
        "script",
        "/script",
        "img src=x onerror=y",
        "!--",
        "![CDATA[",
        "?xml?",
        "svg/onload=y",
    )
]
ESCAPES = ["\\", "\\\\", "\\n", "\\u0000", "\\x00", "%00", "%s", "%d%n", "{0}", "{x!r}", "${x}", "#{x}", "&amp;",
           "&#0;", "&lt;", "_x0000_", "_x000D_", "_X000d_", "_x0041_", "\\N", "\\.", "$$", "$1", "\\1", "^", "~"]  # fmt: skip
QUOTES = ["'", '"', "`", "''", '""', '"a', "a'", "'; DROP TABLE x; --", '" OR 1=1', "a,b", "a;b", "a\tb",
          'a"b"c', '"a","b"', "'=1", "a\nb", "a\r\nb", "a\rb", "\n", "\r", "\r\n", ",", ";", "|"]  # fmt: skip
PATHS = [
    "../x",
    "..\\x",
    "/etc/passwd",
    "C:\\x",
    "\\\\host\\x",
    "file:///x",
    "con",
    "nul.txt",
    "a/../b",
    ".",
    "..",
]


def naughty(seed: int = 20261123) -> list[str]:
    """At least 500, each once: what can be stored."""
    return list(dict.fromkeys(_all(random.Random(seed))))


def refused() -> list[str]:
    """What cannot be: with NUL, or half of a surrogate pair."""
    halves = [chr(code) for code in (0xD800, 0xDBFF, 0xDC00, 0xDFFF)]
    inner = [f"a{half}b" for half in halves]
    return [
        "\0",
        "a\0",
        "\0b",
        "a\0b",
        *halves,
        *inner,
        "\udc00\ud800",
        "\ud800\ud800",
        "\ud800x\udc00",
    ]


def _all(chance: random.Random) -> Iterator[str]:
    yield from ("", " ", "  ", "a" * 1000, "é" * 1000, "😀" * 300)
    for one in (*CONTROLS, *SPACES, *FORMATS, *NONCHARACTERS, *PRIVATE):
        yield from (one, f"a{one}b", f"{one}a")
    yield from (*EMPTY_WORDS, *FORMULAS, *MARKUP, *ESCAPES, *QUOTES, *PATHS)
    yield from (f"{word} " for word in EMPTY_WORDS)
    yield from (f" {quote}" for quote in QUOTES)
    for start in SCRIPTS:
        yield "".join(chr(start + step) for step in range(8))
    for base in ("e", "о", "漢", "😀"):
        yield base + "".join(chance.choices(MARKS, k=30))
    for text in ("é", "ｅ", "ﬁ", "Å", "ⅷ", "ß", "İ", "ſ", "가"):
        yield from (unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD"))
        yield from (text, text.upper(), text.lower())
    yield from (
        "👨‍👩‍👧‍👦",
        "🏳️‍🌈",
        "🇵🇹",
        "👍🏿",
        "\u202eabc\u202c",
        "abc\u2066def",
        "a\u200bb",
        "\ufeffa",
    )
    # What is none of these on its own: two classes in one string.
    everything = [*CONTROLS, *SPACES, *FORMULAS, *QUOTES, *ESCAPES, *MARKS, *NONCHARACTERS]
    for _ in range(100):
        yield "".join(chance.choices(everything, k=chance.randint(2, 6)))
