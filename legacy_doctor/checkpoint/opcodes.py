"""The opcodes of a pickle, one by one: nothing is built, imported or called.

The table is that of `pickletools`; the arguments are read here, because `pickletools.genops`
takes whatever length a file announces into memory. Strings are kept up to `LONGEST` bytes;
what is longer is skipped and stands in the stream as a `Blob`.
"""

from __future__ import annotations

import functools
import pickletools
import struct
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, Final, NamedTuple

LONGEST: Final = 1 << 16
OPCODES: Final = 2_000_000
"""How many are read before a pickle counts as too long to judge."""
TEXT: Final = 1 << 25
"""Bytes of strings that are kept of one pickle."""

_PIECE: Final = 1 << 16
_FIXED: Final = {
    "<B": "PROTO BININT1 BINPUT BINGET EXT1",
    "<H": "BININT2 EXT2",
    "<i": "BININT EXT4",
    "<I": "LONG_BINPUT LONG_BINGET",
    "<Q": "FRAME",
    ">d": "BINFLOAT",
}
_COUNTED: Final = {
    "<B": "SHORT_BINUNICODE SHORT_BINBYTES SHORT_BINSTRING LONG1",
    "<I": "BINUNICODE BINBYTES",
    "<i": "BINSTRING LONG4",
    "<Q": "BINUNICODE8 BINBYTES8 BYTEARRAY8",
}
_LINES: Final = {1: "INT LONG FLOAT STRING UNICODE PERSID PUT GET", 2: "GLOBAL INST"}


class BrokenError(Exception):
    """The stream is no pickle, ends too early or goes beyond what is read of one."""


class Blob(NamedTuple):
    """Data of which only the length is kept."""

    length: int


class Opcode(NamedTuple):
    """One opcode; `argument` is None, a number, bytes (strings as they stand), lines or a Blob."""

    name: str
    argument: Any
    position: int


def walk(stream: BufferedReader) -> Iterator[Opcode]:
    """Yield the opcodes up to STOP, and leave the stream behind it.

    Raises `BrokenError` where there is none, however far the stream goes.
    """
    table = _table()
    read = stream.read
    position = kept = 0
    for _ in range(OPCODES):
        code = read(1)
        entry = table.get(code)
        if entry is None:
            raise BrokenError(_no_opcode(code, position))
        name, kind, form = entry
        argument, length = _argument(stream, kind, form, position) if kind else (None, 0)
        if kind in {"counted", "lines"} and not isinstance(argument, Blob):
            kept += length
        if kept > TEXT:
            raise BrokenError(f"more than {TEXT >> 20} MB of strings in one pickle")
        yield Opcode(name, argument, position)
        if name == "STOP":
            return
        position += 1 + length
    raise BrokenError(f"more than {OPCODES:,} opcodes in one pickle")


def _no_opcode(code: bytes, position: int) -> str:
    if not code:
        return f"the pickle breaks off at byte {position}"
    return f"byte {position} of the pickle ({code.hex()}) is no opcode"


@functools.lru_cache(maxsize=1)
def _table() -> dict[bytes, tuple[str, str, Any]]:
    """Every opcode of Python's own table: its name, what follows it and in which form."""
    what: dict[str, tuple[str, Any]] = {}
    for kind, forms in (("fixed", _FIXED), ("counted", _COUNTED)):
        for form, names in forms.items():
            what |= dict.fromkeys(names.split(), (kind, struct.Struct(form)))
    for lines, names in _LINES.items():
        what |= dict.fromkeys(names.split(), ("lines", lines))
    return {
        item.code.encode("latin-1"): (item.name, *what.get(item.name, ("", None)))
        for item in pickletools.opcodes
    }


def _argument(stream: BufferedReader, kind: str, form: Any, position: int) -> tuple[Any, int]:
    if kind == "fixed":
        return form.unpack(_exactly(stream, form.size, position))[0], form.size
    if kind == "lines":
        lines = [_line(stream, position) for _ in range(form)]
        return (lines[0] if form == 1 else tuple(lines)), sum(len(item) + 1 for item in lines)
    (length,) = form.unpack(_exactly(stream, form.size, position))
    if length < 0:
        raise BrokenError(f"byte {position} of the pickle announces {length} bytes")
    if length <= LONGEST:
        return _exactly(stream, length, position), form.size + length
    _skip(stream, length, position)
    return Blob(length), form.size + length


def _exactly(stream: BufferedReader, length: int, position: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise BrokenError(f"the pickle breaks off in the opcode at byte {position}")
    return data


def _line(stream: BufferedReader, position: int) -> bytes:
    data = stream.readline(LONGEST + 1)
    if data.endswith(b"\n"):
        return data[:-1]
    if len(data) > LONGEST:
        raise BrokenError(f"byte {position} of the pickle begins a line without end")
    raise BrokenError(f"the pickle breaks off in the opcode at byte {position}")


def _skip(stream: BufferedReader, length: int, position: int) -> None:
    while length:
        length -= len(_exactly(stream, min(length, _PIECE), position))
