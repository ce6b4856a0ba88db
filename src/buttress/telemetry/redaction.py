"""Secrets taken out of what leaves the process: those we know, and what looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

HIDDEN = "***"
SHORTEST = 6
"""Characters of the shortest secret that is looked for by its value: `app` is in every line."""

LONG = 12

NAMED = re.compile(
    r"(?i)(?:^|[_\-. ])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|authorization"
    r"|(?:set[_-])?cookie|credentials?|dsn|private[_-]?key)$"
)
"""Fields whose text is not shown, whatever it is."""

NAMES = r"pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|client_secret|x-api-key"
LOOKS_SECRET = re.compile(
    rf"""
      (?P<key> -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY----- .*? (?: -----END [^-]*----- | \Z) )
    | (?P<header> (?i: (?:proxy-)?authorization | (?:set-)?cookie )['"]?\s*[:=,]\s*['"]?\s*)
        [^\n'"]+
    | (?P<url> \b[A-Za-z][\w+.-]*://[^\s/:@]*: ) [^\s/?\#]+ (?=@)
    | (?P<scheme> \b(?i: bearer|basic )\s+ ) [\w.~+/=-]{{8,}}
    | (?P<ours> \bbt_[0-9A-Za-z]{{8}}_ ) [0-9A-Za-z]{{20,}}
    | (?P<cookie> \b(?:__Host-)?buttress= ) [\w-]{{20,}}
    | (?P<link> /sign-in/link/ ) [\w-]{{20,}}
    | (?P<provider> \b(?:sk|rk|gsk|pplx|xox[abps]|ghp|gho|glpat|AIza|AKIA)[-_]? ) [\w-]{{16,}}
    | (?P<row> Failing\ row\ contains\ ) \( [^\n]*
    | (?P<named> (?i: \b[\w-]{{0,40}}(?:{NAMES}) ['"]?\s*[=:]\s*['"]? ) ) [^\s'"&;,)}}]+
    """,
    re.VERBOSE | re.DOTALL,
)

_known: set[str] = set()
_pattern: list[re.Pattern[str]] = [LOOKS_SECRET]


def remember(secrets: Iterable[str]) -> None:
    """Take these out from now on, wherever they stand; shorter ones than six characters are not."""
    fresh = {secret for secret in secrets if len(secret) >= SHORTEST} - _known
    if not fresh:
        return
    _known.update(fresh)
    # The longest first: a URL is hidden as a whole before its password would be.
    exact = "|".join(re.escape(one) for one in sorted(_known, key=len, reverse=True))
    _pattern[0] = re.compile(f"(?P<known>{exact})|{LOOKS_SECRET.pattern}", LOOKS_SECRET.flags)


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Every secret that was set, and the passwords in URLs, also as they are written in one."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from secrets_of(value)
        elif isinstance(value, SecretStr) and value != field.get_default():
            yield from _forms(value.get_secret_value())


def _forms(secret: str) -> Iterator[str]:
    if "://" not in secret:
        yield secret
        # Of `authorization=Bearer%20…` the last part is what leaks.
        yield from (part for part in re.split(r"[,=\s]|%20", secret) if len(part) >= LONG)
        return
    for part in re.split(r",\s*(?=[a-z]+(?:\+[a-z]+)?://)", secret):
        try:
            address = urlsplit(part.strip())
            password = address.password
            if password is None and address.scheme in ("http", "https"):
                password = address.username  # the key in the address of a Sentry project
        except ValueError:  # an address nobody can read is hidden as a whole
            yield part
            continue
        if password:
            yield from {password, unquote(password), quote(unquote(password), safe="")}


def redacted(text: str) -> str:
    """The text without what is secret in it."""
    return _pattern[0].sub(_hide, text)


def _hide(found: re.Match[str]) -> str:
    kept = found.lastgroup
    return HIDDEN if kept in (None, "known", "key") else f"{found[kept]}{HIDDEN}"


def without_secrets(value: object, name: str = "") -> object:
    """A value of JSON, or what becomes one, without what is secret in it; `name` is its own."""
    if isinstance(value, bool | int | float) or value is None:
        return value
    if name and NAMED.search(name):
        return HIDDEN
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            redacted(str(key)): without_secrets(inner, str(key)) for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [without_secrets(inner) for inner in value]
    return redacted(str(value))
