"""What a native file declares about the CPU it needs: the ELF note, and nothing else.

`GNU_PROPERTY_X86_ISA_1_NEEDED` (x86-64 psABI, "Program Property") is a statement, not a proof:
glibc refuses a library whose note asks for more than the CPU has, but of 800 libraries in
current wheels none carries the note.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

_PT_GNU_PROPERTY: Final = 0x6474E553
_NT_GNU_PROPERTY_TYPE_0: Final = 5
_ISA_1_NEEDED: Final = 0xC0008002
_LEVELS: Final = ("x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4")
_EM_X86_64: Final = 62
_MAX_HEADERS: Final = 1024
_MAX_NOTE: Final = 1 << 16


def declared_level(path: Path) -> str | None:
    """Return the level that the file's note asks for.

    None where it has no such note, is no x86-64 ELF file, is damaged or cannot be read.
    """
    try:
        with path.open("rb") as file:
            note = _property_note(file)
    except (OSError, ValueError, struct.error):
        return None
    return _level(note)


def _property_note(file: BinaryIO) -> bytes:
    header = file.read(64)
    if header[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", header, 18)[0] != _EM_X86_64:
        return b""
    offset = struct.unpack_from("<Q", header, 32)[0]
    size, count = struct.unpack_from("<HH", header, 54)
    if size != 56 or count > _MAX_HEADERS:
        return b""
    file.seek(offset)
    table = file.read(size * count)
    for start in range(0, len(table) - size + 1, size):
        kind, _, where, _, _, length = struct.unpack_from("<IIQQQQ", table, start)
        if kind == _PT_GNU_PROPERTY and length <= _MAX_NOTE:
            file.seek(where)
            return file.read(length)
    return b""


def _level(note: bytes) -> str | None:
    """Read the properties of one note: name size, size and type, then `GNU`, then the array."""
    if len(note) < 16 or struct.unpack_from("<II", note, 4)[1] != _NT_GNU_PROPERTY_TYPE_0:
        return None
    position, end = 16, min(len(note), 16 + struct.unpack_from("<I", note, 4)[0])
    while position + 8 <= end:
        kind, size = struct.unpack_from("<II", note, position)
        if kind == _ISA_1_NEEDED and size == 4 and position + 12 <= end:
            bits = struct.unpack_from("<I", note, position + 8)[0] & 0b1111
            return _LEVELS[bits.bit_length() - 1] if bits else None
        position += 8 + (size + 7) // 8 * 8
    return None
