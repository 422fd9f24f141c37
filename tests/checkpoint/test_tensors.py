"""Tensors are found where an object holds them, and only what is one."""

from __future__ import annotations

import io

import pytest

from legacy_doctor.checkpoint import machine, tensors
from legacy_doctor.checkpoint.tensors import Found
from tests.checkpoint.files import PROTO, table, tensor, text


def found(data: bytes) -> list[Found]:
    drawing = machine.draw(io.BufferedReader(io.BytesIO(data)))
    assert not drawing.broken
    return list(tensors.every(drawing.root))


def test_tables_lists_and_objects_are_gone_through() -> None:
    inner = b"}" + text("w") + tensor("0", 3) + b"s"
    held = b"ca\nB\n)\x81}" + text("state") + tensor("1", 2) + b"sb"
    listed = b"](" + tensor("2", 1) + b"e"

    names = [
        (item.tensor.name, item.storage.key)
        for item in found(table({"model": inner, "object": held, "list": listed}))
    ]

    assert names == [("model.w", "0"), ("object.state", "1"), ("list.0", "2")]


def test_a_tensor_by_itself_has_no_name() -> None:
    (only,) = found(PROTO + tensor("0", 3) + b".")

    assert (only.tensor.name, only.tensor.shape, only.keys) == ("", (3,), ())


@pytest.mark.parametrize(
    ("kind", "dtype", "size"),
    [
        ("FloatStorage", "float32", 12),
        ("HalfStorage", "float16", 6),
        ("BFloat16Storage", "bfloat16", 6),
        ("LongStorage", "int64", 24),
        ("ComplexDoubleStorage", "complex128", 48),
        ("BoolStorage", "bool", 3),
    ],
)
def test_a_storage_has_the_size_of_its_numbers(kind: str, dtype: str, size: int) -> None:
    (only,) = found(PROTO + tensor("0", 3, kind) + b".")

    assert (only.tensor.dtype, only.storage.size) == (dtype, size)


def test_one_tensor_in_two_places_is_met_twice() -> None:
    shared = tensor("0", 3) + b"q\x05"

    assert [item.tensor.name for item in found(table({"a": shared, "b": b"h\x05"}))] == ["a", "b"]


def test_a_tree_that_doubles_at_every_step_is_gone_through_once() -> None:
    data = PROTO + tensor("0", 3) + b"\x85" + b"2\x86" * 1000 + b"."

    assert len(found(data)) <= 1  # deeper than 32, and told in no time


GOOD = tensor("0", 3)


@pytest.mark.parametrize(
    "opcodes",
    [
        pytest.param(GOOD.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_v9"), id="a call"),
        pytest.param(GOOD.replace(b"FloatStorage", b"LooseStorage"), id="a kind of storage"),
        pytest.param(GOOD.replace(b"K\x00(J", b"N(J"), id="no offset"),
        pytest.param(GOOD.replace(b"(K\x01t\x89", b"(t\x89"), id="no stride"),
        pytest.param(GOOD.replace(b"(K\x01t\x89", b"(Nt\x89"), id="a stride of nothing"),
        pytest.param(b"ctorch._utils\n_rebuild_tensor_v2\n)R", id="no argument"),
        pytest.param(b"ctorch._utils\n_rebuild_tensor_v2\nNR", id="nothing for arguments"),
        pytest.param(b"ctorch._utils\n_rebuild_parameter\n)R", id="a parameter of nothing"),
        pytest.param(
            b"ctorch._utils\n_rebuild_parameter\nq\x01h\x01h\x01h\x01h\x01N\x85R\x85R\x85R\x85R\x85R",
            id="parameters in parameters",
        ),
    ],
)
def test_what_is_no_tensor_is_none(opcodes: bytes) -> None:
    assert found(table({"a": opcodes})) == []
