"""SQLite's lexical rules: where strings, names, comments and parentheses begin and end.

Everything SQLite accepts is cut into tokens, whatever the grammar says of their order; `ddl` and
the translators read statements through this, so that a quoted parenthesis or a comment never
misleads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["word", "quoted", "string", "blob", "number", "variable", "mark"]

_PATTERN = re.compile(
    r"""
      (?P<space>[\s\ufeff]+ | --[^\n]* | /\*.*?(?:\*/|\Z))
    | (?P<blob>[xX]'[0-9A-Fa-f]*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
    | (?P<number>0[xX][0-9A-Fa-f]+ | (?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
    | (?P<variable>\?\d* | [:@\#$][A-Za-z0-9_$]+)
    | (?P<mark>->> | -> | \|\| | << | >> | <= | >= | <> | != | == | .)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """One token and where it stands: `sql[start:end] == text`."""

    kind: TokenKind
    text: str
    start: int
    end: int

    def says(self, *words: str) -> bool:
        """Whether it is one of these bare words (upper case) or punctuation marks."""
        return self.kind in ("word", "mark") and self.text.upper() in words

    @property
    def name(self) -> str:
        """The identifier it stands for; SQLite accepts all quotes, strings included."""
        return unquoted(self.text)


def tokens(sql: str) -> list[Token]:
    """All tokens of a statement; white space and comments are left out."""
    found = []
    for match in _PATTERN.finditer(sql):
        kind = match.lastgroup
        if kind is not None and kind != "space":
            found.append(Token(kind, match[0], match.start(), match.end()))  # type: ignore[arg-type]  # the groups are the kinds
    return found


def unquoted(text: str) -> str:
    """An identifier without its quotes."""
    if len(text) >= 2:
        if text[0] == "[" and text[-1] == "]":
            return text[1:-1]
        if text[0] in "\"`'" and text[-1] == text[0]:
            return text[1:-1].replace(text[0] * 2, text[0])
    return text


def closing(found: list[Token], opening: int) -> int:
    """Position of the parenthesis that closes the one at `opening`; the end when there is none."""
    depth = 0
    for position in range(opening, len(found)):
        if found[position].text == "(":
            depth += 1
        elif found[position].text == ")":
            depth -= 1
            if depth == 0:
                return position
    return len(found)


def split(found: list[Token], mark: str) -> list[list[Token]]:
    """The tokens between marks that stand outside all parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in found:
        if token.kind == "mark":
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.kind == "mark" and token.text == mark:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def text_of(sql: str, found: list[Token]) -> str:
    """The source text from the first to the last of these tokens, comments inside included."""
    return sql[found[0].start : found[-1].end] if found else ""
