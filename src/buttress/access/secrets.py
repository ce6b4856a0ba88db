"""Random secrets and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_letters
TOKEN_PREFIX = "bt_"  # by which a scanner for leaked secrets knows ours
ID_LENGTH, SECRET_LENGTH, CHECK_LENGTH = 8, 40, 6


def new_secret() -> str:
    """256 bits for a cookie or a link."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is kept of a secret; it is random, so nobody can guess it from this."""
    return hashlib.sha256(secret.encode()).digest()


def new_token() -> tuple[str, str]:
    """A token, and the part of it that may be shown."""
    name, secret = _random(ID_LENGTH), _random(SECRET_LENGTH)
    body = f"{TOKEN_PREFIX}{name}_{secret}"
    return body + _check(body), name


def id_of(token: str) -> str | None:
    """The part that may be shown; None for what cannot be a token, typing errors included."""
    body, check = token[:-CHECK_LENGTH], token[-CHECK_LENGTH:]
    if not body.startswith(TOKEN_PREFIX) or not body.isascii() or check != _check(body):
        return None
    name, _, secret = body[len(TOKEN_PREFIX) :].partition("_")
    return name if len(name) == ID_LENGTH and len(secret) == SECRET_LENGTH else None


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _check(body: str) -> str:
    number, found = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        found = ALPHABET[rest] + found
    return found
