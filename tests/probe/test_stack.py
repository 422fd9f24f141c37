"""Callers of faulting code: real stacks, and words that only look like one."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

import pytest

from legacy_doctor.probe import stack
from legacy_doctor.probe.record import Mapping, RawFault
from legacy_doctor.probe.stack import Spot
from tests.probe import faults

CHAIN = """
volatile int count;
__attribute__((noinline)) void third(void) { count++; __builtin_trap(); }
__attribute__((noinline)) void second(void) { third(); count++; }
__attribute__((noinline)) void first(void) { second(); count++; }
"""
TEXT = Mapping(0x1000, 0x3000, "r-xp", 0x1000, "/lib/some.so")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 machine code")
def test_a_real_stack_is_walked_down_to_python(tmp_path: Path) -> None:
    library = faults.compiled(tmp_path, "chain", CHAIN)
    source = f"import ctypes; ctypes.CDLL({str(library)!r}).first()"
    found = stack.callers(faults.probe(source, tmp_path).fault)
    names = [item.name for item in found]
    assert names[:2] == ["chain.so", "chain.so"]
    assert found[0].offset < found[1].offset, "second's return address is in first, which is behind"
    assert stack.PYTHON.match(names[-1])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 machine code")
def test_what_python_itself_calls_has_python_as_its_only_caller(tmp_path: Path) -> None:
    found = stack.callers(faults.probe("import os; os.abort()", tmp_path).fault)
    outside = [item.name for item in found if not item.name.startswith("libc")]
    assert len(outside) == 1
    assert stack.PYTHON.match(outside[0])


PLACES = {
    "a library": ("/lib/some.so", Spot("/lib/some.so", 0x1010)),
    "anonymous memory": ("", None),
    "the kernel's page": ("[vdso]", None),
    "a memfd": ("/memfd:jit (deleted)", None),
    "shared memory": ("/dev/zero", None),
    "a file that is gone": ("/lib/some.so (deleted)", None),
}


@pytest.mark.parametrize(("path", "expected"), PLACES.values(), ids=PLACES)
def test_an_address_in(path: str, expected: Spot | None) -> None:
    assert stack.spot(TEXT._replace(path=path), 0x1010) == expected
    assert stack.spot(None, 0x1010) is None


INTERPRETERS = {
    "python3.11": True,
    "python": True,
    "python3.13t": True,
    "libpython3.11.so.1.0": True,
    "pypy3.10": True,
    "libpypy3.10-c.so": True,
    "pythoncapi.so": False,
    "_multiarray_umath.so": False,
    "libc.so.6": False,
}


@pytest.mark.parametrize(("name", "expected"), INTERPRETERS.items(), ids=INTERPRETERS)
def test_the_interpreter_is(name: str, expected: bool) -> None:
    assert bool(stack.PYTHON.match(name)) is expected


CALLS = {
    "a direct call": (b"\x90\x90\xe8\x01\x02\x03\x04", True),
    "through a register": (b"\x90" * 5 + b"\xff\xd0", True),
    "through memory": (b"\x90" * 5 + b"\xff\x10", True),
    "through memory with a displacement": (b"\x90" * 4 + b"\xff\x50\x10", True),
    "through the global offset table": (b"\x90\xff\x15\x01\x02\x03\x04", True),
    "a jump": (b"\x90" * 5 + b"\xff\xe0", False),
    "no call": (b"\x90" * 7, False),
    "too few bytes": (b"\xff\xd0", False),
}


@pytest.mark.parametrize(("code", "expected"), CALLS.values(), ids=CALLS)
def test_behind(code: bytes, expected: bool) -> None:
    assert stack._ends_with_call(code) is expected


def test_an_empty_stack_has_no_callers() -> None:
    assert stack.callers(RawFault(signal=11)) == ()


def test_words_into_what_is_no_elf_file_are_no_callers(tmp_path: Path) -> None:
    path = tmp_path / "some.so"
    path.write_bytes(b"\xe8" * 0x3000)
    raw = RawFault(
        signal=4,
        address=0x1010,
        stack=struct.pack("<QQQ", 0x1100, 0x1200, 5),
        maps=(TEXT._replace(path=str(path)),),
    )
    assert stack.callers(raw) == ()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 machine code")
def test_a_damaged_table_leaves_the_guess(tmp_path: Path) -> None:
    library = faults.compiled(tmp_path, "chain", CHAIN)
    source = f"import ctypes; ctypes.CDLL({str(library)!r}).first()"
    raw = faults.probe(source, tmp_path).fault
    content = library.read_bytes()
    start = content.index(b"\x01\x1b\x03\x3b") + 12
    library.write_bytes(content[:start] + b"\x7f" * 64 + content[start + 64 :])
    assert "chain.so" in [item.name for item in stack.callers(raw)]
