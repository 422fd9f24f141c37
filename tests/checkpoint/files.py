"""Checkpoints written by hand, byte by byte where it matters: no torch, no pickler."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from legacy_doctor.checkpoint import source, verdict
from legacy_doctor.model import Checkpoint

PROTO = b"\x80\x02"
VERSION = {"version": b"3\n", "byteorder": b"little"}


def text(word: str) -> bytes:
    data = word.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def call(module: str, name: str, *words: str) -> bytes:
    """A call with strings, as protocol 2 writes it."""
    return f"c{module}\n{name}\n(".encode() + b"".join(map(text, words)) + b"tR"


def tensor(key: str, count: int, kind: str = "FloatStorage", location: str = "cpu") -> bytes:
    """The opcodes of a flat tensor."""
    pid = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text(location)
    pid += b"J" + struct.pack("<i", count) + b"tQ"
    shape = b"(J" + struct.pack("<i", count) + b"t(K\x01t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + b"K\x00" + shape + b"\x89}tR"


def table(members: Mapping[str, bytes]) -> bytes:
    """A pickle of a dictionary whose values are opcodes."""
    inner = b"".join(text(name) + value for name, value in members.items())
    return PROTO + b"}(" + inner + b"u."


def zipped(path: Path, pickled: bytes, storages: Mapping[str, bytes] | None = None) -> Path:
    """An archive as torch lays it out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made/data.pkl", pickled)
        for key, data in (storages or {}).items():
            archive.writestr(f"made/data/{key}", data)
        for name, data in VERSION.items():
            archive.writestr(f"made/{name}", data)
    return path


def state(path: Path, names: Mapping[str, int], location: str = "cpu") -> Path:
    """An archive of a flat state dict of float32: names and numbers of elements."""
    members = {
        name: tensor(str(index), count, location=location)
        for index, (name, count) in enumerate(names.items())
    }
    storages = {
        str(index): struct.pack(f"<{count}f", *range(count))
        for index, count in enumerate(names.values())
    }
    return zipped(path, table(members), storages)


def safetensors(
    path: Path, names: Mapping[str, int], metadata: Mapping[str, str] | None = None
) -> Path:
    """A safetensors file of float32."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, count in names.items():
        numbers = struct.pack(f"<{count}f", *range(count))
        offsets = [len(data), len(data) + len(numbers)]
        header[name] = {"dtype": "F32", "shape": [count], "data_offsets": offsets}
        data += numbers
    return raw_safetensors(path, header, data)


def raw_safetensors(path: Path, header: Any, data: bytes) -> Path:
    words = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(words)) + words + data)
    return path


class Reducing:
    """Pickled as whatever it was given."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


def dumped(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol)


def judged(path: Path) -> Checkpoint:
    with source.opened(path) as opened:
        return verdict.judge_file(opened)


def rules(found: Checkpoint) -> list[str]:
    return [item.rule for item in found.findings]
