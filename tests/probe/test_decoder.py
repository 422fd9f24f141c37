"""The decoder: a program of its own that writes what objdump writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.probe import decoder
from tests import conftest

PATH = Path(decoder.__file__)


def asked(items: list[dict[str, Any]], *options: str) -> Any:
    """What the program itself answers."""
    command = [sys.executable, "-I", *options, str(PATH), json.dumps(items)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def item(code: str, address: int = 0, symbol: str | None = None) -> dict[str, Any]:
    return {"bytes": code, "address": address, "symbol": symbol}


def test_the_answer_of_the_program_on_numpys_fault() -> None:
    symbol = "_Z41__static_initialization_and_destruction_0v"
    assert asked([item("66480f3a2205b9729100014c8985d0", 0x2DBCC, symbol), item("06")]) == [
        {
            "instruction": "pinsrq $0x1,0x9172b9(%rip),%xmm0",
            "features": ["SSE4_1"],
            "length": 11,
            "symbol": "__static_initialization_and_destruction_0()",
        },
        {"instruction": None, "features": [], "length": 0, "symbol": None},
    ]


def test_nothing_asked_is_nothing_answered() -> None:
    assert asked([]) == []


def test_without_iced_the_program_says_so() -> None:
    answer = asked([item("90")], "-S")
    assert answer == {"error": "iced-x86 cannot be imported: No module named 'iced_x86'"}


def test_without_iced_main_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iced_x86", None)
    assert "iced-x86 cannot be imported" in json.loads(decoder.main("[]"))["error"]


def decoded(code: str, address: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(decoder.main(json.dumps([item(code, address)])))[0]
    return answer


# The instructions at which the survey's packages died, as objdump printed them.
INSTRUCTIONS = {
    "pyarrow": ("66480f3a220d8f480c0201", "pinsrq $0x1,0x20c488f(%rip),%xmm1", ["SSE4_1"]),
    "faiss": ("66480f3a22c201", "pinsrq $0x1,%rdx,%xmm0", ["SSE4_1"]),
    "polars": ("c5f96f058e3cacf8", "vmovdqa -0x753c372(%rip),%xmm0", ["AVX"]),
    "jemalloc": ("c46289f7e3", "shlx %r14,%rbx,%r12", ["BMI2"]),
    "duckdb": ("c4e2cbf6c8", "mulx %rax,%rsi,%rcx", ["BMI2"]),
    "lancedb": ("c4e3fd00c050", "vpermq $0x50,%ymm0,%ymm0", ["AVX2"]),
    "popcnt": ("f34c0fb8e8", "popcnt %rax,%r13", ["POPCNT"]),
    "Xbyak": ("f77e14", "idivl 0x14(%rsi)", ["INTEL386"]),
    "oneDNN": ("660f3a08f101", "roundps $0x1,%xmm1,%xmm6", ["SSE4_1"]),
    "a trap": ("0f0b", "ud2", ["INTEL286"]),
    "an index without a scale": ("880408", "mov %al,(%rax,%rcx,1)", ["INTEL8086"]),
    "no displacement from rbp": ("8b4500", "mov 0x0(%rbp),%eax", ["INTEL386"]),
    "no base": ("488d3cd500000000", "lea 0x0(,%rdx,8),%rdi", ["X64"]),
    "a call through memory": ("ff15aabb0000", "call *0xbbaa(%rip)", ["X64"]),
    "a locked one": ("f0480fc708", "lock cmpxchg16b (%rax)", ["CMPXCHG16B"]),
}


@pytest.mark.parametrize(("code", "text", "names"), INSTRUCTIONS.values(), ids=INSTRUCTIONS)
def test_an_instruction(code: str, text: str, names: list[str]) -> None:
    answer = decoded(code)
    assert (answer["instruction"], answer["features"]) == (text, names)
    assert answer["length"] == len(code) // 2


def test_a_branch_goes_where_the_address_says() -> None:
    assert decoded("7405", 0x1000)["instruction"] == "je 0x1007"


SOURCE = """
double sum(double *a, int n) { double s = 0; for (int i = 0; i < n; i++) s += a[i] * 3; return s; }
int ratio(int a, int b) { return a / b; }
unsigned long shift(unsigned long a, unsigned long b) { return (a << (b & 63)) * 3; }
void mask(char *p, char *q, long n) { for (long i = 0; i < n; i++) p[i] = q[i] ^ 0x55; }
"""


def objdump(folder: Path, options: str) -> Iterator[tuple[str, int, str]]:
    """Bytes, address and text of every instruction that objdump finds in a compiled file."""
    if not (shutil.which("cc") and shutil.which("objdump")):
        conftest.lacking("cc", "there is no C compiler, or no objdump")
    (folder / "f.c").write_text(SOURCE)
    subprocess.run(["cc", "-c", "-O3", *options.split(), "f.c"], cwd=folder, check=True)
    done = subprocess.run(
        ["objdump", "-d", "-w", "f.o"], cwd=folder, capture_output=True, text=True, check=True
    )
    for line in re.findall(r"^ +([0-9a-f]+):\t([0-9a-f ]+)\t(.*)$", done.stdout, re.MULTILINE):
        address, code, text = line
        text = re.sub(r"\s+", " ", re.sub(r"\s*[#<].*", "", text)).strip()
        yield code.replace(" ", ""), int(address, 16), text


@pytest.mark.parametrize("options", ["-march=x86-64", "-march=x86-64-v3", "-march=x86-64-v4"])
def test_the_text_is_what_objdump_prints(options: str, tmp_path: Path) -> None:
    """All but branches (whose targets we print as numbers), shifts by one, and padding."""
    lines = list(objdump(tmp_path, options))
    found = json.loads(decoder.main(json.dumps([item(code, at) for code, at, _ in lines])))
    compared = 0
    for (_, _, text), answer in zip(lines, found, strict=True):
        if not re.match(r"j|call|.*\bnop|data16|s[ah][lr] %", text):
            assert answer["instruction"] == text
            compared += 1
    assert compared > 30


RUST = "17h3ac9d38423ec7c64E"
SYMBOLS = {
    "C": ("_rjem_je_sc_data_init", "_rjem_je_sc_data_init"),
    "C++": (
        "_ZNK5faiss9IndexFlat6searchElPKfl",
        "faiss::IndexFlat::search(long, float const*, long) const",
    ),
    "a clone": (
        "_Z41__static_initialization_and_destruction_0v.lto_priv.6",
        "__static_initialization_and_destruction_0() [clone .lto_priv.6]",
    ),
    "Rust": (f"_ZN3std6thread7current{RUST}", "std::thread::current"),
    "Rust with a generic": (
        f"_ZN4core3str4iter22SplitInternal$LT$P$GT$4next{RUST}",
        "core::str::iter::SplitInternal<P>::next",
    ),
    "Rust with a trait": (
        f"_ZN56_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..Clone$GT$5clone{RUST}",
        "<alloc::vec::Vec<T> as core::Clone>::clone",
    ),
    "Rust as LLVM renames it": (
        f"_ZN3std6thread7current{RUST}.llvm.123",
        "std::thread::current",
    ),
    "Rust's new scheme": ("_RNvC1a1b", "_RNvC1a1b"),
    "damaged": ("_Zgarbage", "_Zgarbage"),
    "not ASCII": ("_Zü", "_Zü"),
    "none": (None, None),
}


@pytest.mark.parametrize(("symbol", "text"), SYMBOLS.values(), ids=SYMBOLS)
def test_a_symbol(symbol: str | None, text: str | None) -> None:
    assert asked([item("90", 0, symbol)])[0]["symbol"] == text


@pytest.mark.parametrize(("symbol", "text"), SYMBOLS.values(), ids=SYMBOLS)
def test_main_names_a_symbol(symbol: str | None, text: str | None) -> None:
    answer = json.loads(decoder.main(json.dumps([item("90", 0, symbol)])))
    assert answer[0]["symbol"] == text


def test_without_libstdcxx_symbols_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(decoder.ctypes, "CDLL", refuse)
    answer = json.loads(decoder.main(json.dumps([item("90", 0, "_Z1fv")])))
    assert answer[0]["symbol"] == "_Z1fv"
