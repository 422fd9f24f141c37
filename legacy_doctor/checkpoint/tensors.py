"""The tensors among what a pickle would build, and the storages that they lie in.

The calls are those of `torch/_utils.py` and the persistent ids those of
`torch/serialization.py` (2.13.0): `("storage", type, key, location, elements)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from legacy_doctor.checkpoint.machine import Call, Global, Persistent, Row, Table
from legacy_doctor.model import StoredTensor

ELEMENT: Final = {
    name: size
    for size, names in {
        16: "complex128",
        8: "float64 int64 uint64 complex64",
        4: "float32 int32 uint32 complex32 qint32",
        2: "float16 bfloat16 int16 uint16 bits16",
        1: "int8 uint8 bool float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
        "float8_e8m0fnu float4_e2m1fn_x2 quint8 qint8 quint4x2 quint2x4 bits8 bits1x8 bits2x4 "
        "bits4x2",
    }.items()
    for name in names.split()
}
"""Bytes of one element, by dtype."""

_STORAGES: Final = {
    f"{name}Storage": dtype
    for name, _, dtype in (
        pair.partition(":")
        for pair in "Double:float64 Float:float32 Half:float16 BFloat16:bfloat16 Long:int64 "
        "Int:int32 Short:int16 Char:int8 Byte:uint8 Bool:bool ComplexDouble:complex128 "
        "ComplexFloat:complex64 QUInt8:quint8 QInt8:qint8 QInt32:qint32 QUInt4x2:quint4x2 "
        "QUInt2x4:quint2x4 Untyped:uint8".split()
    )
}
_BY_SHAPE: Final = {
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_qtensor",
}
_WRAPPED: Final = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
}
_DEEPEST: Final = 32
_DIMENSIONS: Final = 64


class Storage(NamedTuple):
    """A block of numbers that one or several tensors look into."""

    key: str
    dtype: str
    elements: int
    kind: Global

    @property
    def size(self) -> int:
        """Bytes."""
        return self.elements * ELEMENT[self.dtype]


class Found(NamedTuple):
    """A tensor, where it stands in the object, and what it is rebuilt from."""

    keys: tuple[str, ...]
    tensor: StoredTensor
    storage: Storage
    value: Call
    reach: int
    """Elements of the storage up to the last one that it uses."""


def every(root: Any) -> Iterator[Found]:
    """Yield the tensors in the order in which the object holds them.

    A tensor that several places share is met in each of them, a table in the first one only:
    else a small pickle could send a reader through a tree without end. What is nested more than
    32 deep is not looked at.
    """
    pending: list[tuple[tuple[str, ...], Any]] = [((), root)]
    seen: set[int] = set()
    while pending:
        keys, value = pending.pop()
        found = _tensor(keys, value)
        if found is not None:
            yield found
        elif len(keys) < _DEEPEST and id(value) not in seen:
            seen.add(id(value))
            pending += reversed([((*keys, key), item) for key, item in _members(value)])


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, with the name of its place."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, Table):
        pairs = value.pairs
    elif isinstance(value, Call):
        pairs = [*value.pairs, ("", value.state), *_arguments(value)]
    elif isinstance(value, Row):
        pairs = list(enumerate(value.items))
    elif type(value) is tuple:
        pairs = list(enumerate(value))
    for key, item in pairs:
        if isinstance(item, (Table, Row, Call)) or type(item) is tuple:
            yield (key if isinstance(key, str) else str(key) if isinstance(key, int) else "?"), item


def _arguments(value: Call) -> list[tuple[Any, Any]]:
    """Return what an object is made of: a sparse tensor of two others."""
    return list(enumerate(value.arguments)) if type(value.arguments) is tuple else []


def _tensor(keys: tuple[str, ...], value: Any) -> Found | None:
    """Read the call that rebuilds a tensor; None for anything else."""
    inner = _unwrapped(value)
    if inner is None or type(inner.arguments) is not tuple or len(inner.arguments) < 4:
        return None
    pid, offset, shape, stride = inner.arguments[:4]
    storage = stored(pid.key) if isinstance(pid, Persistent) else None
    numbers = _natural(shape), _natural(stride)
    if storage is None or None in numbers or type(offset) is not int or offset < 0:
        return None
    sizes, steps = (numbers[0] or ()), (numbers[1] or ())
    if len(sizes) != len(steps):
        return None
    dtype = storage.dtype
    if isinstance(inner.function, Global) and inner.function.name == "_rebuild_tensor_v3":
        told = inner.arguments[6] if len(inner.arguments) > 6 else None
        dtype = told.name if isinstance(told, Global) else dtype
    reach = offset + 1 + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    named = tuple(key for key in keys if key)
    tensor = StoredTensor(".".join(named), dtype, sizes)
    return Found(named, tensor, storage, value, 0 if 0 in sizes else reach)


def _unwrapped(value: Any) -> Call | None:
    """Return the call with the storage, of a tensor or of what wraps one."""
    for _ in range(4):
        if not isinstance(value, Call) or not isinstance(value.function, Global):
            return None
        path = value.function.path
        if path in _BY_SHAPE:
            return value
        arguments = value.arguments if type(value.arguments) is tuple else ()
        if path in _WRAPPED and arguments:
            value = arguments[0]
        elif path == "torch._tensor._rebuild_from_type_v2" and len(arguments) > 2:
            value = Call(arguments[0], arguments[2])
        else:
            return None
    return None


def stored(key: Any) -> Storage | None:
    """Read a persistent id; None for what is no storage of a known type."""
    if type(key) is not tuple or len(key) < 5 or not isinstance(key[1], Global):
        return None
    dtype = _STORAGES.get(key[1].name)
    if dtype is None or type(key[4]) is not int or not 0 <= key[4] < 1 << 63:
        return None
    return Storage(str(key[2]) if isinstance(key[2], (str, int)) else "?", dtype, key[4], key[1])


def _natural(value: Any) -> tuple[int, ...] | None:
    """Return a tuple of numbers from 0 up, also as torch.Size; None for anything else."""
    if isinstance(value, Call) and type(value.arguments) is tuple and len(value.arguments) == 1:
        value = value.arguments[0]
    if type(value) is not tuple or len(value) > _DIMENSIONS:
        return None
    if not all(type(item) is int and 0 <= item < 1 << 63 for item in value):
        return None
    return value
