"""What a person reads about a probe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import words
from legacy_doctor.model import Fault, FaultKind, Frame, Outcome, Probe, ProbeResult, Raised

SITE = "/venv/lib/python3.11/site-packages"
UMATH = "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so"
PROBE_FRAME = Frame("/tmp/box/probe_import.py", 1, "<module>")  # noqa: S108
IMPORTLIB = Frame("<frozen importlib._bootstrap>", 241, "_call_with_frames_removed")
NUMPY_FRAME = Frame(f"{SITE}/numpy/_core/multiarray.py", 10, "<module>")
PANDAS_FRAME = Frame(f"{SITE}/pandas/__init__.py", 31, "<module>")
USERS_FRAME = Frame("/home/me/train.py", 12, "main")
THREADING = Frame("/usr/lib/python3.11/threading.py", 1002, "_bootstrap")

NUMPY = Fault(
    signal="SIGILL",
    kind=FaultKind.UNSUPPORTED,
    library=f"{SITE}/{UMATH}",
    path=UMATH,
    offset=0x2DBCC,
    instruction="pinsrq $0x1,0x9172b9(%rip),%xmm0",
    needs=frozenset({"sse4_1"}),
    owner="numpy",
    place="static initialiser",
    frames=(PROBE_FRAME, NUMPY_FRAME, IMPORTLIB),
)


def result(name: str = "numpy", outcome: Outcome = Outcome.OK, **changes: Any) -> ProbeResult:
    probe = Probe(id=name, distribution=name, imports=f"import {name}")
    return ProbeResult(
        probe=probe, outcome=outcome, stage=changes.pop("stage", "import"), **changes
    )


def dead(fault: Fault, name: str = "numpy", **changes: Any) -> ProbeResult:
    return result(name, Outcome.ILLEGAL_INSTRUCTION, fault=fault, **changes)


def test_the_words_of_the_whole_fault() -> None:
    assert words.sentence(dead(NUMPY), "2.4.6") == (
        "numpy 2.4.6 dies on import: SIGILL, `pinsrq` needs SSE4.1, in "
        "numpy/_core/_multiarray_umath…so +0x2dbcc (static initialiser), reached from the probe"
    )


def test_the_words_about_the_users_own_program() -> None:
    fault = replace(NUMPY, frames=(USERS_FRAME, NUMPY_FRAME, IMPORTLIB))
    said = words.sentence(dead(fault), "2.4.6", yours=True)
    assert said.endswith("(static initialiser), reached from your code at /home/me/train.py:12")


def test_the_users_own_line_counts_more_than_a_library_in_between() -> None:
    fault = replace(NUMPY, frames=(USERS_FRAME, PANDAS_FRAME, NUMPY_FRAME, IMPORTLIB))
    said = words.sentence(dead(fault, "app.py", stage=""), "", yours=True)
    assert said.startswith("app.py dies: SIGILL, `pinsrq` needs SSE4.1, in numpy/")
    assert said.endswith("reached from your code at /home/me/train.py:12")


def test_without_a_line_of_the_user_the_library_is_named() -> None:
    fault = replace(NUMPY, frames=(PANDAS_FRAME, NUMPY_FRAME, IMPORTLIB))
    said = words.sentence(dead(fault, "tool", stage=""), "", yours=True)
    assert said.endswith("reached from pandas/__init__.py:31")


def test_the_words_about_the_library_in_between() -> None:
    fault = replace(NUMPY, frames=(PROBE_FRAME, PANDAS_FRAME, NUMPY_FRAME, IMPORTLIB))
    said = words.sentence(dead(fault, "pandas"), "3.1.1")
    assert said.startswith("pandas 3.1.1 dies on import: SIGILL, `pinsrq` needs SSE4.1, in numpy/")
    assert said.endswith("reached from pandas/__init__.py:31")


TORCH = "torch/lib/libtorch_cpu.so"
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "a deliberate trap": (
        {"kind": FaultKind.DELIBERATE, "instruction": "ud2", "needs": frozenset()},
        "SIGILL, it stops itself with `ud2`",
    ),
    "a trap that nobody could read": (
        {"kind": FaultKind.DELIBERATE, "instruction": None},
        "SIGILL, it stops itself",
    ),
    "a division": (
        {"signal": "SIGFPE", "kind": FaultKind.DIVIDE, "instruction": "idivl 0x14(%rsi)"},
        "SIGFPE, divides by zero: `idivl 0x14(%rsi)`",
    ),
    "a division without its text": (
        {"signal": "SIGFPE", "kind": FaultKind.DIVIDE, "instruction": None},
        "SIGFPE, divides by zero",
    ),
    "a bad pointer": (
        {"signal": "SIGSEGV", "kind": FaultKind.MEMORY, "instruction": "mov (%rax),%rax"},
        "SIGSEGV, at `mov (%rax),%rax`",
    ),
    "a signal without details": (
        {"signal": "SIGSEGV", "kind": FaultKind.OTHER, "instruction": None},
        "SIGSEGV",
    ),
    "an instruction known by its family": (
        {"instruction": "a VEX-encoded instruction", "needs": frozenset({"avx"})},
        "SIGILL, a VEX-encoded instruction needs AVX",
    ),
    "an instruction with a prefix": (
        {"instruction": "lock cmpxchg16b (%rax)", "needs": frozenset({"cx16"})},
        "SIGILL, `lock cmpxchg16b` needs CMPXCHG16B",
    ),
    "an instruction of which Linux has no flag": (
        {"instruction": "vpdpbuud %xmm0,%xmm0,%xmm0", "needs": frozenset()},
        "SIGILL, `vpdpbuud` is not supported",
    ),
    "an instruction that nobody could name": (
        {"instruction": None, "needs": frozenset()},
        "SIGILL, an instruction that nobody could name",
    ),
}


@pytest.mark.parametrize(("changes", "text"), KINDS.values(), ids=KINDS)
def test_what_happened(changes: dict[str, Any], text: str) -> None:
    fault = replace(NUMPY, place="", frames=(), **changes)
    assert words.sentence(dead(fault), "2.4.6") == (
        f"numpy 2.4.6 dies on import: {text}, in numpy/_core/_multiarray_umath…so +0x2dbcc"
    )


PLACES: dict[str, tuple[dict[str, Any], str]] = {
    "generated code": (
        {"library": None, "path": TORCH, "offset": None, "place": "generated code"},
        ", in generated code called by torch/lib/libtorch_cpu.so",
    ),
    "generated code that nobody owns": (
        {"library": None, "path": None, "offset": None, "place": "generated code"},
        ", in generated code",
    ),
    "a system library": (
        {"library": "/lib/libc.so.6", "path": TORCH, "offset": 0x8AEEC, "place": ""},
        ", in libc.so.6 +0x8aeec, called by torch/lib/libtorch_cpu.so",
    ),
    "a library that nobody owns": (
        {"library": "/opt/x/libx.so", "path": None, "offset": None, "place": ""},
        ", in libx.so",
    ),
    "nowhere": ({"library": None, "path": None, "offset": None, "place": ""}, ""),
}


@pytest.mark.parametrize(("changes", "text"), PLACES.values(), ids=PLACES)
def test_where_it_happened(changes: dict[str, Any], text: str) -> None:
    fault = replace(NUMPY, frames=(), **changes)
    assert (
        words.sentence(dead(fault), "2")
        == f"numpy 2 dies on import: SIGILL, `pinsrq` needs SSE4.1{text}"
    )


ORIGINS = {
    "no frames": ((), ""),
    "the standard library only": ((THREADING, IMPORTLIB), ""),
    "a thread of the probe": ((THREADING, PROBE_FRAME), ", reached from the probe"),
    "the package itself": ((NUMPY_FRAME,), ""),
    "its libraries' folder": ((Frame(f"{SITE}/numpy/a.py", 1, "f"),), ""),
    "a single module beside it": (
        (Frame(f"{SITE}/six.py", 3, "f"), NUMPY_FRAME),
        ", reached from six.py:3",
    ),
    "an interpreter's own packages": (
        (Frame("/usr/lib/python3/dist-packages/apt/a.py", 3, "f"),),
        ", reached from apt/a.py:3",
    ),
}


@pytest.mark.parametrize(("frames", "text"), ORIGINS.values(), ids=ORIGINS)
def test_from_where_it_was_reached(frames: tuple[Frame, ...], text: str) -> None:
    fault = replace(NUMPY, frames=frames, path="numpy.libs/x.so", library=f"{SITE}/numpy.libs/x.so")
    said = words.sentence(dead(replace(fault, place="", offset=None)), "2")
    assert (
        said == f"numpy 2 dies on import: SIGILL, `pinsrq` needs SSE4.1, in numpy.libs/x.so{text}"
    )


ENDINGS: dict[str, tuple[ProbeResult, str]] = {
    "an import": (result(), "numpy 2 can be imported"),
    "a use": (result(stage="use"), "numpy 2 runs here"),
    "not run": (
        result(outcome=Outcome.SKIPPED, reason="pandas is not installed"),
        "numpy 2 was not probed: pandas is not installed",
    ),
    "an exception": (
        result(
            outcome=Outcome.RAISED,
            raised=Raised(type="RuntimeError", message="\nNumPy was built with (X86_V2).\nMore."),
        ),
        "numpy 2 raises RuntimeError on import: NumPy was built with (X86_V2).",
    ),
    "an exception without words": (
        result(outcome=Outcome.RAISED, stage="use", raised=Raised(type="KeyError", message="")),
        "numpy 2 raises KeyError in use",
    ),
    "an exception that nobody recorded": (
        result(outcome=Outcome.RAISED),
        "numpy 2 raises an exception on import",
    ),
    "an exception with too many words": (
        result(outcome=Outcome.RAISED, raised=Raised(type="E", message="x" * 500)),
        f"numpy 2 raises E on import: {'x' * 160}…",
    ),
    "a hang": (
        result(outcome=Outcome.TIMEOUT, reason="did not end within 60 s"),
        "numpy 2 hangs on import: did not end within 60 s",
    ),
    "a silent end": (
        result(outcome=Outcome.VANISHED, reason="killed by SIGKILL (out of memory?)"),
        "numpy 2 vanishes on import: killed by SIGKILL (out of memory?)",
    ),
    "an abort": (
        result(
            outcome=Outcome.ABORTED,
            fault=Fault(signal="SIGABRT", kind=FaultKind.SENT),
            stderr="one\nIncompatible processor\n",
        ),
        'numpy 2 aborts on import: SIGABRT, it said "Incompatible processor"',
    ),
    "a silent abort": (
        result(outcome=Outcome.ABORTED, fault=Fault(signal="SIGABRT", kind=FaultKind.SENT)),
        "numpy 2 aborts on import: SIGABRT",
    ),
    "an exception with a variable set": (
        result(
            outcome=Outcome.RAISED,
            raised=Raised(type="E", message="no"),
            overrides=(("NPY_DISABLE_CPU_FEATURES", "SSE41"),),
        ),
        "numpy 2 raises E on import: no, with NPY_DISABLE_CPU_FEATURES=SSE41 set",
    ),
}


@pytest.mark.parametrize(("ended", "text"), ENDINGS.values(), ids=ENDINGS)
def test_how_it_ended(ended: ProbeResult, text: str) -> None:
    assert words.sentence(ended, "2") == text


def test_without_a_version_there_is_no_gap() -> None:
    assert words.sentence(result(), "") == "numpy can be imported"


def test_an_instruction_that_the_cpu_has_is_not_blamed_on_it() -> None:
    here = models.find("nehalem").cpu
    lacking = models.find("phenom-ii").cpu
    assert "`pinsrq` needs SSE4.1, which this CPU has" in words.sentence(dead(NUMPY), "2", cpu=here)
    assert "which" not in words.sentence(dead(NUMPY), "2", cpu=lacking)


def test_a_death_with_variables_set_names_them_and_is_not_the_packages_alone() -> None:
    ended = dead(replace(NUMPY, frames=()), overrides=(("OPENBLAS_CORETYPE", "Haswell"),))
    assert words.sentence(ended, "2").endswith(", with OPENBLAS_CORETYPE=Haswell set")
    assert words.forced(ended)
    assert not words.forced(dead(NUMPY))
    assert not words.forced(result(overrides=ended.overrides))


NEEDED = {
    "one": ({"sse4_1"}, "SSE4.1"),
    "AVX is implied by AVX2": ({"avx", "avx2"}, "AVX2"),
    "AVX alone": ({"avx"}, "AVX"),
    "AES does not imply AVX": ({"avx", "aes"}, "AVX and AES-NI"),
    "SSE3 by its usual name": ({"pni"}, "SSE3"),
    "three": ({"avx512f", "avx2", "bmi2"}, "AVX2, BMI2 and AVX-512F"),
    "none": (set(), ""),
}


@pytest.mark.parametrize(("names", "text"), NEEDED.values(), ids=NEEDED)
def test_what_is_needed(names: set[str], text: str) -> None:
    assert words.needed(frozenset(names)) == text


FILES = {
    "an extension module": (UMATH, "numpy/_core/_multiarray_umath…so"),
    "a stable ABI": ("p/_polars_runtime.abi3.so", "p/_polars_runtime.abi3.so"),
    "a library": ("pyarrow/libarrow.so.2600", "pyarrow/libarrow.so.2600"),
}


@pytest.mark.parametrize(("path", "text"), FILES.values(), ids=FILES)
def test_a_file_is_named(path: str, text: str) -> None:
    assert words.file_name(path) == text
