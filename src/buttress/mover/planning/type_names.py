"""The PostgreSQL types an edited plan may give a column, and the rules that lead to them.

A rule may lead to a narrower type than its own (`integer` to smallint, `text` to varchar(20)):
rows that do not fit it go to quarantine. It may not lead to a type that would store something
else.
"""

from __future__ import annotations

import re

from buttress.mover import values
from buttress.mover.plan import Column

_ALIASES = {
    "int2": "smallint",
    "int4": "integer",
    "int": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "decimal": "numeric",
    "character varying": "varchar",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}
_NARROWER = {
    "bigint": {"smallint", "integer"},
    "double precision": {"real"},
    'text collate "c"': {"text", "varchar", 'varchar collate "c"'},
}
_TYPE = re.compile(
    r"(?P<base>[a-z0-9 ]+?)\s*(?P<size>\(\s*\d+\s*(?:,\s*\d+\s*)?\))?(?P<rest>\s.*)?"
)


def rule_produces(rule: str, type_name: str) -> bool:
    """Whether values that crossed by the rule can stand in a column of that type."""
    own, wanted = _plain(values.rule(rule).type), _plain(type_name)
    if own.startswith("numeric("):
        return wanted == own
    return wanted == own or _unsized(wanted) in _NARROWER.get(own, set())


def rule_for_type(type_name: str, column: Column) -> str | None:
    """The rule that leads the column's values to a type; None when the plan must name it.

    The rule stays when it can; moments as numbers and texts of an unknown shape are not guessed.
    """
    if rule_produces(column.rule, type_name):
        return column.rule
    wanted = _plain(type_name)
    if wanted.startswith("numeric("):
        precision, _, scale = wanted[len("numeric(") : -1].partition(",")
        return f"decimal({precision}, {scale or 0})"
    seen = set(column.seen) - {"null"}
    candidates = ["integer", "real", "blob", "boolean", "json", "numeric", "date"]
    candidates += ["text", "mixed"] if seen <= {"text"} else ["mixed"]
    candidates += ["uuid(blob)"] if seen == {"blob"} else ["uuid"]
    return next((rule for rule in candidates if rule_produces(rule, type_name)), None)


def _plain(type_name: str) -> str:
    """Lower case, one name for each type, no spaces around sizes."""
    words = " ".join(type_name.lower().split())
    match = _TYPE.fullmatch(words)
    if match is None:
        return words
    base = _ALIASES.get(match["base"], match["base"])
    size = (match["size"] or "").replace(" ", "")
    rest = (match["rest"] or "").strip()
    return f"{base}{size}" + (f" {rest}" if rest else "")


def _unsized(type_name: str) -> str:
    return re.sub(r"\(\d+\)", "", type_name)
