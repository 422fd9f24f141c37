"""The stream that torch.save wrote before 1.6 (and writes where it is asked to).

`torch/serialization.py`, `_legacy_save`: a magic number, a protocol number and facts about the
machine, each a pickle of its own; then the object, the list of the storages' keys, and each
storage: its number of elements (8 bytes, little end first) and its bytes.
"""

from __future__ import annotations

import struct
from io import BufferedReader
from typing import Final, NamedTuple

from legacy_doctor.checkpoint.machine import Drawing, Row, Table, draw
from legacy_doctor.checkpoint.source import Source, Watch
from legacy_doctor.checkpoint.tensors import stored

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001


class Stream(NamedTuple):
    """What was drawn of the pickles, in their order, and where the storages begin."""

    drawings: tuple[Drawing, ...]
    legacy: bool
    """The magic number is there; else it is a pickle by itself, which torch.load does not read."""
    keys: tuple[str, ...]
    start: int
    little: bool


def read(source: Source, watch: Watch) -> Stream:
    """Read all pickles at the beginning of a file; never raises for what they hold."""
    stream = source.window(0, source.size)
    first = draw(stream, watch)
    if first.root != MAGIC or isinstance(first.root, (float, bool)):
        return Stream(_rest(first, stream, watch), legacy=False, keys=(), start=0, little=True)
    drawings = [first]
    while len(drawings) < 5 and not drawings[-1].broken:
        drawings.append(draw(stream, watch))
    if len(drawings) < 5 or drawings[4].broken:
        return Stream(tuple(drawings), legacy=True, keys=(), start=0, little=True)
    listed = drawings[4].root
    keys = listed.items if isinstance(listed, Row) else []
    facts = dict(_plain(drawings[2].root))
    return Stream(
        tuple(drawings),
        legacy=drawings[1].root == PROTOCOL,
        keys=tuple(str(key) for key in keys if isinstance(key, (str, int))),
        start=stream.tell(),
        little=facts.get("little_endian", True) is not False,
    )


def _rest(first: Drawing, stream: BufferedReader, watch: Watch) -> tuple[Drawing, ...]:
    """Read what follows a first pickle, as a program that loads several would (joblib, a loop)."""
    drawings = [first]
    while len(drawings) < 8 and not drawings[-1].broken and stream.peek(1):
        drawings.append(draw(stream, watch))
    if len(drawings) > 1 and drawings[-1].broken and not drawings[-1].calls:
        drawings.pop()  # padding, or raw data
    return tuple(drawings)


def _plain(root: object) -> list[tuple[str, object]]:
    pairs = root.pairs if isinstance(root, Table) else []
    return [(key, value) for key, value in pairs if isinstance(key, str)]


def places(source: Source, stream: Stream) -> dict[str, tuple[int, int]] | str:
    """Return where each storage lies (offset, bytes), or why they cannot all be there."""
    named = (stored(key) for key in stream.drawings[3].storages)
    sizes = {item.key: item for item in named if item is not None}
    place = stream.start
    result: dict[str, tuple[int, int]] = {}
    for key in stream.keys:
        if place + 8 > source.size:
            return f"it ends before storage {key}: cut off"
        (elements,) = struct.unpack("<q", source.at(place, 8))
        storage = sizes.get(key)
        if storage is None:
            return f"storage {key} belongs to nothing"
        if elements != storage.elements:
            return f"storage {key} says {elements} elements, its tensors {storage.elements}"
        place += 8
        if place + storage.size > source.size:
            return f"it ends inside storage {key}: cut off"
        result[key] = (place, storage.size)
        place += storage.size
    return result
