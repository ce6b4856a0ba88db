"""Bodies as they arrive: unpacked in small steps, so that a small one cannot become a large one."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable

from buttress.errors import BadInput, TooLarge

STEP_BYTES = 64 << 10
ACCEPTED = "gzip, deflate"

_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def body(chunks: Iterable[bytes], encoding: str, limit_bytes: int) -> bytes:
    """The unpacked body; raises `TooLarge` beyond the limit and `BadInput` for a broken one."""
    taken = bytearray()
    for part in _unpacked(chunks, encoding.strip().lower()):
        taken += part
        if len(taken) > limit_bytes:
            raise TooLarge(
                f"the page has more than {limit_bytes:,} bytes",
                hint="Allow more bytes, or fetch another page.",
            )
    return bytes(taken)


def charset_of(media_type: str, declared: str | None, content: bytes) -> str | None:
    """The character set of text: of the header, a byte order mark, or HTML's own declaration."""
    names = [declared]
    names += [name for mark, name in _BOMS if content.startswith(mark)]
    if media_type in ("text/html", "application/xhtml+xml"):
        found = _META.search(content[:4096])
        names += [found[1].decode()] if found else []
    for name in names:
        try:
            if name:
                return codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
    return "utf-8" if media_type.startswith("text/") else None


def _unpacked(chunks: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadInput(f"the page is packed as {encoding[:40]!r}, which was not asked for")
    unpack = None
    try:
        for chunk in chunks:
            if unpack is None and chunk:
                unpack = zlib.decompressobj(_window(encoding, chunk))
            while chunk and unpack is not None and not unpack.eof:
                yield unpack.decompress(chunk, STEP_BYTES)
                chunk = unpack.unconsumed_tail
        if unpack is not None and not unpack.eof:
            yield unpack.flush()  # what the last step had no room for
    except zlib.error as error:
        raise BadInput("the page is packed in a way that cannot be unpacked") from error
    if unpack is not None and not unpack.eof:
        raise BadInput("the page ends before it is complete")


def _window(encoding: str, first: bytes) -> int:
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    # Some servers send raw deflate although the name means zlib.
    return zlib.MAX_WBITS if first[0] & 0x0F == 8 else -zlib.MAX_WBITS
