"""Reading a record: what was written is read, what is damaged is left out, nothing raises."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from legacy_doctor.model import Frame, Raised
from legacy_doctor.probe import record
from legacy_doctor.probe.record import MAGIC, Mapping, RawFault, Record


def line(event: str, **values: Any) -> bytes:
    return json.dumps({"event": event, **values}).encode() + b"\n"


def piece(tag: bytes, payload: bytes = b"") -> bytes:
    return MAGIC + tag + struct.pack("<I", len(payload)) + payload


READY = line("ready", python=[3, 11, 7])
FRAMES = [["a.py", 3, "<module>"], ["b.py", 7, "f"]]
AS_FRAMES = (Frame("a.py", 3, "<module>"), Frame("b.py", 7, "f"))

TOLD = {
    "nothing": (b"", Record()),
    "the recorder came up": (READY, Record(ready=True)),
    "the sandbox's word, before the recorder": (
        line("held", held=["no-network", "read-only"]) + READY,
        Record(ready=True, held=("no-network", "read-only")),
    ),
    "what held is said once": (
        line("held", held=["no-network"]) + line("held", held=[]),
        Record(held=("no-network",)),
    ),
    "the last step counts": (
        READY + line("step", stage="import") + line("step", stage="use") + line("done"),
        Record(ready=True, stage="use", done=True),
    ),
    "an exception": (
        line("raised", type="pkg.Refused", message="no", frames=FRAMES),
        Record(raised=Raised(type="pkg.Refused", message="no", frames=AS_FRAMES)),
    ),
    "an exit": (line("exit", status=3), Record(exit_status=3)),
    "frames without a fault": (line("frames", frames=FRAMES), Record()),
    "a line cut short": (READY + b'{"event":"do', Record(ready=True)),
    "an unknown event": (READY + line("sneezed"), Record(ready=True)),
    "text of the patient": (b"hello\n\xff\n" + READY, Record(ready=True)),
    "half of a surrogate pair": (
        b'{"event":"step","stage":"\\udcff"}\n',
        Record(stage="\\udcff"),
    ),
}


@pytest.mark.parametrize(("data", "wanted"), TOLD.values(), ids=TOLD)
def test_lines_are_read(data: bytes, wanted: Record) -> None:
    assert record.parse(data) == wanted


HOSTILE = {
    "no object": b"[1]\n1\nnull\n",
    "an event that is no string": b'{"event":["ready"]}\n{"event":{}}\n{"event":null}\n',
    "a stage that is a number": line("step", stage=1),
    "an exit that is true": line("exit", status=True),
    "an exit that is a fraction": line("exit", status=1.5),
    "an exit beyond all numbers": b'{"event":"exit","status":1e999}\n',
    "an exit of more digits than Python reads": b'{"event":"exit","status":' + b"9" * 5000 + b"}\n",
    "held that is text": line("held", held="no-network"),
    "a nest without end": b"[" * 100_000 + b"\n",
    "no number at all": b'{"event":"exit","status":NaN}\n',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_lines_say_nothing(data: bytes) -> None:
    assert record.parse(data) == Record()


def test_hostile_frames_are_left_out_or_emptied() -> None:
    rows = [["a.py", 3, "f"], 1, ["short"], [None, "x", {}], ["b.py", True, "g"]]
    parsed = record.parse(line("raised", type=1, message=None, frames=rows))
    assert parsed.raised == Raised(
        type="", message="", frames=(Frame("a.py", 3, "f"), Frame("", 0, ""), Frame("b.py", 0, "g"))
    )


def test_frames_that_are_none_at_all() -> None:
    assert record.parse(line("raised", frames={"a": 1})).raised == Raised(type="", message="")


INFO = struct.pack("<iiixxxxQ", 4, 0, 2, 0x1234).ljust(128, b"\0")
REGISTERS = struct.pack("<23Q", *range(100, 123))
MAPS = (
    b"1000-2000 r-xp 00000400 fd:01 77                         /lib/a b.so\n"
    b"2000-3000 rw-p 00000000 00:00 0 \n"
)
AS_MAPS = (
    Mapping(0x1000, 0x2000, "r-xp", 0x400, "/lib/a b.so"),
    Mapping(0x2000, 0x3000, "rw-p", 0, ""),
)
BLOCK = (
    piece(b"INFO", INFO)
    + piece(b"REGS", REGISTERS)
    + piece(b"CODE", b"\x0f\x0b")
    + piece(b"STAK", b"stack")
    + piece(b"MAPS", MAPS[:50])
    + piece(b"MAPS", MAPS[50:])
    + piece(b"ENDS")
)
FAULT = RawFault(
    signal=4,
    code=2,
    address=116,
    target=0x1234,
    stack_pointer=115,
    bytes=b"\x0f\x0b",
    stack=b"stack",
    maps=AS_MAPS,
    frames=AS_FRAMES,
)


def test_a_block_is_read() -> None:
    data = READY + line("step", stage="use") + BLOCK + line("frames", frames=FRAMES)
    assert record.parse(data) == Record(ready=True, stage="use", fault=FAULT)


def test_a_piece_within_a_line_is_cut_out_of_it() -> None:
    done = line("done")
    parsed = record.parse(READY + done[:9] + BLOCK + done[9:] + line("frames", frames=FRAMES))
    assert parsed == Record(ready=True, done=True, fault=FAULT)


def test_a_line_between_two_pieces_is_read() -> None:
    at = BLOCK.index(MAGIC + b"STAK")
    parsed = record.parse(BLOCK[:at] + READY + BLOCK[at:] + line("frames", frames=FRAMES))
    assert parsed == Record(ready=True, fault=FAULT)


def test_the_first_fault_counts() -> None:
    other = piece(b"INFO", struct.pack("<iiixxxxQ", 11, 0, 1, 0)) + piece(b"CODE", b"other")
    parsed = record.parse(BLOCK + other)
    assert parsed.fault is not None
    assert (parsed.fault.signal, parsed.fault.bytes) == (4, b"\x0f\x0b")


def test_a_block_cut_short_anywhere_tells_what_came() -> None:
    for length in range(len(BLOCK)):
        fault = record.parse(READY + BLOCK[:length]).fault
        assert (fault is not None) == (length >= len(MAGIC) + 8 + 24)
        if fault is not None:
            assert (fault.signal, fault.code, fault.target) == (4, 2, 0x1234)
            assert fault.address in {0, 116}
            assert fault.maps == AS_MAPS[: len(fault.maps)]


def test_a_sent_signal_has_no_target() -> None:
    sent = record.parse(piece(b"INFO", struct.pack("<iiixxxxQ", 6, 0, -6, 4321))).fault
    assert sent == RawFault(signal=6, code=-6)


def test_a_piece_longer_than_any_is_none() -> None:
    data = MAGIC + b"INFO" + struct.pack("<I", 1 << 31) + b"\n" + READY
    assert record.parse(data) == Record(ready=True)


def test_lines_of_maps_that_are_none_are_left_out() -> None:
    maps = b"nonsense\n" + MAPS + b"ffffffffffffffffff-0 r-xp 0 0:0 0\n\xff\n3000-4000 rw-p 0"
    fault = record.parse(piece(b"INFO", INFO) + piece(b"MAPS", maps)).fault
    assert fault is not None
    assert fault.maps == AS_MAPS


WHERE = {
    "its first byte": (0x1000, AS_MAPS[0]),
    "its last byte": (0x1FFF, AS_MAPS[0]),
    "the next one's first": (0x2000, AS_MAPS[1]),
    "nowhere": (0x3000, None),
}


@pytest.mark.parametrize(("address", "wanted"), WHERE.values(), ids=WHERE)
def test_where_an_address_lies(address: int, wanted: Mapping | None) -> None:
    assert FAULT.where(address) == wanted


_pieces = st.builds(
    piece,
    st.sampled_from([b"INFO", b"REGS", b"CODE", b"STAK", b"MAPS", b"ENDS", b"????"]),
    st.binary(max_size=200),
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_names = st.sampled_from(["held", "ready", "step", "raised", "exit", "done", "frames"])
_keys = st.sampled_from(["event", "stage", "held", "status", "frames", "type", "message"])
_lines = st.builds(
    lambda name, values: json.dumps({"event": name, **values}).encode() + b"\n",
    _names | _values,
    st.dictionaries(_keys, _values, max_size=3),
)


@given(st.lists(st.binary(max_size=50) | _pieces | _lines | st.just(MAGIC), max_size=12))
@example([MAGIC])
def test_no_bytes_make_it_raise(parts: list[bytes]) -> None:
    parsed = record.parse(b"".join(parts))
    assert isinstance(parsed, Record)
    repr(parsed).encode("utf-8")


def test_a_signal_without_a_name_has_a_number() -> None:
    assert record.signal_name(11) == "SIGSEGV"
    assert record.signal_name(40) == "signal 40"
