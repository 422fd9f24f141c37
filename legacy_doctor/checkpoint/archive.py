"""The zip archive that torch writes: where each entry lies, and whether that can be true.

APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 - 4.3.16 (its end).
torch reads with miniz, `zipfile` reads otherwise where an archive contradicts itself; therefore
it is read here strictly, and what two readers could see differently is refused by name.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from legacy_doctor.checkpoint.source import PIECE, Source, UnreadableError

LOCAL: Final = b"PK\x03\x04"
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_HEADER: Final = struct.Struct("<4s5H3L2H")
_DIRECTORY: Final = 32 << 20
_ENTRIES: Final = 200_000
_FULL: Final = 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_BUFFER: Final = 1 << 16


class Entry(NamedTuple):
    """One file of the archive. `start` is where its bytes begin, as its local header says."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int
    start: int

    @property
    def stored(self) -> bool:
        """True where its bytes lie in the archive as they are."""
        return self.method == _STORED


class Archive:
    """A zip archive whose entries lie apart from each other, inside the file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        start, length, count = _directory(source)
        self.entries = tuple(_entries(source, start, length, count))
        _check_places(self.entries, start)
        # torch calls its archive what comes before the first slash of the first entry.
        self.folder = self.entries[0].name.partition("/")[0] if self.entries else ""
        self._named = {entry.name.lower(): entry for entry in self.entries}

    def find(self, name: str) -> Entry | None:
        """Return an entry by its name in torch's archive; upper and lower case are the same."""
        return self._named.get(f"{self.folder}/{name}".lower())

    def doubles(self) -> list[str]:
        """Return the names that several entries share; to torch, upper case is lower case."""
        counts = Counter(entry.name.lower() for entry in self.entries)
        return [name for name, count in counts.items() if count > 1]

    def read(self, entry: Entry, limit: int) -> bytes:
        """Return a small entry; raises `UnreadableError` where it is larger than `limit` bytes."""
        if entry.size > limit:
            raise UnreadableError(f"{entry.name} has {entry.size} bytes instead of a few")
        return b"".join(self.pieces(entry))

    def open(self, entry: Entry) -> io.BufferedReader:
        """Return the unpacked entry as a stream; it ends with `UnreadableError` where it lies."""
        if entry.stored:
            return self.source.window(entry.start, entry.size)
        return io.BufferedReader(_Pieces(self.pieces(entry)), _BUFFER)

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """Yield the unpacked entry, never more than a megabyte at a time.

        Raises `UnreadableError` where it has another length or checksum than it announces.
        """
        packed = self.source.pieces(entry.start, entry.packed)
        length = crc = 0
        for piece in packed if entry.stored else _inflated(packed, entry):
            length += len(piece)
            crc = zlib.crc32(piece, crc)
            if length > entry.size:
                break
            yield piece
        if length != entry.size or crc != entry.crc:
            raise UnreadableError(f"{entry.name} is damaged: its length or checksum is wrong")


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill what the standard library offers."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        piece = self._rest[: len(buffer)]
        buffer[: len(piece)] = piece
        self._rest = self._rest[len(piece) :]
        return len(piece)


def _inflated(packed: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    inflator = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in packed:
            data = piece
            while data:
                yield inflator.decompress(data, PIECE)
                data = inflator.unconsumed_tail
        while not inflator.eof and (more := inflator.decompress(b"", PIECE)):
            yield more
    except zlib.error as error:
        raise UnreadableError(f"{entry.name} cannot be unpacked ({error})") from error


def _directory(source: Source) -> tuple[int, int, int]:
    """Return where the directory lies, its length and its number of entries."""
    tail = source.at(max(source.size - 65557, 0), min(source.size, 65557))
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise UnreadableError("a zip archive without its end: cut off; download it again")
    end = source.size - len(tail) + place
    _, disk, first, _, count, length, start, comment = _END.unpack_from(tail, place)
    if end + _END.size + comment != source.size:
        raise UnreadableError(
            "a zip archive with something behind its end, which is damage or a trap"
        )
    limit = end
    if end >= _LOCATOR.size:
        locator = _LOCATOR.unpack(source.at(end - _LOCATOR.size, _LOCATOR.size))
        if locator[0] == b"PK\x06\x07":
            limit = locator[2]
            large = _END64.unpack(source.at(limit, _END64.size))
            if large[0] != b"PK\x06\x06":
                raise UnreadableError("a zip archive whose end is damaged")
            disk, first, count, length, start = large[4], large[5], large[7], large[8], large[9]
    if disk or first:
        raise UnreadableError("one part of a zip archive in several")
    if start + length != limit:
        raise UnreadableError("a zip archive whose directory is not where its end says")
    if length > _DIRECTORY or count > _ENTRIES:
        raise UnreadableError(f"a zip archive with {count:,} entries, more than any checkpoint has")
    return start, length, count


def _entries(source: Source, start: int, length: int, count: int) -> Iterator[Entry]:
    directory = source.at(start, length)
    place = 0
    for _ in range(count):
        if place + _CENTRAL.size > length or directory[place : place + 4] != b"PK\x01\x02":
            raise UnreadableError("a zip archive with a damaged directory")
        fields = _CENTRAL.unpack_from(directory, place)
        _, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, note = fields[:13]
        header = fields[16]
        place += _CENTRAL.size
        raw = directory[place : place + name_size]
        extra = directory[place + name_size : place + name_size + extra_size]
        place += name_size + extra_size + note
        size, packed, header = _large(extra, size, packed, header)
        name = raw.decode("utf-8", "replace")
        if flags & 1 or method not in {_STORED, _DEFLATED}:
            raise UnreadableError(f"{name} is encrypted or packed in a way torch does not read")
        if method == _STORED and size != packed:
            raise UnreadableError(f"{name} says two different lengths")
        begin = _begin(source, raw, method, header)
        yield Entry(name, method, crc, packed, size, header, begin)
    if place != length:
        raise UnreadableError("a zip archive with a damaged directory")


def _large(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Take what does not fit into 32 bits from the extra field 1 (4.5.3)."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        data = extra[place + 4 : place + 4 + length]
        place += 4 + length
        if kind != 1:
            continue
        values = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
        size, packed, header = (
            next(values, value) if value == _FULL else value for value in (size, packed, header)
        )
    return size, packed, header


def _begin(source: Source, name: bytes, method: int, header: int) -> int:
    """Return where the data of an entry begins; its local header must tell of the same entry."""
    fields = _HEADER.unpack(source.at(header, _HEADER.size))
    begin = header + _HEADER.size
    local = source.at(begin, fields[9])
    if fields[0] != LOCAL or fields[3] != method or local != name:
        shown = name.decode("utf-8", "replace")
        raise UnreadableError(f"{shown} is called otherwise in the directory than in its place")
    name_size, extra_size = fields[9:11]
    return begin + int(name_size) + int(extra_size)


def _check_places(entries: tuple[Entry, ...], limit: int) -> None:
    """Refuse entries that share bytes (the zip bomb of overlaps) or run into the directory."""
    end, before = 0, ""
    for entry in sorted(entries, key=lambda item: item.header):
        if entry.header < end:
            raise UnreadableError(f"{entry.name} lies on top of {before}: damage or a zip bomb")
        end, before = entry.start + entry.packed, entry.name
    if end > limit:
        raise UnreadableError(f"{before} runs into the directory")
