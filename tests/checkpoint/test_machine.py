"""Pickles are drawn as they would be built, by whatever way they call things."""

from __future__ import annotations

import collections
import io
import os
import struct
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.checkpoint import description, machine
from legacy_doctor.checkpoint.machine import Call, Drawing, Row, Table
from legacy_doctor.checkpoint.opcodes import Blob
from tests.checkpoint.files import PROTO, Reducing, call, dumped, text

COMMAND = "touch ran"


def drawn(data: bytes) -> Drawing:
    return machine.draw(io.BufferedReader(io.BytesIO(data)))


def plain(value: Any) -> Any:
    """A drawn value as Python has it."""
    if isinstance(value, Table):
        return {plain(key): plain(item) for key, item in value.pairs}
    if isinstance(value, Row):
        kind = {"list": list, "set": set, "frozenset": frozenset}[value.kind]
        return kind(map(plain, value.items))
    if isinstance(value, Call):
        if value.function == ("_codecs", "encode"):
            return value.arguments[0].encode("latin1")
        assert value.function == ("builtins", "bytes")
        return b""
    return tuple(map(plain, value)) if type(value) is tuple else value


SCALARS = (
    st.none() | st.booleans() | st.integers(-(1 << 64), 1 << 64) | st.text() | st.binary()
    | st.floats(allow_nan=False)
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    value=st.recursive(
        SCALARS,
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(SCALARS, inner),
        max_leaves=20,
    ),
    protocol=st.integers(0, 5),
)
def test_plain_data_is_drawn_as_it_is(value: Any, protocol: int) -> None:
    found = drawn(dumped(value, protocol))

    assert found.broken == ""
    assert plain(found.root) == value


@pytest.mark.parametrize("value", [{1, "a"}, frozenset([2, 3])], ids=["a set", "a frozenset"])
def test_sets_are_drawn(value: object) -> None:
    assert plain(drawn(dumped(value, 4)).root) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PROTO + call("posix", "system", COMMAND) + b".", id="GLOBAL and REDUCE"),
        pytest.param(dumped(Reducing(os.system, (COMMAND,)), 0), id="protocol 0"),
        pytest.param(dumped(Reducing(os.system, (COMMAND,)), 4), id="STACK_GLOBAL"),
        pytest.param(
            b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x940h\x00h\x01\x93"
            + text(COMMAND)
            + b"\x85R.",
            id="STACK_GLOBAL of remembered strings",
        ),
        pytest.param(
            b"\x80\x04U\x05posixU\x06system\x93" + text(COMMAND) + b"\x85R.",
            id="STACK_GLOBAL of strings of Python 2",
        ),
        pytest.param(b"(S'touch ran'\niposix\nsystem\n.", id="INST"),
        pytest.param(b"(cposix\nsystem\n" + text(COMMAND) + b"o.", id="OBJ"),
        pytest.param(PROTO + b"cposix\nsystem\n" + text(COMMAND) + b"\x85\x81.", id="NEWOBJ"),
        pytest.param(
            PROTO + b"cposix\nsystem\nq\x010N(h\x01" + text(COMMAND) + b"\x85R0t.",
            id="from the memo, and thrown away",
        ),
        pytest.param(
            PROTO + b"cposix\nsystem\nV" + COMMAND.encode() + b"\n\x85R2\x860.", id="doubled"
        ),
        pytest.param(PROTO + call("posix", "system", COMMAND), id="a stump without its end"),
        pytest.param(PROTO + call("posix", "system", COMMAND) + b"\xff", id="damaged behind it"),
    ],
)
def test_a_call_is_noted_with_its_argument(data: bytes) -> None:
    found = drawn(data)

    ((function, calls),) = found.calls.items()
    assert function.path == "posix.system"
    assert [description.call(item) for item in calls] == ["posix.system('touch ran')"]
    assert found.count[function] == 1


def test_what_the_result_of_a_call_is_called_with_is_noted() -> None:
    data = PROTO + call("builtins", "getattr", "os", "system") + b"(" + text(COMMAND) + b"tR."

    found = drawn(data)

    ((function, calls),) = found.calls.items()
    assert function.path == "builtins.getattr"
    assert description.call(calls[-1]) == "builtins.getattr('os', 'system')('touch ran')"
    assert "a call of what is no class or function" in found.refusals


@pytest.mark.parametrize(
    ("data", "path"),
    [
        pytest.param(b"c__builtin__\neval\n.", "builtins.eval", id="a module of Python 2"),
        pytest.param(b"c__builtin__\nreduce\n.", "functools.reduce", id="a name of Python 2"),
        pytest.param(b"ccommands\ngetoutput\n.", "subprocess.getoutput", id="commands"),
        pytest.param(b"\x82\x07.", "(hidden).copyreg extension 7", id="EXT1"),
        pytest.param(b"\x84\x07\x00\x00\x00.", "(hidden).copyreg extension 7", id="EXT4"),
        pytest.param(b"]]\x93.", "(hidden).?", id="STACK_GLOBAL of lists"),
    ],
)
def test_what_a_reference_means(data: bytes, path: str) -> None:
    ((function, _),) = drawn(data).calls.items()
    assert function.path == path


def test_many_calls_are_counted_and_the_first_ones_kept() -> None:
    found = drawn(PROTO + b"(" + call("a", "b", "x") * 1000 + b"t.")

    ((function, calls),) = found.calls.items()
    assert (len(calls), found.count[function]) == (machine.NOTED, 1000)


def test_keyword_arguments_and_state_are_kept() -> None:
    found = drawn(b"\x80\x04ca\nb\n)}" + text("k") + b"K\x01s\x92}b.")

    assert isinstance(found.root, Call)
    assert description.words(found.root) == "a.b((), {'k': 1})"
    assert isinstance(found.root.state, Table)


def test_an_ordered_dictionary_has_items() -> None:
    found = drawn(dumped(collections.OrderedDict(a=1, b=2)))

    assert isinstance(found.root, Call)
    assert found.root.pairs == [("a", 1), ("b", 2)]
    assert found.refusals == {}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(dumped(collections.deque([1])), "APPEND to what is no list", id="deque"),
        pytest.param(
            dumped(collections.defaultdict(list, a=1, b=2)),
            "SETITEMS to what is no dictionary",
            id="defaultdict",
        ),
        pytest.param(dumped([1], 4), "opcode FRAME", id="protocol 4"),
        pytest.param(dumped([1], 0), "opcode LIST", id="protocol 0"),
        pytest.param(PROTO + b"}}b.", "BUILD of what takes no state", id="state of a table"),
        pytest.param(PROTO + text("x") + b"Q.", "a persistent id that is no storage", id="id"),
        pytest.param(b"P7\n.", "a persistent id that is no storage", id="id in text"),
    ],
)
def test_where_weights_only_would_stop(data: bytes, why: str) -> None:
    assert why in drawn(data).refusals


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"I01\n.", True, id="a truth in text"),
        pytest.param(b"L77L\n.", 77, id="a long in text"),
        pytest.param(b"I" + b"9" * 5000 + b"\n.", Blob(5000), id="a number of 5000 digits"),
        pytest.param(
            b"\x8b" + struct.pack("<i", 5000) + bytes(5000) + b".", Blob(5000), id="LONG4"
        ),
        pytest.param(b"F1.5\n.", 1.5, id="a fraction in text"),
        pytest.param(b"Vx\\u20ac\n.", "x€", id="unicode in text"),
        pytest.param(b"(K\x011N.", None, id="a group thrown away"),
        pytest.param(b"(0N.", None, id="an empty group thrown away"),
        pytest.param(b"(K\x01K\x02dN0.", {1: 2}, id="a table of a group"),
        pytest.param(b"\x80\x05\x97\x98.", Blob(0), id="a buffer from outside"),
    ],
)
def test_rare_opcodes(data: bytes, value: object) -> None:
    assert plain(drawn(data).root) == value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"R.", "takes what it never put there", id="a call of nothing"),
        pytest.param(b"h\x09.", "takes what it never put there", id="what was never remembered"),
        pytest.param(b"t.", "takes what it never put there", id="a group that never began"),
        pytest.param(b".", "takes what it never put there", id="the end at once"),
        pytest.param(b"c\xff\n\xff\n.", "takes what", id="a name that is no text"),
        pytest.param(b"Ix\n.", "takes what", id="a number that is none"),
        pytest.param(b"}(K\x01u.", "a key without a value", id="half a pair"),
        pytest.param(b"(" * 1001, "more than 1,000 values", id="groups without end"),
        pytest.param(b"]" * 1001, "more than 1,000 values", id="lists without end"),
        pytest.param(
            b"".join(b"ca\n%d\n" % number for number in range(101)),
            "more than 100 different classes",
            id="names without end",
        ),
    ],
)
def test_what_makes_no_sense_is_broken_and_raises_nothing(
    data: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MADE", 1000)
    monkeypatch.setattr(machine, "_FUNCTIONS", 100)

    assert words in drawn(data).broken


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from([b"cos\nsystem\n", b"q\x00", b"h\x00", b"X\x02\x00\x00\x00os", b"K\x01"])
        | st.sampled_from(b"(t]}aesuN012RbQdlo.\x81\x85\x86\x8f\x90\x91\x92\x93").map(
            lambda code: bytes([code])
        ),
        max_size=40,
    )
)
def test_opcodes_in_any_order_are_drawn_or_broken(parts: list[bytes]) -> None:
    found = drawn(b"".join(parts))

    assert isinstance(found.broken, str)
    for calls in found.calls.values():
        assert all(len(description.call(item)) < 5000 for item in calls)


def test_depth_and_doubling_cost_nothing() -> None:
    deep = drawn(PROTO + b")" + b"\x85" * 100_000 + b".")
    wide = drawn(PROTO + b")" + b"2\x86" * 20_000 + b".")

    assert description.words(deep.root) == "((((...))))"
    assert len(description.words(wide.root)) < 200


def test_a_list_in_itself_is_drawn() -> None:
    looped: list[Any] = []
    looped.append(looped)

    assert description.words(drawn(dumped(looped)).root) == "list[list[list[list[...]]]]"


def test_nothing_of_this_ran() -> None:
    assert subprocess.run(["ls", "ran"], capture_output=True, check=False).returncode != 0
