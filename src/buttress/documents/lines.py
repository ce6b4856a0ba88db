"""Words into lines."""

from __future__ import annotations

from collections.abc import Iterable

from buttress.documents.parts import Box, Line, Word

STEP = 0.45
"""Of a word's height: farther apart in height, words are on two lines."""


def lines_of(words: Iterable[Word]) -> tuple[Line, ...]:
    """Words that stand beside each other, from top to bottom, each line from left to right."""
    lines: list[list[Word]] = []
    middle = height = 0.0
    for word in sorted(words, key=lambda one: one.box.middle):
        tall = word.box.bottom - word.box.top
        if lines and word.box.middle - middle <= STEP * min(tall, height):
            lines[-1].append(word)
        else:
            lines.append([word])
            middle, height = word.box.middle, tall
    return tuple(line_of(one) for one in lines)


def line_of(words: list[Word]) -> Line:
    """One line of words in any order."""
    words.sort(key=lambda word: word.box.left)
    return Line(" ".join(word.text for word in words), around(words), tuple(words))


def around(words: Iterable[Word | Line]) -> Box:
    """The box around words or lines."""
    boxes = [word.box for word in words]
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )
