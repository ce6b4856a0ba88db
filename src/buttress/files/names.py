"""Names people give files: kept to be shown, never used as a path."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

NAME_BYTES = 255
UNNAMED = "file"

_JOINERS = "\u200c\u200d"  # Persian and emojis are written with them
_RESERVED = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(?i:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}$")


def normalised(name: str) -> str:
    """A name of one file on any system, as near to the given one as can be.

    NFC, no control or direction characters, no folders, at most 255 bytes with its ending kept.
    """
    text = unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode())
    text = "".join(char for char in text if _is_shown(char))
    text = text.replace("\\", "/").rstrip("/. ").rpartition("/")[2]
    text = re.sub(r"^[A-Za-z]:", "", text)
    text = _RESERVED.sub("_", text).strip().strip(".").strip()
    if _DEVICES.match(text):
        text = f"_{text}"
    return _shortened(text) or UNNAMED


def suffix_of(name: str) -> str:
    """Its ending in lower case with the dot, such as `.pdf`; empty when it has none."""
    found = _SUFFIX.search(name)
    return found[0].lower() if found else ""


def content_disposition(name: str) -> str:
    """The header that has a browser save a file under its name (RFC 6266), and not open it."""
    safe = normalised(name)
    plain = unicodedata.normalize("NFKD", safe).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()+,=@\[\]-]", "_", plain).strip(" .") or UNNAMED
    header = f'attachment; filename="{plain}"'
    return header if plain == safe else f"{header}; filename*=UTF-8''{quote(safe, safe='')}"


def _is_shown(char: str) -> bool:
    """Whether a character stands for itself: others hide, reorder or end what is shown."""
    category = unicodedata.category(char)
    if category == "Cf":
        return char in _JOINERS
    return category not in ("Cc", "Cs", "Cn", "Zl", "Zp")


def _shortened(name: str) -> str:
    if len(name.encode()) <= NAME_BYTES:
        return name
    suffix = suffix_of(name)
    room = NAME_BYTES - len(suffix)
    stem = name[: len(name) - len(suffix)].encode()[:room].decode("utf-8", "ignore")
    return stem.rstrip(". ") + suffix
