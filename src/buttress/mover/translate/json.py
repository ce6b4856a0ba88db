"""SQLite's JSON functions over columns of type json and over text."""

from __future__ import annotations

import re

from buttress.mover.translate.terms import Term, Untranslatable, plain, string

_STEP = re.compile(r'\.(?:"([^"]*)"|([^.\["]+))|\[(#-)?(\d+)\]')


def document(term: Term) -> str:
    """A JSON document as PostgreSQL's json."""
    if term.kind == "json" or (term.kind == "native" and term.rule == "json"):
        return term.sql
    found = plain(term)
    if found.kind != "text":
        raise Untranslatable(f"reads JSON from a {found.kind}")
    return f"{found.sql}::json"


def path_steps(path: str) -> list[str]:
    """The keys and positions of `$.a.b[0]`; raises for what PostgreSQL's paths cannot say."""
    steps, at = [], 1
    while path.startswith("$") and at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            break
        steps.append(next(part for part in (match[1], match[2], match[4]) if part is not None))
        if match[3]:
            steps[-1] = f"-{steps[-1]}"
        at = match.end()
    if not path.startswith("$") or at < len(path):
        raise Untranslatable(f"the JSON path {path!r}")
    return steps


def extracted(term: Term, steps: list[str], *, as_text: bool = False) -> Term:
    """`json_extract`: a value whose class depends on the row; `as_text` for the operator `->`."""
    inner = ",".join('"' + re.sub(r'(["\\])', r"\\\1", step) + '"' for step in steps)
    sql = f"({document(term)} #> {string('{' + inner + '}')})"
    return Term(sql, "json", rule="->" if as_text else "")


def json_function(name: str, arguments: list[Term]) -> Term:
    """`json_extract` with one path, `json_valid` and `json_array_length`."""
    if name == "json_extract" and len(arguments) == 2:
        if not isinstance(arguments[1].value, str):
            raise Untranslatable("json_extract() with a path that is no constant")
        return extracted(arguments[0], path_steps(arguments[1].value))
    if name == "json_valid" and len(arguments) == 1:
        if arguments[0].kind == "native" and arguments[0].rule == "json":
            return Term(f"({arguments[0].sql} IS JSON)", "boolean")
        found = plain(arguments[0])
        if found.kind == "text":
            return Term(f"({found.sql} IS JSON)", "boolean")
    if name == "json_array_length" and len(arguments) == 1:
        sql = document(arguments[0])
        return Term(
            f"(CASE json_typeof({sql}) WHEN 'array' THEN json_array_length({sql})::bigint "
            f"ELSE CASE WHEN {sql} IS NOT NULL THEN 0 END END)",
            "integer",
        )
    raise Untranslatable(f"the function {name}() has no counterpart")


def compared(operator: str, term: Term, constant: Term) -> Term:
    """A JSON value against a constant, by the class the value has in each row."""
    value = f"({term.sql} #>> '{{}}')"
    if isinstance(constant.value, str) and not constant.value.startswith(("{", "[")):
        others = "true" if operator == "<>" else "false"
        if operator not in ("=", "<>"):
            raise Untranslatable("orders a JSON value against text")
        arms = f"WHEN 'string' THEN {value} {operator} {constant.sql}"
    elif isinstance(constant.value, int | float):
        # Text sorts after all numbers.
        others = "true" if operator in ("<>", ">", ">=") else "false"
        arms = (
            f"WHEN 'number' THEN {value}::numeric {operator} {constant.sql} "
            f"WHEN 'boolean' THEN ({value} = 'true')::int {operator} {constant.sql}"
        )
    else:
        raise Untranslatable("compares a JSON value whose type depends on the row")
    return Term(
        f"(CASE coalesce(json_typeof({term.sql}), 'null') WHEN 'null' THEN NULL {arms} "
        f"ELSE {others} END)",
        "boolean",
    )


def cast(term: Term, affinity: str, from_text: str) -> Term:
    """CAST of a JSON value; `from_text` casts its text form, given as `{0}`."""
    value = f"({term.sql} #>> '{{}}')"
    if affinity == "text":
        raise Untranslatable("shows a JSON value as text")
    kind = "bigint" if affinity == "integer" else "float8"
    number = f"trunc({value}::numeric)" if affinity == "integer" else value
    return Term(
        f"(CASE json_typeof({term.sql}) WHEN 'number' THEN {number}::{kind} "
        f"WHEN 'boolean' THEN ({value} = 'true')::int::{kind} WHEN 'null' THEN NULL "
        f"ELSE {from_text.format(value)} END)",
        "integer" if affinity == "integer" else "real",
    )
