"""What kind a file is, told by its content; its name must agree."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection
from typing import IO

import puremagic

from buttress.errors import BadInput, Refused
from buttress.files.archives import members
from buttress.files.names import suffix_of

HEAD_BYTES = 64 << 10
UNKNOWN = "application/octet-stream"
ZIP, OLE = "application/zip", "application/x-ole-storage"
TEXT = "text/plain"

_OFFICE = "application/vnd.openxmlformats-officedocument"
XLSX = f"{_OFFICE}.spreadsheetml.sheet"
DOCX = f"{_OFFICE}.wordprocessingml.document"
PPTX = f"{_OFFICE}.presentationml.presentation"

ENDINGS: dict[str, tuple[str, ...]] = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "image/tiff": (".tif", ".tiff"),
    "image/bmp": (".bmp",),
    "audio/mpeg": (".mp3",),
    "audio/wav": (".wav",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/flac": (".flac",),
    "video/mp4": (".mp4", ".m4v", ".m4a", ".mov"),
    "video/webm": (".webm", ".mkv"),
    "application/gzip": (".gz", ".tgz"),
    "application/vnd.apache.parquet": (".parquet",),
    "application/vnd.sqlite3": (".db", ".sqlite", ".sqlite3"),
    XLSX: (".xlsx",),
    "application/vnd.ms-excel.sheet.macroenabled.12": (".xlsm",),
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": (".xlsb",),
    DOCX: (".docx",),
    PPTX: (".pptx",),
    "application/vnd.oasis.opendocument.spreadsheet": (".ods",),
    "application/vnd.oasis.opendocument.text": (".odt",),
    "application/epub+zip": (".epub",),
    ZIP: (".zip",),
    OLE: (".xls", ".doc", ".ppt", ".msg"),
}
"""Types told by their content, and how names of such files end."""

TEXT_ENDINGS = {
    ".csv": "text/csv", ".tsv": "text/tab-separated-values", ".txt": TEXT, ".md": "text/markdown",
    ".json": "application/json", ".jsonl": "application/x-ndjson", ".html": "text/html",
    ".htm": "text/html", ".xml": "application/xml", ".svg": "image/svg+xml", ".log": TEXT,
    ".yaml": "application/yaml", ".yml": "application/yaml", ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
}  # fmt: skip
"""Text has no mark of its own: the name says which kind it is."""

_MARKS: list[tuple[int, bytes, str]] = [
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"PK\3\4", ZIP),
    (0, b"PK\5\6", ZIP),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
]
_BOMS = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = frozenset(range(32)) - set(b"\t\n\v\f\r\x1a\x1b")


def type_of(file: IO[bytes], name: str) -> str:
    """The media type of an open file, by its content, and for text by its name.

    Raises `BadInput` when the name says another kind of file.
    """
    kind = _by_content(file)
    suffix = suffix_of(name)
    if kind == TEXT:
        _refuse_other_ending(suffix, kind, fits=suffix in TEXT_ENDINGS)
        return TEXT_ENDINGS.get(suffix, TEXT)
    endings = ENDINGS.get(kind) or tuple(mimetypes.guess_all_extensions(kind))
    _refuse_other_ending(suffix, kind, fits=suffix in endings)
    return kind


def check_allowed(kind: str, allowed: Collection[str] | None) -> None:
    """Raise `BadInput` unless a media type is among those taken; `image/*` takes all images."""
    if allowed is None or kind in allowed or f"{kind.partition('/')[0]}/*" in allowed:
        return
    raise BadInput(
        f"a file of type {kind} is not taken here",
        hint=f"What is taken: {', '.join(allowed)}.",
    )


def _refuse_other_ending(suffix: str, kind: str, *, fits: bool) -> None:
    """An ending nobody knows says nothing: `.2024` is no kind of file."""
    if fits or not suffix or not _known(suffix):
        return
    hint = "Give the file the ending of what it is, or upload the one that was meant."
    if kind == OLE and suffix in (".xlsx", ".docx", ".pptx"):
        hint = "It is protected by a password, or of an older kind; save it as .xlsx without one."
    raise BadInput(f"its name ends in {suffix}, but its content is {kind}", hint=hint)


def _known(suffix: str) -> bool:
    mine = {ending for endings in ENDINGS.values() for ending in endings}
    return suffix in mine or suffix in TEXT_ENDINGS or suffix in mimetypes.types_map


def _by_content(file: IO[bytes]) -> str:
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise BadInput("the file is empty", hint="Upload the one that was meant.")
    for at, mark, kind in _MARKS:
        if head.startswith(mark, at):
            return _of_archive(file) if kind == ZIP else kind
    if head.startswith(_BOMS) or not _CONTROLS.intersection(head):
        return TEXT
    return _rare(file)


def _of_archive(file: IO[bytes]) -> str:
    """Which kind of archive; the office formats are told by their members."""
    try:
        names = {member.name for member in members(file)}
    except Refused:
        return ZIP  # `check_archive` says what is wrong with it
    finally:
        file.seek(0)
    if "[Content_Types].xml" in names:
        if "xl/vbaProject.bin" in names:
            return "application/vnd.ms-excel.sheet.macroenabled.12"
        if "xl/workbook.bin" in names:
            return "application/vnd.ms-excel.sheet.binary.macroenabled.12"
        for folder, kind in (("xl/", XLSX), ("word/", DOCX), ("ppt/", PPTX)):
            if any(name.startswith(folder) for name in names):
                return kind
    if "mimetype" in names:
        told = file.read(128)[38:]
        file.seek(0)
        for kind in ENDINGS:
            if told.startswith(kind.encode()):
                return kind
    return ZIP


def _rare(file: IO[bytes]) -> str:
    try:
        found = puremagic.magic_stream(file)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    finally:
        file.seek(0)
    return next((one.mime_type for one in found if one.mime_type), UNKNOWN)
