"""What a statement is, without the values in it: its text with `?` for them, and its kind."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

Kind = Literal["select", "insert", "update", "delete", "ddl", "other", "work"]

READ_CHARACTERS = 20_000
"""Of a longer statement only the beginning is read; what a cut opens counts as a value."""
TEXT_CHARACTERS = 1_000

TOKEN = re.compile(
    r"""
      (?P<nothing> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<value>
          [Ee]'(?: [^'\\] | '' | \\(?:.|\Z) )*(?:'|\Z)   # only here a backslash escapes
        | (?:[BbXxNn]|[Uu]&)?'(?: [^'] | '' )*(?:'|\Z)
        | \$(?P<tag>\w*)\$ .*? (?:\$(?P=tag)\$|\Z)
        | %\(.*?\)s | %s | \$\d+ | \?\d* | (?<![:\w]):[A-Za-z_]\w*
        | __\[POSTCOMPILE_.*?\]
        | (?<!\w)(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+)?
      )
    | (?P<name> "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
    | (?P<word> \w+ )
    | (?P<mark> :: | [^\w\s] )
    """,
    re.VERBOSE | re.DOTALL,
)
TIGHT_BEFORE = frozenset(",;.)]")
TIGHT_AFTER = frozenset("([.")
LIST = re.compile(r"\( ?\?(?:::\w+)?(?:, ?\?(?:::\w+)?)+ ?\)")
LISTS = re.compile(r"\(\?\)(?:, \(\?\))+")

KINDS: dict[str, Kind] = {
    **dict.fromkeys(("select", "values", "table"), "select"),
    **dict.fromkeys(("insert", "copy"), "insert"),
    **dict.fromkeys(("update", "merge"), "update"),
    "delete": "delete",
    **dict.fromkeys(
        ("create", "alter", "drop", "truncate", "comment", "grant", "revoke", "refresh", "reindex"),
        "ddl",
    ),
}
MAIN = frozenset(("select", "insert", "update", "delete", "merge", "values"))


class Statement(msgspec.Struct, frozen=True):
    """A statement as it is counted: all that differ only in values are one."""

    fingerprint: str
    text: str
    kind: Kind


def statement_of(sql: str) -> Statement:
    """The statement that SQL is one execution of. Values and comments do not get through."""
    text = normalise(sql)
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
    return Statement(digest, text[:TEXT_CHARACTERS], kind_of(text))


def normalise(sql: str) -> str:
    """One line of SQL with `?` for every literal and parameter, and `(?)` for lists of them."""
    parts: list[str] = []
    last = "("
    gap = False
    for found in TOKEN.finditer(sql[:READ_CHARACTERS]):
        if found.lastgroup == "nothing":
            gap = True
            continue
        token = "?" if found["value"] is not None else found.group()
        if gap and token not in TIGHT_BEFORE and last not in TIGHT_AFTER:
            parts.append(" ")
        parts.append(token)
        if token == ",":
            parts.append(" ")
        last, gap = ("(" if token == "," else token), False
    return LISTS.sub("(?)", LIST.sub("(?)", "".join(parts)))


def kind_of(text: str) -> Kind:
    """What a normalised statement does; of one that begins with WITH, what its main part does."""
    words = re.finditer(r"[()]|[A-Za-z]+", text)
    depth = 0
    for number, found in enumerate(words):
        word = found.group().lower()
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word in "()":
            continue
        if number == 0 and word != "with":
            return KINDS.get(word, "other")
        if depth == 0 and word in MAIN:
            return KINDS[word]
        if depth > 0 and number <= depth and word in MAIN:  # (SELECT …) UNION (SELECT …)
            return KINDS[word]
    return "other"


def shapes(parameters: object) -> str:
    """Parameters as types and sizes, never values: `id=int, name=str(12)`."""
    if not parameters:
        return ""
    if isinstance(parameters, list) and isinstance(parameters[0], dict | tuple):
        return f"{len(parameters):,} × ({shapes(parameters[0])})"
    if isinstance(parameters, dict):
        named = [f"{name}={shape(value)}" for name, value in list(parameters.items())[:20]]
    elif isinstance(parameters, list | tuple):
        named = [shape(value) for value in parameters[:20]]
    else:
        return shape(parameters)
    return ", ".join(named) + (", …" if len(parameters) > 20 else "")


def shape(value: object) -> str:
    """The type of a value and, where it has one, its length."""
    if value is None:
        return "null"
    name = type(value).__name__
    return f"{name}({len(value)})" if isinstance(value, str | bytes | list | tuple | dict) else name
