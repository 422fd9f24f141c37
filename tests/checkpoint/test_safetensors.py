"""Headers as the format has them, and the many ways in which they lie."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.checkpoint.source import UnreadableError
from legacy_doctor.errors import DoctorError
from tests.checkpoint.conftest import Torch
from tests.checkpoint.files import judged, raw_safetensors, rules, safetensors

FIXTURE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def entry(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.safetensors"


def test_a_file_is_read(path: Path) -> None:
    found = judged(safetensors(path, {"a": 3, "b": 5}, {"format": "pt"}))

    assert (found.form, found.weights_only, found.protocol, found.data) == (
        *("safetensors", True, None, 32),
    )
    assert [(item.name, item.dtype, item.shape) for item in found.tensors] == [
        *(("a", "float32", (3,)), ("b", "float32", (5,))),
    ]
    assert not found.failed


def test_averaged_weights_are_told(path: Path) -> None:
    found = judged(safetensors(path, {"ema_model.a": 3, "step": 1, "initted": 1}))

    assert "checkpoint-ema-only" in rules(found)
    assert found.prefix == "ema_model."
    (remedy,) = (item.remedy for item in found.findings if item.rule == "checkpoint-ema-only")
    assert remedy is not None
    assert "use_ema=True" in remedy.text


@FIXTURE
@given(data=st.data())
def test_a_stump_is_unreadable(data: st.DataObject, path: Path) -> None:
    whole = safetensors(path, {"a": 3, "b": 5}).read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole) - 1))])

    with pytest.raises(UnreadableError):
        judged(path)


@FIXTURE
@given(data=st.data())
def test_a_flipped_byte_is_never_a_crash(data: st.DataObject, path: Path) -> None:
    content = bytearray(safetensors(path, {"a": 3, "b": 5}).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)

    with suppress(DoctorError):
        assert judged(path).path == str(path)


LIES = {
    "a hole": ({"a": entry(offsets=[4, 12])}, b"x" * 12, "a hole or an overlap"),
    "an overlap": ({"a": entry(), "b": entry(offsets=[4, 12])}, b"x" * 12, "a hole or an overlap"),
    "bytes of nobody": ({"a": entry()}, b"x" * 9, "announces .* not of one piece"),
    "another shape": ({"a": entry(shape=[3])}, b"x" * 8, "room for another shape"),
    "an unknown dtype": ({"a": entry(dtype="F31")}, b"x" * 8, "unknown dtype 'F31'"),
    "no dtype": ({"a": entry(dtype=None)}, b"x" * 8, "unknown dtype None"),
    "a negative shape": ({"a": entry(shape=[-2])}, b"x" * 8, "no shape or no place"),
    "a truth as a shape": ({"a": entry(shape=[True])}, b"x" * 8, "no shape or no place"),
    "a huge shape": ({"a": entry(shape=[1 << 70])}, b"x" * 8, "no shape or no place"),
    "a hundred dimensions": ({"a": entry(shape=[1] * 100)}, b"x" * 8, "no shape or no place"),
    "three offsets": ({"a": entry(offsets=[0, 4, 8])}, b"x" * 8, "no shape or no place"),
    "half a byte": ({"a": entry(dtype="F4", shape=[3], offsets=[0, 1])}, b"x", "another shape"),
    "no tensor": ({"a": 7}, b"", "is no tensor"),
    "odd metadata": ({"__metadata__": {"a": 1}}, b"", "something else than text"),
    "metadata of nothing": ({"__metadata__": None}, b"", "something else than text"),
    "no JSON": (b"{" + b"x" * 20, b"", "no JSON"),
    "a key twice": (b'{"a": 1, "a": 2}   ', b"", "stands there twice"),
    "deep nesting": (b'{"a":' + b"[" * 100_000, b"", "no JSON"),
}


@pytest.mark.parametrize(("header", "data", "words"), LIES.values(), ids=LIES)
def test_a_header_that_lies_is_refused(header: Any, data: bytes, words: str, path: Path) -> None:
    with pytest.raises(UnreadableError, match=words):
        judged(raw_safetensors(path, header, data))


def test_a_header_larger_than_any_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 40 << 20) + b"{")
        file.truncate(50 << 20)

    with pytest.raises(UnreadableError, match="33554432 is what is read"):
        judged(path)


@pytest.mark.torch
def test_the_library_says_the_same(torch: Torch, path: Path) -> None:
    """Every lie is one to the real library too, and the truth is none."""
    cases = [path.with_name(f"{number}.safetensors") for number in range(len(LIES) + 1)]
    safetensors(cases[0], {"a": 3, "b": 5}, {"format": "pt"})
    for case, (header, data, _) in zip(cases[1:], LIES.values(), strict=True):
        raw_safetensors(case, header, data)
    code = """
import json, sys, safetensors
answers = []
for path in sys.argv[1:]:
    try:
        with safetensors.safe_open(path, "pt") as file: answers.append(list(file.keys()))
    except safetensors.SafetensorError as error: answers.append(str(error))
print(json.dumps(answers))
"""
    good, *lies = torch.run(code, *cases)

    assert good == ["a", "b"]
    assert {name for name, told in zip(LIES, lies, strict=True) if not isinstance(told, str)} <= {
        # What the library lets pass; none of it is ever written.
        *("metadata of nothing", "a key twice", "a hundred dimensions"),
    }, json.dumps(lies)
