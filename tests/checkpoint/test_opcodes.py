"""The opcodes are those of pickletools, and no length is taken on trust."""

from __future__ import annotations

import io
import pickletools
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.checkpoint import opcodes
from legacy_doctor.checkpoint.opcodes import Blob, BrokenError
from tests.checkpoint.files import PROTO, dumped

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def walked(data: bytes) -> list[opcodes.Opcode]:
    return list(opcodes.walk(io.BufferedReader(io.BytesIO(data))))


@settings(max_examples=150, deadline=None)
@given(value=VALUES, protocol=st.integers(0, 5))
def test_names_and_places_are_those_of_pickletools(value: Any, protocol: int) -> None:
    data = dumped(value, protocol)

    expected = [(item.name, place) for item, _, place in pickletools.genops(data)]
    assert [(item.name, item.position) for item in walked(data)] == expected


@settings(max_examples=200, deadline=None)
@given(value=VALUES, protocol=st.integers(0, 5), data=st.data())
def test_a_stump_breaks_off(value: Any, protocol: int, data: st.DataObject) -> None:
    whole = dumped(value, protocol)
    cut = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(BrokenError):
        walked(whole[:cut])


@settings(max_examples=150, deadline=None)
@given(noise=st.binary(max_size=200))
def test_noise_ends_in_one_way(noise: bytes) -> None:
    with suppress(BrokenError):
        assert walked(noise)[-1].name == "STOP"


def test_the_stream_stays_behind_the_pickle() -> None:
    data = io.BytesIO(dumped(1) + b"rest")
    stream: io.BufferedReader = io.BufferedReader(data)

    assert [item.name for item in opcodes.walk(stream)] == ["PROTO", "BININT1", "STOP"]

    assert stream.read() == b"rest"


def test_a_long_string_is_skipped() -> None:
    data = dumped([b"x" * (opcodes.LONGEST + 1), "end"], 4)

    (blob,) = [item.argument for item in walked(data) if item.name == "BINBYTES"]
    assert blob == Blob(opcodes.LONGEST + 1)
    assert [item.argument for item in walked(data) if item.name == "SHORT_BINUNICODE"] == [b"end"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "breaks off at byte 0", id="nothing"),
        pytest.param(b"\xff", r"byte 0 of the pickle \(ff\) is no opcode", id="no opcode"),
        pytest.param(b"\x8e" + struct.pack("<Q", 1 << 62), "breaks off", id="bytes without end"),
        pytest.param(b"T" + struct.pack("<i", -1), "announces -1 bytes", id="a negative length"),
        pytest.param(b"c" + b"a" * 70_000, "a line without end", id="a line without end"),
        pytest.param(b"N" * 1001, "more than 1,000 opcodes", id="opcodes without end"),
        pytest.param(
            PROTO + (b"X" + struct.pack("<I", 60_000) + b"a" * 60_000) * 20,
            "more than 1 MB of strings",
            id="strings without end",
        ),
    ],
)
def test_a_pickle_that_lies_is_put_away(
    data: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcodes, "OPCODES", 1000)
    monkeypatch.setattr(opcodes, "TEXT", 1 << 20)

    with pytest.raises(BrokenError, match=words):
        walked(data)
