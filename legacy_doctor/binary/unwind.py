"""How to find a function's caller: the rows of .eh_frame, as far as they speak of RSP and RBP.

DWARF 5, 6.4; LSB Core, "Exception Frames"; register numbers of the x86-64 psABI. Frames found by
an expression (PLT stubs, realigned stacks) are not followed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from legacy_doctor.binary.image import Image

RBP: Final = 6
RSP: Final = 7

_PC_RELATIVE_32: Final = 0x1B
_LONGEST_ENTRY: Final = 1 << 16
_POINTER_SIZES: Final = {0x0: 8, 0x2: 2, 0x3: 4, 0x4: 8, 0xA: 2, 0xB: 4, 0xC: 8}


class Rule(NamedTuple):
    """Where a function's frame ends: its return address is the word below."""

    register: int
    offset: int
    saved: int | None
    """Where the caller's RBP is, from the end; None where the register still holds it."""


@dataclass(frozen=True, slots=True)
class _Row:
    register: int = RSP
    offset: int = 8
    saved: int | None = None
    known: bool = True
    """False where an expression tells."""


class _Reader:
    """Numbers out of bytes; IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def more(self) -> bool:
        return self.position < len(self._data)

    def take(self, length: int) -> bytes:
        found = self._data[self.position : self.position + length]
        if len(found) < length:
            raise IndexError
        self.position += length
        return found

    def number(self, length: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(length), "little", signed=signed)

    def rest(self) -> bytes:
        return self.take(len(self._data) - self.position)

    def string(self) -> str:
        end = self._data.index(0, self.position)
        found = self._data[self.position : end]
        self.position = end + 1
        return found.decode("latin-1")

    def leb(self, *, signed: bool = False) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value - (1 << shift) if signed and byte & 0x40 else value


class _Common(NamedTuple):
    """What several functions' entries have in common (a CIE)."""

    code_unit: int
    data_unit: int
    instructions: bytes


def rule(image: Image, address: int) -> Rule | None:
    """Return how to leave the function around `address`; None where the table does not tell.

    Raises what a damaged file makes it raise.
    """
    function = image.function(address)
    if function is None:
        return None
    entry = _entry(image, function.description)
    common = _common(_entry(image, function.description + 4 - entry.number(4)))
    length = _skip_addresses(entry)
    if common is None or not function.start <= address < function.start + length:
        return None
    entry.take(entry.leb())
    program = _Program(common)
    program.run(entry.rest(), address - function.start)
    row = program.row
    usable = row.known and row.register in {RBP, RSP}
    return Rule(row.register, row.offset, row.saved) if usable else None


def _entry(image: Image, address: int) -> _Reader:
    """Return an entry of .eh_frame without its length."""
    length = int.from_bytes(image.at(address, 4), "little")
    return _Reader(image.at(address + 4, min(length, _LONGEST_ENTRY)))


def _skip_addresses(entry: _Reader) -> int:
    """Pass over the function's start; return its length."""
    entry.take(4)
    return entry.number(4)


def _common(entry: _Reader) -> _Common | None:
    """Read a CIE; None where it encodes addresses in a way that no linker uses for x86-64."""
    if entry.number(4) != 0 or entry.number(1) not in {1, 3}:
        return None
    augmentation = entry.string()
    code_unit, data_unit = entry.leb(), entry.leb(signed=True)
    entry.leb()  # the column of the return address
    if not augmentation.startswith("z"):
        return None  # addresses are absolute then
    extra = _Reader(entry.take(entry.leb()))
    for letter in augmentation[1:]:
        if letter == "R" and extra.number(1) != _PC_RELATIVE_32:
            return None
        if letter == "L":
            extra.take(1)
        if letter == "P":
            extra.take(_POINTER_SIZES.get(extra.number(1) & 0xF, 1))
    return _Common(code_unit, data_unit, entry.rest())


_ADVANCES: Final = {0x02: 1, 0x03: 2, 0x04: 4}
"""DW_CFA_advance_loc1, 2 and 4, by the bytes of their operand."""

_PASSED: Final = {
    0x00: "",
    0x05: "nn",
    0x06: "n",
    0x07: "n",
    0x08: "n",
    0x09: "nn",
    0x10: "nb",
    0x11: "ns",
    0x16: "nb",
    0x2E: "n",
}
"""Instructions about other registers, by their operands: a number, a signed one, a block."""


class _Program:
    """The instructions of one function's entry, run up to a distance from its start."""

    def __init__(self, common: _Common) -> None:
        self._common = common
        self._remembered: list[_Row] = []
        self.row = self._initial = _Row()
        self.run(common.instructions, 0)
        self._initial = self.row

    def run(self, instructions: bytes, distance: int) -> None:
        reader = _Reader(instructions)
        at = 0
        while reader.more:
            code = reader.number(1)
            high, low = code & 0xC0, code & 0x3F
            if high == 0x40 or code in _ADVANCES:
                step = low if high else reader.number(_ADVANCES[code])
                at += step * self._common.code_unit
                if at > distance:
                    return
            elif high == 0x80:
                self._save(low, reader.leb())
            elif high == 0xC0:
                self._restore(low)
            else:
                self._other(code, reader)

    def _save(self, register: int, units: int) -> None:
        if register == RBP:
            self.row = replace(self.row, saved=units * self._common.data_unit)

    def _restore(self, register: int) -> None:
        if register == RBP:
            self.row = replace(self.row, saved=self._initial.saved)

    def _other(self, code: int, reader: _Reader) -> None:
        if code == 0x0A:
            self._remembered.append(self.row)
        elif code == 0x0B:
            self.row = self._remembered.pop()
        elif code == 0x0C:
            register, offset = reader.leb(), reader.leb()
            self.row = replace(self.row, register=register, offset=offset, known=True)
        elif code == 0x0D:
            self.row = replace(self.row, register=reader.leb())
        elif code == 0x0E:
            self.row = replace(self.row, offset=reader.leb())
        elif code == 0x0F:
            reader.take(reader.leb())
            self.row = replace(self.row, known=False)
        else:
            for operand in _PASSED[code]:
                number = reader.leb(signed=operand == "s")
                if operand == "b":
                    reader.take(number)
