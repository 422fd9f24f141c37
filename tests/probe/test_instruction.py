"""Instructions named by the decoder's child, and by their prefixes where it has no answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor import process
from legacy_doctor.model import FaultKind
from legacy_doctor.probe import instruction
from legacy_doctor.probe.instruction import Code, decode

PINSRQ = bytes.fromhex("66480f3a2205b972910001")

DECODED = {
    "an instruction of SSE4.1": (
        "66480f3a2205b972910001",
        ("pinsrq $0x1,0x9172b9(%rip),%xmm0", {"sse4_1"}, FaultKind.UNSUPPORTED),
    ),
    "a trap": ("0f0b", ("ud2", set(), FaultKind.DELIBERATE)),
    "a breakpoint": ("cc", ("int3", set(), FaultKind.DELIBERATE)),
    "a division": ("f77e14", ("idivl 0x14(%rsi)", set(), FaultKind.DIVIDE)),
    "a load": ("488b00", ("mov (%rax),%rax", set(), FaultKind.OTHER)),
    "no instruction": ("06", (None, set(), FaultKind.OTHER)),
    "no bytes": ("", (None, set(), FaultKind.OTHER)),
    "one of which Linux has no flag": (
        "c4e27850c0",
        ("vpdpbuud %xmm0,%xmm0,%xmm0", set(), FaultKind.UNSUPPORTED),
    ),
    "one that 64-bit mode took back": ("9f", ("lahf", {"lahf_lm"}, FaultKind.UNSUPPORTED)),
    "two extensions": (
        "c4e279dcc0",
        ("vaesenc %xmm0,%xmm0,%xmm0", {"aes", "avx"}, FaultKind.UNSUPPORTED),
    ),
}


@pytest.mark.parametrize(("code", "expected"), DECODED.values(), ids=DECODED)
def test_decoded(code: str, expected: tuple[str | None, set[str], FaultKind]) -> None:
    assert decode([Code(bytes.fromhex(code))]) == [(*expected, None)]


def test_a_symbol_comes_back_demangled() -> None:
    assert decode([Code(b"\x90", 0, "_Z1fv")])[0].symbol == "f()"


def test_nothing_to_decode_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert decode([]) == []


def test_a_batch_is_decoded_by_one_child(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = process.ask
    monkeypatch.setattr(process, "ask", lambda command: asked.append(command) or ask(command))
    found = decode([Code(PINSRQ, at, f"_Z{at % 9 + 1}abcdefghijv"[:4]) for at in range(300)])
    assert len(found) == 300
    assert len(asked) == 1


def test_what_fits_no_command_line_is_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = process.ask
    monkeypatch.setattr(process, "ask", lambda command: asked.append(command) or ask(command))
    codes = [Code(PINSRQ, at, "x" * 1000) for at in range(150)]
    found = decode(codes)
    assert [item.symbol for item in found] == ["x" * 1000] * 150
    assert all(item.text for item in found)
    assert len(asked) > 1
    assert all(len(command[-1]) < 128 * 1024 for command in asked)


def test_a_symbol_that_fits_no_command_line_is_left_out() -> None:
    found = decode([Code(PINSRQ, 0, "x" * 200_000)])
    assert found[0].text is not None
    assert found[0].symbol is None


CHILDREN = {
    "iced is absent": 'print(\'{"error": "no"}\')',
    "it is killed": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
    "it fails": "raise SystemExit(1)",
    "it says nothing": "pass",
    "it says nonsense": "print('[1')",
    "it answers less": "print('[]')",
}


@pytest.mark.parametrize("source", CHILDREN.values(), ids=CHILDREN)
def test_the_prefixes_tell_where(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child.py").write_text(source)
    monkeypatch.setattr(instruction, "_DECODER", tmp_path / "child.py")
    assert decode([Code(PINSRQ, 0, "_Z1fv"), Code(b"\x0f\x0b"), Code(b"\x48\x8b\x00")]) == [
        ("pinsrq", {"sse4_1"}, FaultKind.UNSUPPORTED, "_Z1fv"),
        ("ud2", set(), FaultKind.DELIBERATE, None),
        (None, set(), FaultKind.UNSUPPORTED, None),
    ]


def test_the_prefixes_tell_where_no_child_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert decode([Code(b"\xf7\x7e\x14")]) == [("idiv", set(), FaultKind.DIVIDE, None)]


def test_the_prefixes_tell_where_the_child_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(process, "ask", hang)
    assert decode([Code(PINSRQ)])[0].text == "pinsrq"


@settings(deadline=None, max_examples=20)
@given(st.lists(st.binary(max_size=16), max_size=40))
def test_any_bytes_are_decoded_or_not(codes: list[bytes]) -> None:
    found = decode([Code(code) for code in codes])
    assert len(found) == len(codes)
