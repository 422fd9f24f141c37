"""The header of a safetensors file: 8 bytes of length, then JSON, then the numbers.

The rules are those of the format's README (huggingface/safetensors): no holes, no overlaps, no
key twice, every byte belongs to a tensor.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple

from legacy_doctor.checkpoint.source import Source, UnreadableError

HEADER: Final = 32 << 20
"""The format allows 100 MB; no file of weights needs a third of that."""

_DIMENSIONS: Final = 64

_BITS: Final = {
    name: bits
    for bits, names in {
        4: "F4",
        6: "F6_E2M3 F6_E3M2",
        8: "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
        16: "I16 U16 F16 BF16",
        32: "I32 U32 F32",
        64: "F64 I64 U64 C64",
    }.items()
    for name in names.split()
}
_TORCH: Final = dict(
    pair.split(":")
    for pair in "BOOL:bool U8:uint8 I8:int8 I16:int16 U16:uint16 F16:float16 BF16:bfloat16 "
    "I32:int32 U32:uint32 F32:float32 F64:float64 I64:int64 U64:uint64 C64:complex64 "
    "F8_E5M2:float8_e5m2 F8_E4M3:float8_e4m3fn F8_E8M0:float8_e8m0fnu".split()
)


class Block(NamedTuple):
    """One tensor; `begin` and `end` are counted from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def torch(self) -> str:
        """Its dtype as torch calls it; as the format does where torch has none."""
        return _TORCH.get(self.dtype, self.dtype)


class Header(NamedTuple):
    """What a file declares. `start` is the byte at which the numbers begin."""

    blocks: tuple[Block, ...]
    metadata: dict[str, str]
    start: int


def looks(source: Source) -> bool:
    """Tell whether a file begins like this format: a length, and an opening brace."""
    if source.size < 10:
        return False
    head = source.at(0, 9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40


def read(source: Source) -> Header:
    """Return the checked header; raises `UnreadableError` for what the format does not allow."""
    length = int.from_bytes(source.at(0, 8), "little")
    if length > source.size - 8:
        raise UnreadableError(f"a safetensors header of {length} bytes in {source.size}: cut off")
    if length > HEADER:
        raise UnreadableError(f"a safetensors header of {length} bytes; {HEADER} is what is read")
    try:
        table = json.loads(source.at(8, length), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the safetensors header is no JSON ({error})") from error
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise UnreadableError("the safetensors header: __metadata__ holds something else than text")
    blocks = sorted(
        (_block(name, entry) for name, entry in table.items()),
        key=lambda item: (item.begin, item.end),
    )
    place = 0
    for block in blocks:
        if block.begin != place:
            raise UnreadableError(
                f"the safetensors header: a hole or an overlap before {block.name!r}"
            )
        place = block.end
    if 8 + length + place != source.size:
        raise UnreadableError(
            f"its safetensors header announces {8 + length + place} bytes and the file has "
            f"{source.size}: cut off, or not of one piece"
        )
    return Header(tuple(blocks), metadata, 8 + length)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _block(name: str, entry: Any) -> Block:
    if not isinstance(entry, dict):
        raise UnreadableError(f"the safetensors header: {name!r} is no tensor")
    dtype = entry.get("dtype")
    shape: Any = entry.get("shape")
    offsets: Any = entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise UnreadableError(f"the safetensors header: {name!r} has an unknown dtype {dtype!r}")
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise UnreadableError(f"the safetensors header: {name!r} has no shape or no place")
    bits = math.prod(shape) * _BITS[dtype]
    if bits % 8 or offsets[1] - offsets[0] != bits // 8:
        raise UnreadableError(f"the safetensors header: {name!r} has room for another shape")
    return Block(name, dtype, tuple(shape), offsets[0], offsets[1])


def _naturals(value: Any) -> bool:
    """Tell whether this is a list of a few numbers that fit into 63 bits."""
    return (
        isinstance(value, list)
        and len(value) <= _DIMENSIONS
        and all(type(item) is int and 0 <= item < 1 << 63 for item in value)
    )
