"""Whether a text sent to PostgreSQL may have committed before the connection broke.

Within a transaction only a text that ends it can do so: several statements in one, or a word that
ends or begins a transaction, or may run one that does.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      --[^\r\n]* | /\*(?:(?!/\*|\*/).)*\*/
    | [Ee]'(?: [^'\\] | '' | \\. )*'
    | '(?: [^'] | '' )*'
    | "(?: [^"] | "" )*"
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? \$(?P=tag)\$
    | (?P<word> [^\W\d][\w$]* )                 # a dollar within a name opens nothing
    | (?P<open> ['"] | /\* | \$[^\W\d]*\$ )
    """,
    re.VERBOSE | re.DOTALL,
)
_UNCLEAR = "\0"

_ENDS = re.compile(
    r"(?:COMMIT|END|ABORT|ROLLBACK|BEGIN|START|CALL|DO|PREPARE\s+TRANSACTION)\b", re.IGNORECASE
)


def commits_itself(sql: str) -> bool:
    """Whether it may commit; also where quotes or nested comments leave that unclear."""
    text = _TOKEN.sub(_without_content, sql)
    statements = [part.strip() for part in text.split(";") if part.strip()]
    if _UNCLEAR in text or len(statements) > 1:
        return True
    return bool(statements and _ENDS.match(statements[0]))


def _without_content(token: re.Match[str]) -> str:
    return _UNCLEAR if token["open"] else token["word"] or " "
