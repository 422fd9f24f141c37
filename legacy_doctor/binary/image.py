"""An ELF file as the loader sees it: segments, addresses, and the unwinder's table of functions."""

from __future__ import annotations

import struct
from bisect import bisect_right
from functools import cached_property
from typing import BinaryIO, Final, NamedTuple

from elftools.elf.elffile import ELFFile

_LARGEST_TABLE: Final = 1 << 30
_ENCODING: Final = b"\x01\x1b\x03\x3b"
""".eh_frame_hdr as every linker writes it: version 1, then how its three fields are encoded."""

_ROW: Final = struct.Struct("<ii")
_TABLE_AT: Final = 12


class Function(NamedTuple):
    """A function as .eh_frame_hdr lists it; both are virtual addresses."""

    start: int
    description: int
    """Where its entry in .eh_frame is."""


class Image:
    """An open 64-bit little-endian ELF file.

    It may be damaged in any way, and then its methods may raise anything that pyelftools or
    `struct` raise: whoever calls them catches all of it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self.elf = ELFFile(file)
        if self.elf.elfclass != 64 or not self.elf.little_endian:
            raise ValueError("not a 64-bit little-endian file")
        self._segments = [segment.header for segment in self.elf.iter_segments()]

    def address(self, offset: int) -> int | None:
        """Return the virtual address of an offset; executable segments are asked first."""
        loaded = [item for item in self._segments if item.p_type == "PT_LOAD"]
        for item in sorted(loaded, key=lambda item: not item.p_flags & 1):
            if item.p_offset <= offset < item.p_offset + item.p_filesz:
                return int(item.p_vaddr + offset - item.p_offset)
        return None

    def at(self, address: int, length: int) -> bytes:
        """Read what is loaded at a virtual address."""
        for item in self._segments:
            inside = item.p_vaddr <= address < item.p_vaddr + item.p_filesz
            if item.p_type == "PT_LOAD" and inside:
                return self.read(item.p_offset + address - item.p_vaddr, length)
        return b""

    def read(self, offset: int, length: int) -> bytes:
        """Read what is in the file, as far as it goes."""
        self.file.seek(offset)
        return self.file.read(min(length, self.size, _LARGEST_TABLE))

    def function(self, address: int) -> Function | None:
        """Return the last function that starts at or before the address."""
        base, table = self._functions
        rows = range(len(table) // _ROW.size)
        index = bisect_right(
            rows, address - base, key=lambda row: _ROW.unpack_from(table, row * _ROW.size)[0]
        )
        if not index:
            return None
        start, description = _ROW.unpack_from(table, (index - 1) * _ROW.size)
        return Function(base + start, base + description)

    @cached_property
    def _functions(self) -> tuple[int, bytes]:
        """The address that the table is relative to, and its rows, sorted by the linker."""
        for item in self._segments:
            if item.p_type == "PT_GNU_EH_FRAME":
                data = self.read(item.p_offset, item.p_filesz)
                count = int.from_bytes(data[8:_TABLE_AT], "little")
                known = data[:4] == _ENCODING
                rows = data[_TABLE_AT : _TABLE_AT + count * _ROW.size]
                return int(item.p_vaddr), rows if known else b""
        return 0, b""
