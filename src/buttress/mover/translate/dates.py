"""SQLite's date and time functions over now, text, numbers and native columns."""

from __future__ import annotations

import re

from buttress.mover.translate.terms import Term, Untranslatable, numeric_value, plain, string

NOW = "(now() AT TIME ZONE 'utc')"

_SHAPE = (
    r"^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$"
)
_UNITS = {"day", "hour", "minute", "second", "month", "year"}
_SHIFT = re.compile(r"([+-]?)(\d+(?:\.\d+)?) *([a-z]+?)s?", re.ASCII)


def date_function(name: str, arguments: list[Term], *, immutable: bool) -> Term:
    """`date`, `time`, `datetime`, `julianday`, `unixepoch`, `strftime` or `timediff`.

    With `immutable`, only functions PostgreSQL allows in indexes and generated columns are used.
    """
    if name == "strftime":
        if not arguments or not isinstance(arguments[0].value, str):
            raise Untranslatable("strftime() with a format that is no constant")
        return _strftime(arguments[0].value, _moment(arguments[1:]), immutable=immutable)
    moment = _moment(arguments)
    if name == "date":
        return Term(f"{moment}::date", "native", rule="date")
    if name == "datetime":
        return Term(f"date_trunc('second', {moment})", "native", rule="timestamp(space, 0)")
    if name == "time":
        return _strftime("%H:%M:%S", moment, immutable=immutable)
    if name == "unixepoch":
        return Term(f"floor(extract(epoch from {moment}))::bigint", "integer")
    if name == "julianday":
        # SQLite counts milliseconds since noon of 24 November 4714 BC and divides once.
        count = f"round(extract(epoch from {moment}) * 1000) + 210866760000000"
        return Term(f"(({count})::float8 / 86400000)", "real")
    raise Untranslatable(f"the function {name}() has no counterpart")


def current(word: str) -> Term:
    """CURRENT_TIMESTAMP, CURRENT_DATE and CURRENT_TIME."""
    name = {"TIMESTAMP": "datetime", "DATE": "date", "TIME": "time"}[word]
    return date_function(name, [], immutable=False)


def _moment(arguments: list[Term]) -> str:
    """The moment the first argument names, moved by the modifiers: a timestamp in UTC."""
    if not arguments:
        return NOW
    value, *modifiers = arguments
    words = []
    for modifier in modifiers:
        if not isinstance(modifier.value, str):
            raise Untranslatable("a date function with a modifier that is no constant")
        words.append(modifier.value.strip().lower())
    moment = _start(value, words)
    for word in words:
        moment = _modified(moment, word)
    return moment


def _start(value: Term, words: list[str]) -> str:
    if isinstance(value.value, str) and value.value.strip().lower() == "now":
        return NOW
    of_epoch = bool(words) and words[0] == "unixepoch"
    if of_epoch:
        words.pop(0)
    if value.kind == "native":
        native = _native(value, of_epoch=of_epoch)
        if native:
            return native
    known = plain(value)
    if known.kind == "null":
        return "NULL::timestamp"
    if known.digits and of_epoch:
        return f"(to_timestamp({known.sql}::float8) AT TIME ZONE 'utc')"
    if isinstance(known.value, str) and numeric_value(known.value) is not None:
        raise Untranslatable("a date function of a number written as text")
    if known.kind in ("integer", "real") and of_epoch:
        return f"(to_timestamp({known.sql}) AT TIME ZONE 'utc')"
    if known.kind == "real":
        epoch = f"round(({known.sql} - 2440587.5) * 86400000)::float8 / 1000"
        return f"(to_timestamp({epoch}) AT TIME ZONE 'utc')"
    if known.kind == "text" and not of_epoch:
        return _parsed(known.sql)
    raise Untranslatable(f"a date function of a {known.kind}")


def _native(value: Term, *, of_epoch: bool) -> str:
    """The moment a native column holds; empty when SQLite would read its stored form otherwise."""
    if value.rule == "date" and not of_epoch:
        return f"{value.sql}::timestamp"
    if value.rule.startswith("timestamp(") and not of_epoch:
        zoned = value.rule.endswith(("Z)", "+00:00)"))
        return f"({value.sql} AT TIME ZONE 'utc')" if zoned else value.sql
    if (value.rule == "unix seconds" and of_epoch) or (value.rule == "julian day" and not of_epoch):
        return f"({value.sql} AT TIME ZONE 'utc')"
    return ""


def _parsed(sql: str) -> str:
    """Text as a moment; NULL where it is none. 30 February is 1 March, as in SQLite."""
    seconds = f"coalesce(substring({sql} from '^.{{17}}([0-9.]+)'), '0')::float8"
    clock = (
        f"make_interval(hours => coalesce(nullif(substr({sql}, 12, 2), ''), '0')::int, "
        f"mins => coalesce(nullif(substr({sql}, 15, 2), ''), '0')::int, secs => {seconds})"
    )
    zone = f"substring({sql} from '[0-9]([+-]\\d\\d:\\d\\d)$')"
    offset = (
        f"coalesce(make_interval(hours => left({zone}, 3)::int, "
        f"mins => (left({zone}, 1) || right({zone}, 2))::int), '0')"
    )
    day = f"make_date(left({sql}, 4)::int, substr({sql}, 6, 2)::int, 1)"
    return (
        f"(CASE WHEN {sql} ~ {string(_SHAPE).strip()} THEN {day} "
        f"+ (substr({sql}, 9, 2)::int - 1) + {clock} - {offset} END)"
    )


def _modified(moment: str, word: str) -> str:
    if word in ("start of day", "start of month", "start of year"):
        return f"date_trunc('{word.removeprefix('start of ')}', {moment})"
    match = _SHIFT.fullmatch(word)
    if match is None or match[3] not in _UNITS:
        raise Untranslatable(f"a date function with the modifier {word!r}")
    sign = "-" if match[1] == "-" else "+"
    if match[3] in ("month", "year"):
        if "." in match[2]:
            raise Untranslatable(f"a date function with the modifier {word!r}")
        # SQLite lets 31 January plus one month run over into March; PostgreSQL would not.
        start = f"date_trunc('month', {moment})"
        return f"({start} {sign} interval '{match[2]} {match[3]}' + ({moment} - {start}))"
    return f"({moment} {sign} interval '{match[2]} {match[3]}')"


_PICTURES = {
    "%Y": "YYYY",
    "%m": "MM",
    "%d": "DD",
    "%H": "HH24",
    "%M": "MI",
    "%S": "SS",
    "%j": "DDD",
    "%f": "SS.MS",
}
_FIELDS = {
    "%Y": ("year", 4),
    "%m": ("month", 2),
    "%d": ("day", 2),
    "%H": ("hour", 2),
    "%M": ("minute", 2),
    "%j": ("doy", 3),
}
_WIDER = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M"}


def _strftime(pattern: str, moment: str, *, immutable: bool) -> Term:
    for short, long in _WIDER.items():
        pattern = pattern.replace(short, long)
    pieces = [piece for piece in re.split(r"(%.)", pattern) if piece]
    codes = [piece for piece in pieces if piece.startswith("%")]
    digits = len(pieces) == len(codes) == 1 and codes[0] in {*_FIELDS, "%S", "%s", "%w", "%u"}
    words = bool(re.search("[-/:]", re.sub("%.", "", pattern)))
    simple = all(piece in _PICTURES or re.fullmatch(r"[-/: .,]+", piece) for piece in pieces)
    if simple and not immutable and "%f" not in codes:
        picture = "".join(_PICTURES.get(piece, piece) for piece in pieces)
        found = f"to_char({moment}, {string(picture)})"
        return Term(found, "text", digits=digits, words=words)
    parts = [_piece(piece, moment) for piece in pieces]
    joined = " || ".join(parts) if parts else "''"
    joined = f"({joined})" if len(parts) > 1 else joined
    return Term(joined, "text", digits=digits, words=words)


def _piece(piece: str, moment: str) -> str:
    """One conversion of strftime by functions that are immutable."""
    if not piece.startswith("%"):
        return string(piece)
    if piece == "%%":
        return "'%'"
    if piece in _FIELDS:
        name, width = _FIELDS[piece]
        return f"lpad(extract({name} from {moment})::text, {width}, '0')"
    if piece == "%S":
        return f"lpad(floor(extract(second from {moment}))::text, 2, '0')"
    if piece == "%f":
        seconds = f"extract(second from {moment})"
        # SQLite never rounds up to 60.
        rounded = f"lpad(round({seconds}, 3)::text, 6, '0')"
        return f"(CASE WHEN {seconds} >= 59.9995 THEN '59.999' ELSE {rounded} END)"
    if piece == "%s":
        return f"floor(extract(epoch from {moment}))::bigint::text"
    if piece == "%w":
        return f"extract(dow from {moment})::text"
    if piece == "%u":
        return f"extract(isodow from {moment})::text"
    if piece == "%W":
        monday = f"(extract(doy from {moment}) + 7 - extract(isodow from {moment}))"
        return f"lpad(div({monday}, 7)::text, 2, '0')"
    raise Untranslatable(f"strftime() with the conversion {piece}")
