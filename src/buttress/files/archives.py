"""ZIP archives, which XLSX and DOCX are too, looked through before anything unpacks them.

    with runtime.files.open(file) as opened:
        check_archive(opened)

What the directory of an archive claims is compared with what its members unpack to, in small steps:
memory stays bounded whatever it holds.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from buttress.errors import Refused

UNPACKED_BYTES = 200 << 20
MEMBERS = 2_000
RATIO = 100
SMALL_BYTES = 1 << 20
"""Members up to this size may be packed as tightly as they like."""

STEP_BYTES = 256 << 10
_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_WIDE = 0xFFFFFFFF
STORED, DEFLATED = 0, 8


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold: bytes unpacked, members, and how tightly large ones are packed."""

    unpacked_bytes: int = UNPACKED_BYTES
    members: int = MEMBERS
    ratio: int = RATIO


LIMITS = ArchiveLimits()


@dataclass(frozen=True)
class Member:
    """One entry of the directory, as it claims to be."""

    name: str
    method: int
    encrypted: bool
    packed_bytes: int
    unpacked_bytes: int
    offset: int
    mode: int


def check_archive(file: IO[bytes], limits: ArchiveLimits = LIMITS) -> list[Member]:
    """Look through an archive; gives its members.

    Raises
    ------
    Refused
        It unpacks to too much (`bomb`), is protected by a password (`encrypted`), holds names that
        lead out of a folder (`name`), or is damaged (`damaged`).
    """
    found: list[Member] = []
    names: set[str] = set()
    total = 0
    for member in members(file, limits.members):
        _refuse_claims(member, limits)
        if member.name in names:
            raise _refused("two members have one name", "name")
        names.add(member.name)
        total += member.unpacked_bytes
        if total > limits.unpacked_bytes:
            raise _bomb(f"it unpacks to more than {limits.unpacked_bytes:,} bytes")
        found.append(member)
    _refuse_overlaps(found)
    for member in found:
        _refuse_lies(file, member)
    file.seek(0)
    return found


def members(file: IO[bytes], most: int = MEMBERS) -> Iterator[Member]:
    """The entries of the directory; raises `Refused` for a damaged one, and beyond `most`."""
    at, size, count = _directory(file)
    if count > most:
        raise _bomb(f"it has more than {most:,} members")
    file.seek(at)
    for _ in range(count):
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or head[:4] != b"PK\1\2":
            raise _damaged("its directory is cut short")
        fields = _ENTRY.unpack(head)
        flags, method, packed, unpacked = fields[3], fields[4], fields[8], fields[9]
        name_length, extra_length, comment_length = fields[10:13]
        attributes, offset = fields[15], fields[16]
        variable = file.read(name_length + extra_length + comment_length)
        size -= len(head) + len(variable)
        if len(variable) < name_length + extra_length + comment_length or size < 0:
            raise _damaged("its directory is cut short")
        extra = variable[name_length : name_length + extra_length]
        unpacked, packed, offset = _widened(extra, unpacked, packed, offset)
        yield Member(
            name=_name(variable[:name_length], flags),
            method=method,
            encrypted=bool(flags & 0x41),
            packed_bytes=packed,
            unpacked_bytes=unpacked,
            offset=offset,
            mode=attributes >> 16,
        )
    if size:
        raise _damaged("its directory holds more than it says")


def _directory(file: IO[bytes]) -> tuple[int, int, int]:
    """Where the directory begins, its size in bytes and its number of entries."""
    end = file.seek(0, 2)
    start = max(end - _END.size - 0xFFFF, 0)
    file.seek(start)
    tail = file.read(end - start)
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < _END.size:
        raise _damaged("it has no directory")
    _, disk, first_disk, here, count, size, at, _ = _END.unpack_from(tail, place)
    if 0xFFFF in (here, count) or _WIDE in (size, at):
        raise _bomb("it is of the kind made for more than 65,534 members or 4 GiB")
    if disk or first_disk or here != count or at + size > start + place:
        raise _damaged("its directory is not where it says")
    return at, size, count


def _widened(extra: bytes, *values: int) -> tuple[int, ...]:
    """Sizes and offset, those that are too wide for their field taken from the extra field."""
    wide = b""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            wide = extra[4 : 4 + length]
        extra = extra[4 + length :]
    found = []
    for value in values:
        if value == _WIDE:
            if len(wide) < 8:
                raise _damaged("a member does not tell its size")
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        found.append(value)
    return tuple(found)


def _name(raw: bytes, flags: int) -> str:
    if flags & 0x800:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise _refused("a name in it is no text", "name") from None
    return raw.decode("cp437")


def _refuse_claims(member: Member, limits: ArchiveLimits) -> None:
    """What the directory alone tells."""
    parts = member.name.replace("\\", "/").split("/")
    inside = member.name[:1] not in ("/", "\\") and ".." not in parts and ":" not in parts[0]
    if not inside or "\0" in member.name or not member.name:
        raise _refused("a name in it leads out of its folder", "name")
    if stat.S_ISLNK(member.mode):
        raise _refused("it has a link in it", "name")
    if member.encrypted:
        raise Refused(
            "the archive is protected by a password",
            cause="encrypted",
            hint="Save it without a password and upload it again.",
        )
    if member.method not in (STORED, DEFLATED):
        raise _refused(f"it is packed by method {member.method}, which is not read", "damaged")
    if member.unpacked_bytes > limits.unpacked_bytes:
        raise _bomb(f"it unpacks to more than {limits.unpacked_bytes:,} bytes")
    ratio = member.unpacked_bytes / max(member.packed_bytes, 1)
    if member.unpacked_bytes > SMALL_BYTES and ratio > limits.ratio:
        raise _bomb(f"a member unpacks to {ratio:,.0f} times its size")


def _refuse_overlaps(found: list[Member]) -> None:
    """Members that share bytes unpack to more than an archive of its size can hold."""
    end = 0
    for member in sorted(found, key=lambda one: one.offset):
        if member.offset < end:
            raise _bomb("its members overlap")
        end = member.offset + _LOCAL.size + member.packed_bytes


def _refuse_lies(file: IO[bytes], member: Member) -> None:
    """Unpack a member, forgetting it at once, and compare with what was claimed."""
    file.seek(member.offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        raise _damaged("a member is not where its directory says")
    fields = _LOCAL.unpack(head)
    if fields[3] != member.method or fields[2] & 1:
        raise _damaged("a member differs from its directory")
    file.seek(fields[9] + fields[10], 1)
    unpacked = 0
    for length in _unpacked(file, member):
        unpacked += length
        if unpacked > member.unpacked_bytes:
            raise _bomb("a member unpacks to more than it says")
    if unpacked != member.unpacked_bytes:
        raise _damaged("a member unpacks to less than it says")


def _unpacked(file: IO[bytes], member: Member) -> Iterator[int]:
    """Lengths of what comes out, step by step."""
    left = member.packed_bytes
    unpack = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None
    while left and (block := file.read(min(left, STEP_BYTES))):
        left -= len(block)
        if unpack is None:
            yield len(block)
            continue
        try:
            while block and not unpack.eof:
                yield len(unpack.decompress(block, STEP_BYTES))
                block = unpack.unconsumed_tail
        except zlib.error as error:
            raise _damaged("a member cannot be unpacked") from error
    if unpack is not None and not unpack.eof:
        yield len(unpack.flush())


def _bomb(what: str) -> Refused:
    return Refused(
        f"the archive is refused: {what}",
        cause="bomb",
        hint="Upload the files in it one by one, or with less in them.",
    )


def _damaged(what: str) -> Refused:
    return _refused(what, "damaged")


def _refused(what: str, cause: str) -> Refused:
    return Refused(
        f"the archive is refused: {what}", cause=cause, hint="Make it anew and upload it again."
    )
