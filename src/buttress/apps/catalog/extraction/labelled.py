"""Fields that a source names: `EAN: 560…`, a label beside a value, a heading over lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from buttress.apps.catalog.extraction.facts import Fact
from buttress.apps.catalog.extraction.labels import NUMERIC, Field, Label, read_label
from buttress.apps.catalog.extraction.language import language_of
from buttress.apps.catalog.material import Found, Passage, Source, found_in

BULLET = re.compile(r"^\s*(?:[•●▪◦‣*·✓✔–—-]|\d{1,2}[.)])\s+")
TAG = re.compile(r"<[^<>]{1,200}>")
COLON = re.compile(r"[:：]")
LONGEST = 20_000
"""Characters of a passage that are looked at."""
MOST_LINES = 40
"""Lines that belong to one heading."""
LOOSER = 1.9
"""Heights of a line: more between two lines of a page ends what a heading is over."""
SHOUTED = 60
LIST_MARK = re.compile(r"[;•\n|]|\s[-–]\s")


@dataclass
class _Reading:
    """A field whose value is being gathered line by line."""

    label: Label
    name: str
    texts: list[str] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)

    def add(self, text: str, passage: Passage) -> None:
        if text and not self.texts:
            self.passages.clear()  # a heading alone is no part of what is below it
        if text:
            self.texts.append(text[:LONGEST])
        self.passages.append(passage)

    @property
    def full(self) -> bool:
        """Whether the next line cannot belong to it."""
        return (bool(self.texts) and not self.label.field.long) or len(self.texts) >= MOST_LINES


def facts_of(source: Source) -> Iterator[Fact]:
    """Every field that a source names, in its order."""
    reading: _Reading | None = None
    for passage in source.passages:
        if passage.label:
            label = read_label(passage.label)
            if label is not None:
                yield from _facts(_whole(label, passage), source, structured=True)
            continue
        pairs = pairs_in(passage.text[:LONGEST])
        if pairs or (reading is not None and _ends(reading, passage)):
            if reading is not None:
                yield from _facts(reading, source)
            reading = None
        for label, name, text in pairs:
            if reading is not None:
                yield from _facts(reading, source)
            reading = _Reading(label, name)
            reading.add(text, passage)
        if not pairs and reading is not None:
            reading.add(passage.text, passage)
    if reading is not None:
        yield from _facts(reading, source)


def pairs_in(line: str) -> list[tuple[Label, str, str]]:
    """The labels of a line with their values: `Weight: 182 g`, `EAN<tab>560…`, `Ingredients`."""
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    found: list[tuple[Label, str, str]] = []
    place = 0
    while place < len(cells):
        cell = cells[place]
        told = _by_colon(cell) or _beside_number(cell)
        if told is not None:
            label, name, text = told
            if not text and place + 1 < len(cells) and _by_colon(cells[place + 1]) is None:
                text = cells[place + 1]
                place += 1
            found.append((label, name, text))
        elif (label_alone := read_label(cell)) is not None:
            following = cells[place + 1] if place + 1 < len(cells) else ""
            if following and read_label(following) is not None:
                return []  # the header of a table
            found.append((label_alone, cell, following))
            place += 1
        elif found:
            label, name, text = found[-1]
            found[-1] = (label, name, f"{text} {cell}".strip())
        place += 1
    return found


def details_of(source: Source) -> Iterator[tuple[str, str, Passage]]:
    """Short labels that are no field of ours, with their values: technical data, most often."""
    for passage in source.passages:
        name, text = passage.label, passage.text
        if not name:
            name, _, text = passage.text[:LONGEST].partition("\t")
            if not text:
                name, _, text = passage.text[:LONGEST].partition(":")
        name, text = name.strip(" :"), " ".join(text.split())
        short = 0 < len(name.split()) <= 4 and len(name) <= 40 and 0 < len(text) <= 80
        if short and name[0].isalpha() and "." not in name and read_label(name) is None:
            yield name, text, passage


def items_of(texts: Sequence[str], *, split: bool = True) -> tuple[str, ...]:
    """The entries of a list: by its bullets, else by lines or by marks between them."""
    if any(BULLET.match(text) for text in texts):
        found: list[str] = []
        for text in texts:
            if BULLET.match(text) or not found:
                found.append(BULLET.sub("", text).strip())
            else:
                found[-1] = f"{found[-1]} {text.strip()}"
    elif len(texts) == 1 and split:
        found = [part.strip() for part in LIST_MARK.split(texts[0])]
    else:
        found = [text.strip() for text in texts]
    return tuple(one.rstrip(" ;,") for one in found if one.strip(" ;,.-"))


def without_tags(text: str) -> str:
    """Plain text of what may be HTML; paragraphs and entries become lines."""
    if not TAG.search(text):
        return text
    from selectolax.lexbor import LexborHTMLParser

    broken = re.sub(r"</(?:p|li|div|h\d|tr)>|<br\s*/?>", "\n", text)
    broken = re.sub(r"<li[^<>]*>", "\n• ", broken)
    tree = LexborHTMLParser(broken)
    for node in tree.css("script, style"):
        node.decompose()
    plain = tree.body.text(deep=True) if tree.body is not None else ""
    return "\n".join(line for line in (" ".join(x.split()) for x in plain.splitlines()) if line)


def _facts(reading: _Reading, source: Source, *, structured: bool = False) -> Iterator[Fact]:
    known = reading.label.field
    texts = [BULLET.sub("", text) if not known.long else text for text in reading.texts]
    texts = [line for text in texts for line in without_tags(text).splitlines()]
    text = " ".join(line.replace("\t", " ").strip() for line in texts).strip()
    if not text or known.kind == "skip":
        return
    first, *more = reading.passages
    found = found_in(source, first, *more)
    yield Fact(
        field=known.name,
        text=text,
        found=Found(found.source, found.place, text) if known.long else found,
        language=language_of(text) or known.language,
        unit=reading.label.unit,
        label=reading.name,
        items=items_of(texts) if known.kind == "list" else (),
        structured=structured,
    )


def _whole(label: Label, passage: Passage) -> _Reading:
    reading = _Reading(label, passage.label)
    reading.add(passage.text, passage)
    return reading


def _by_colon(cell: str) -> tuple[Label, str, str] | None:
    colon = COLON.search(cell)
    if colon is None:
        return None
    name = cell[: colon.start()].strip()
    label = read_label(name)
    return None if label is None else (label, name, cell[colon.end() :].strip())


def _beside_number(cell: str) -> tuple[Label, str, str] | None:
    """`Weight 182 g`: a label, then something that begins with a digit or a currency."""
    number = re.search(r"\s(?=[€$£]?\s?\d)", cell)
    if number is None or number.start() > SHOUTED:
        return None
    label = read_label(cell[: number.start()])
    if label is None or label.field.kind not in NUMERIC:
        return None
    return label, cell[: number.start()], cell[number.end() :].strip()


def _ends(reading: _Reading, passage: Passage) -> bool:
    """Whether a line no longer belongs to the heading above it."""
    if reading.full:
        return True
    text = passage.text.strip()
    colon = COLON.search(text)
    if (
        colon is not None
        and 0 < colon.start() <= 40
        and not text[colon.end() :]
        and (not BULLET.match(text))
    ):
        return True  # another heading, though not one of ours
    if colon is not None and _looks_like_label(text[: colon.start()], reading.label.field):
        return True
    before = reading.passages[-1].place
    box, above = passage.place.box, before.box
    if not reading.texts or box is None or above is None or before.page != passage.place.page:
        return False
    return box.top - above.bottom > LOOSER * max(above.height, 1)


def _looks_like_label(text: str, known: Field) -> bool:
    """A short capitalised beginning before a colon, where no list has such entries."""
    if known.kind == "list" or BULLET.match(text):
        return False
    words = text.split()
    return 0 < len(words) <= 3 and words[0][:1].isupper() and known.name != "how_to"
