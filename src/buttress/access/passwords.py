"""Passwords as Argon2id hashes, and what makes one too weak."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from buttress.errors import BadInput

SHORTEST, LONGEST = 10, 200
HASHED_AT_ONCE = 2
"""Each hash takes 19 MiB: fifty people who sign in together must not take a gigabyte."""
COMMON = (
    "password", "passw0rd", "passwort", "1234567890", "qwertyuiop", "qwerty", "letmein", "iloveyou",
    "1q2w3e4r5t", "admin", "welcome", "buttress", "changeme",
)  # fmt: skip

# OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane; 30 ms on a laptop's core.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_turn = threading.BoundedSemaphore(HASHED_AT_ONCE)
_nobodys: list[str] = []


def hash_password(password: str, *, name: str) -> str:
    """The hash to keep.

    Raises
    ------
    BadInput
        It is too short or long, or the first thing anybody would try.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(
            f"the password has {len(password)} characters",
            hint=f"Choose one of {SHORTEST} to {LONGEST}; four unusual words do well.",
        )
    lowered = password.lower()
    guessed = [*COMMON, name.lower(), name.lower().partition("@")[0]]
    if len(set(lowered)) < 5 or any(
        word and lowered.replace(word, "", 1).strip("0123456789!?. ") == "" for word in guessed
    ):
        raise BadInput(
            "the password is easily guessed", hint="Choose four unusual words, or let one be made."
        )
    return rehash(password)


def rehash(password: str) -> str:
    """The hash of a password that was accepted before."""
    with _turn:
        return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes as long for somebody who has none."""
    with _turn:
        if kept is None and not _nobodys:
            _nobodys.append(_hasher.hash("nobody has this password"))
        try:
            return _hasher.verify(kept or _nobodys[0], password[:LONGEST]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with other parameters than those of today."""
    return _hasher.check_needs_rehash(kept)
