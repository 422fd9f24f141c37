"""A pickle of protocol 2 that holds a table of tensors and nothing else.

Written opcode by opcode (`pickletools` describes them) from what was drawn of another: nothing
is imported for it, and a class or function that weights_only=True does not take is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

from legacy_doctor.checkpoint import globals as judge
from legacy_doctor.checkpoint.machine import Call, Global, Persistent, Row, Table
from legacy_doctor.checkpoint.tensors import Found
from legacy_doctor.errors import DoctorError

_DEEPEST: Final = 32
_PARTS: Final = 10_000
"""Opcodes of one tensor: what refers to itself twice at every step grows without end."""
_SIMPLE: Final = {None: b"N", True: b"\x88", False: b"\x89"}


def pickled(tensors: Mapping[str, Found]) -> bytes:
    """Return the pickle of a dictionary of these tensors.

    Raises `DoctorError` where a tensor is made of more than weights_only=True takes.
    """
    parts = [b"\x80\x02}("]
    for name, found in tensors.items():
        parts += _value(name, 0)
        try:
            for number, part in enumerate(_value(found.value, 0)):
                if number > _PARTS:
                    raise _ForeignError("more than any tensor is made of")
                parts.append(part)
        except _ForeignError as error:
            raise DoctorError(
                f"{found.tensor.name} is made of {error}, which a copy for weights_only=True "
                "cannot hold"
            ) from error
    return b"".join([*parts, b"u."])


class _ForeignError(Exception):
    """Something that weights_only=True does not take."""


def _value(value: Any, depth: int) -> Iterator[bytes]:
    if depth > _DEEPEST:
        raise _ForeignError("something that is nested too deep")
    if value is None or isinstance(value, bool):
        yield _SIMPLE[value]
    elif isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        yield b"X" + struct.pack("<I", len(data)) + data
    elif isinstance(value, int):
        yield _integer(value)
    elif isinstance(value, float):
        yield b"G" + struct.pack(">d", value)
    elif isinstance(value, Global):
        if value.path not in judge.ALLOWED:
            raise _ForeignError(value.path)
        yield f"c{value.module}\n{value.name}\n".encode()
    else:
        yield from _compound(value, depth + 1)


def _integer(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def _compound(value: Any, depth: int) -> Iterator[bytes]:
    if isinstance(value, Persistent):
        # The streams of before 1.6 name a view too; archives do without.
        if type(value.key) is not tuple or (len(value.key) > 5 and value.key[5] is not None):
            raise _ForeignError("a view of a storage, as torch 0.3 wrote them")
        # Where it was saved says nothing about where it will be loaded.
        yield from _value((*value.key[:3], "cpu", *value.key[4:5]), depth)
        yield b"Q"
    elif isinstance(value, Call):
        yield from _value(value.function, depth)
        yield from _value(value.arguments, depth)
        yield b"R"
        if value.state is not None:
            yield from _value(value.state, depth)
            yield b"b"
        yield from _pairs(value.pairs, depth)
    elif isinstance(value, Table):
        yield b"}"
        yield from _pairs(value.pairs, depth)
    elif isinstance(value, Row) and value.kind == "list":
        yield b"]("
        for item in value.items:
            yield from _value(item, depth)
        yield b"e"
    elif type(value) is tuple:
        yield b"("
        for item in value:
            yield from _value(item, depth)
        yield b"t"
    else:
        raise _ForeignError("plain bytes or a set")


def _pairs(pairs: list[tuple[Any, Any]], depth: int) -> Iterator[bytes]:
    if pairs:
        yield b"("
        for key, item in pairs:
            yield from _value(key, depth)
            yield from _value(item, depth)
        yield b"u"
