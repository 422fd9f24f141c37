"""Faults explained: real crashes of this machine's own making, and recordings of others."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from legacy_doctor.model import Fault, FaultKind, Frame
from legacy_doctor.probe import fault, instruction
from legacy_doctor.probe.record import Mapping, RawFault
from tests import conftest
from tests.probe import faults

NATIVE = platform.machine() == "x86_64"
Owned = dict[str, tuple[str, str]]

SOURCE = r"""
#include <stdlib.h>
#include <string.h>
static volatile int one = 1, none = 0;
static volatile unsigned long size = 100;
void trap(void) { __asm__ volatile("ud2"); one++; }
void tile(void) { __asm__ volatile(".byte 0xc4,0xe2,0x7b,0x49,0xc0"); one++; }
void divide(void) { one = one / none; }
void load(void) { one = *(volatile int *)(unsigned long)none; }
void stop(void) { abort(); }
void copy(void) { memcpy((void *)(size - 92), "0123456789", size); one++; }
"""
BOOT = """
__attribute__((noinline)) static void inner(void) { __asm__ volatile("ud2"); }
__attribute__((constructor)) static void boot(void) { inner(); __asm__ volatile("nop"); }
"""
MODULE = """
int %s = 1;
__attribute__((visibility("default"))) void *PyInit_dying(void) { __asm__ volatile("ud2"); }
"""


def built(folder: Path, name: str, source: str, *options: str) -> Path:
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    (folder / f"{name}.c").write_text(source)
    path = folder / f"{name}.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-fno-builtin", *options, "-o", path]
    subprocess.run([*command, folder / f"{name}.c"], check=True)
    return path


def explained(raw: RawFault, owned: Owned | None = None, *, emulated: bool = False) -> Fault:
    found = fault.assemble([raw], (owned or {}).get, emulated=[emulated])
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("library"), "dies", SOURCE)


def died(library: Path, function: str, folder: Path) -> Fault:
    source = f"import ctypes; ctypes.CDLL({str(library)!r}).{function}()"
    ending = faults.probe(source, folder)
    return explained(ending.fault, {str(library): ("dies", "dies/dies.so")})


CRASHES: dict[str, tuple[str, dict[str, Any]]] = {
    "ud2": (
        "trap",
        {
            "signal": "SIGILL",
            "kind": FaultKind.DELIBERATE,
            "instruction": "ud2",
            "code": "ILL_ILLOPN",
        },
    ),
    "AMX without permission": (
        "tile",
        {
            "signal": "SIGILL",
            "kind": FaultKind.UNSUPPORTED,
            "instruction": "tilezero %tmm0",
            "needs": frozenset({"amx_tile"}),
        },
    ),
    "a division by zero": (
        "divide",
        {"signal": "SIGFPE", "kind": FaultKind.DIVIDE, "code": "FPE_INTDIV", "known": ""},
    ),
    "a null dereference": (
        "load",
        {
            "signal": "SIGSEGV",
            "kind": FaultKind.MEMORY,
            "code": "SEGV_MAPERR",
            "needs": frozenset(),
        },
    ),
}


@pytest.mark.skipif(not NATIVE, reason="x86 machine code")
@pytest.mark.parametrize(("function", "expected"), CRASHES.values(), ids=CRASHES)
def test_a_crash_in_a_library(
    function: str, expected: dict[str, Any], library: Path, tmp_path: Path
) -> None:
    found = died(library, function, tmp_path)
    assert {name: getattr(found, name) for name in expected} == expected
    assert (found.library, found.symbol) == (str(library), function)
    assert (found.owner, found.path, found.place) == ("dies", "dies/dies.so", "")
    assert found.frames[-1].function == "<module>"
    assert found.address
    assert len(found.bytes) == 30


CALLERS = {
    "abort": ("stop", "SIGABRT", FaultKind.SENT, "SI_TKILL"),
    "a bad pointer given to memcpy": ("copy", "SIGSEGV", FaultKind.MEMORY, "SEGV_MAPERR"),
}


@pytest.mark.skipif(not NATIVE, reason="x86 machine code")
@pytest.mark.parametrize(("function", "signal", "kind", "code"), CALLERS.values(), ids=CALLERS)
def test_a_fault_in_libc_belongs_to_the_caller(
    function: str, signal: str, kind: FaultKind, code: str, library: Path, tmp_path: Path
) -> None:
    found = died(library, function, tmp_path)
    assert (found.signal, found.kind, found.code) == (signal, kind, code)
    assert found.library is not None
    assert Path(found.library).name.startswith("libc")
    assert (found.owner, found.path) == ("dies", "dies/dies.so")
    assert (found.instruction is None) is (kind is FaultKind.SENT)


@pytest.mark.skipif(not NATIVE, reason="x86 machine code")
def test_a_fault_in_libc_that_python_called_has_no_owner(tmp_path: Path) -> None:
    found = explained(faults.probe("import os; os.abort()", tmp_path).fault)
    assert (found.signal, found.kind) == ("SIGABRT", FaultKind.SENT)
    assert (found.owner, found.path) == (None, None)


@pytest.mark.skipif(not NATIVE, reason="x86 machine code")
@pytest.mark.parametrize("options", [(), ("-s",)], ids=["with symbols", "stripped"])
def test_what_a_constructor_calls_is_a_static_initialiser(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    path = built(tmp_path, "boots", BOOT, *options)
    ending = faults.probe(f"import ctypes; ctypes.CDLL({str(path)!r})", tmp_path)
    found = explained(ending.fault)
    assert (found.library, found.place) == (str(path), "static initialiser")
    assert found.symbol == (None if options else "inner")


@pytest.mark.skipif(not NATIVE, reason="x86 machine code")
def test_a_crash_while_a_module_is_initialised(tmp_path: Path) -> None:
    built(tmp_path, "dying", MODULE % "dying")
    found = explained(faults.probe("import dying", tmp_path).fault)
    assert (found.symbol, found.place) == ("PyInit_dying", "module initialisation")
    assert found.frames[-1].file.startswith("<frozen importlib")


@pytest.mark.skipif(not NATIVE, reason="x86 machine code")
def test_generated_code_that_python_itself_calls_has_no_owner(tmp_path: Path) -> None:
    ending = faults.probe(faults.EXECUTE + "execute('c4e27b49c0')", tmp_path)
    found = explained(ending.fault)
    assert (found.library, found.offset, found.owner) == (None, None, None)
    assert (found.place, found.instruction) == ("generated code", "tilezero %tmm0")
    assert found.known == ""


CALLER = "int call(int (*made)(void)) { return made() + 1; }"


def maps_of(path: Path, start: int) -> tuple[Mapping, ...]:
    """The lines of /proc/PID/maps for a library loaded at `start`."""
    with path.open("rb") as file:
        segments = [item.header for item in ELFFile(file).iter_segments("PT_LOAD")]
    return tuple(
        Mapping(
            start + item.p_vaddr - item.p_vaddr % 4096,
            start + item.p_vaddr + item.p_memsz,
            "r-xp" if item.p_flags & 1 else "r--p",
            item.p_offset - item.p_offset % 4096,
            str(path),
        )
        for item in segments
    )


def behind_call(path: Path) -> int:
    """The address behind the first `call *%reg` in the library's own function."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbol = elf.get_section_by_name(".symtab").get_symbol_by_name("call")[0]
        text = elf.get_section_by_name(".text")
        code = text.data()[symbol["st_value"] - text["sh_addr"] :]
        return int(symbol["st_value"] + code.index(b"\xff", 0) + 2)


GENERATED = Mapping(0x7000_0000, 0x7000_1000, "rwxp", 0, "")


def generated(path: Path, code: str, junk: bytes = b"") -> RawFault:
    """A fault in generated code that a library has called."""
    base = 0x10_0000_0000
    back = struct.pack("<Q", base + behind_call(path))
    return RawFault(
        signal=4,
        code=2,
        address=0x7000_0010,
        bytes=bytes.fromhex(code),
        stack=junk + back,
        maps=(GENERATED, *maps_of(path, base)),
        frames=(Frame("/site-packages/torch/nn/rnn.py", 7, "forward"),),
    )


ROUNDPS = "660f3a08f1010f10ce0f59b0900000"


def test_generated_code_belongs_to_the_library_that_called_it(tmp_path: Path) -> None:
    path = built(tmp_path, "jit", CALLER)
    found = explained(generated(path, ROUNDPS), {str(path): ("jitter", "jitter/jit.so")})
    assert (found.owner, found.path, found.library) == ("jitter", "jitter/jit.so", None)
    assert (found.place, found.needs) == ("generated code", {"sse4_1"})
    assert found.known == ""


def test_words_that_are_no_return_address_are_passed_over(tmp_path: Path) -> None:
    path = built(tmp_path, "jit", CALLER)
    start = 0x10_0000_0000
    junk = struct.pack("<QQQQ", 0, start, start + behind_call(path) - 1, 2**64 - 1)
    raw = generated(path, ROUNDPS, junk)
    assert explained(raw, {str(path): ("jitter", "jit.so")}).owner == "jitter"


def test_a_library_that_cannot_be_read_is_no_caller(tmp_path: Path) -> None:
    path = built(tmp_path, "jit", CALLER)
    raw = generated(path, ROUNDPS)
    path.unlink()
    found = explained(raw, {str(path): ("jitter", "jit.so")})
    assert (found.owner, found.instruction) == (None, "roundps $0x1,%xmm1,%xmm6")


def test_generated_code_of_torchs_onednn_is_known_with_its_cure(tmp_path: Path) -> None:
    path = built(tmp_path, "libtorch_cpu", CALLER)
    found = explained(generated(path, ROUNDPS), {str(path): ("torch", "torch/lib/libtorch_cpu.so")})
    assert found.known == (
        "oneDNN generates SSE4.1 code even where the CPU has none; cure: "
        "torch._C._set_mkldnn_enabled(False) right after `import torch`"
    )


def test_other_generated_code_of_torch_is_not_onednns_known_one(tmp_path: Path) -> None:
    path = built(tmp_path, "libtorch_cpu", CALLER)
    owned = {str(path): ("torch", "torch/lib/libtorch_cpu.so")}
    assert explained(generated(path, "c5f96f06"), owned).known == ""


XBYAK = """
namespace Xbyak { namespace util {
struct Cpu { int before[5]; volatile int cores; __attribute__((noinline)) Cpu(int); };
Cpu::Cpu(int n) { asm volatile("cltd; idivl 0x14(%%rsi)" : : "a"(n), "S"(this) : "rdx", "memory"); }
} }
extern "C" int detect(void) { Xbyak::util::Cpu cpu(8); return cpu.cores; }
"""


def xbyak(folder: Path, name: str, *options: str) -> tuple[Path, RawFault]:
    """The division in Xbyak's constructor, as the recorder sees it on a K10."""
    if shutil.which("c++") is None:
        conftest.lacking("cc", "there is no C++ compiler")
    (folder / f"{name}.cpp").write_text(XBYAK)
    path = folder / f"{name}.so"
    command = ["c++", "-shared", "-fPIC", "-O1", *options, "-o", path, folder / f"{name}.cpp"]
    subprocess.run(command, check=True)
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".text")
        address = section["sh_addr"] + section.data().index(bytes.fromhex("f77e14"))
    base = 0x10_0000_0000
    return path, RawFault(signal=8, code=1, address=base + address, maps=maps_of(path, base))


TORCH = "torch/lib/libtorch_cpu.so"
CURE = "; cure: torch._C._set_mkldnn_enabled(False) right after `import torch`"
XBYAK_CASES = {
    "torch": ("libtorch_cpu", (), "torch", CURE),
    "torch, its symbols stripped": ("libtorch_cpu", ("-s", "-fvisibility=hidden"), "torch", CURE),
    "another library with oneDNN in it": ("other", (), "other", ""),
}


@pytest.mark.parametrize(
    ("name", "options", "owner", "cure"), XBYAK_CASES.values(), ids=XBYAK_CASES
)
def test_the_division_in_xbyak_is_known(
    name: str, options: tuple[str, ...], owner: str, cure: str, tmp_path: Path
) -> None:
    path, raw = xbyak(tmp_path, name, *options)
    found = explained(raw, {str(path): (owner, TORCH)})
    assert (found.kind, found.instruction) == (FaultKind.DIVIDE, "idivl 0x14(%rsi)")
    assert found.bytes.startswith("f77e14"), "read from the file: the record has none"
    assert found.symbol == (None if options else "Xbyak::util::Cpu::Cpu(int)")
    assert found.known == (
        "oneDNN's bundled Xbyak divides by zero in Cpu::Cpu() on AMD CPUs below CPUID leaf 0xB"
        + cure
    )


def test_a_division_elsewhere_in_torch_is_not_xbyaks(library: Path, tmp_path: Path) -> None:
    path = tmp_path / "libtorch_cpu.so"
    shutil.copy(library, path)
    ending = faults.probe(f"import ctypes; ctypes.CDLL({str(path)!r}).divide()", tmp_path)
    found = explained(ending.fault, {str(path): ("torch", TORCH)})
    assert (found.kind, found.known) == (FaultKind.DIVIDE, "")


def raw_at(code: str, signal: int = 4, si_code: int = 2, **changes: Any) -> RawFault:
    facts = {"signal": signal, "code": si_code, "address": 0x7000_0000, "maps": (GENERATED,)}
    return RawFault(**{**facts, "bytes": bytes.fromhex(code), **changes})


KINDS = {
    "SIGILL at what old CPUs lack": (raw_at("660f3a08f101"), FaultKind.UNSUPPORTED),
    "SIGILL at what every CPU has": (raw_at("488b00"), FaultKind.OTHER),
    "SIGILL at no instruction": (raw_at("06"), FaultKind.OTHER),
    "SIGILL at bytes that nobody could read": (raw_at("", maps=()), FaultKind.OTHER),
    "SIGILL that was sent": (raw_at("0f0b", si_code=0), FaultKind.SENT),
    "SIGTRAP at a breakpoint": (raw_at("cc", 5, 128), FaultKind.DELIBERATE),
    "SIGFPE at a division": (raw_at("f77e14", 8, 1), FaultKind.DIVIDE),
    "SIGFPE at unmasked floating point": (raw_at("f30f5ec1", 8, 3), FaultKind.OTHER),
    "SIGBUS": (raw_at("488b00", 7, 2), FaultKind.MEMORY),
    "SIGSYS of a filter": (raw_at("488b00", 31, 1), FaultKind.OTHER),
}


@pytest.mark.parametrize(("raw", "kind"), KINDS.values(), ids=KINDS)
def test_the_kind_of(raw: RawFault, kind: FaultKind) -> None:
    found = explained(raw)
    assert found.kind is kind
    assert bool(found.needs) is (kind is FaultKind.UNSUPPORTED)


CODES = {
    "an operand": (4, 2, "ILL_ILLOPN"),
    "integer division": (8, 1, "FPE_INTDIV"),
    "no mapping": (11, 1, "SEGV_MAPERR"),
    "an address that no pointer can have": (11, 128, "SI_KERNEL"),
    "kill": (11, 0, "SI_USER"),
    "abort": (6, -6, "SI_TKILL"),
    "alignment": (7, 1, "BUS_ADRALN"),
    "none that anybody has named": (4, 77, ""),
    "a signal without codes": (6, 3, ""),
}


@pytest.mark.parametrize(("signal", "code", "name"), CODES.values(), ids=CODES)
def test_the_code_of(signal: int, code: int, name: str) -> None:
    assert explained(raw_at("90", signal, code)).code == name


@pytest.mark.parametrize(
    ("code", "needs"),
    [
        pytest.param("8fe878c2c001", {"avx", "xop"}, id="XOP"),
        pytest.param("c4e27d9294a020050000", {"avx", "avx2"}, id="a gather by ymm4"),
    ],
)
def test_what_qemu_misplays_is_no_verdict_about_the_cpu(code: str, needs: set[str]) -> None:
    raw = raw_at(code, 11, 1)
    found = explained(raw, emulated=True)
    assert (found.kind, found.needs) == (FaultKind.OTHER, needs)
    assert "QEMU takes this instruction for another one" in found.known
    native = explained(raw)
    assert (native.kind, native.needs, native.known) == (FaultKind.MEMORY, set(), "")


MAPPED = {
    "nothing": ((), None, ""),
    "memory that is not executable": ((GENERATED._replace(permissions="rw-p"),), None, ""),
    "the kernel's own page": ((GENERATED._replace(path="[vdso]"),), None, ""),
    "shared anonymous memory": (
        (GENERATED._replace(path="/memfd:jit (deleted)"),),
        None,
        "generated code",
    ),
    "a file that is gone": ((GENERATED._replace(path="/a/b.so (deleted)"),), None, ""),
    "a file that cannot be read": ((GENERATED._replace(path="/a/b.so"),), "/a/b.so", ""),
}


@pytest.mark.parametrize(("maps", "library", "place"), MAPPED.values(), ids=MAPPED)
def test_a_fault_in(maps: tuple[Mapping, ...], library: str | None, place: str) -> None:
    found = explained(raw_at("0f0b", maps=maps), {"/a/b.so": ("a", "a/b.so")})
    assert (found.library, found.place) == (library, place)
    assert found.owner == ("a" if library else None)
    assert (found.offset, found.symbol) == (None, None)
    assert found.instruction == "ud2"


def test_an_empty_record_is_a_fault_without_details() -> None:
    found = explained(RawFault(signal=11))
    assert (found.signal, found.kind, found.address) == ("SIGSEGV", FaultKind.SENT, None)


def test_all_faults_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    decode = instruction.decode
    monkeypatch.setattr(fault, "decode", lambda codes: asked.append(codes) or decode(codes))
    raws = [raw_at("0f0b"), raw_at("cc", 5, 128), raw_at("f77e14", 8, 1)]
    found = fault.assemble(raws, lambda _: None, emulated=[False] * 3)
    assert [item.instruction for item in found] == ["ud2", "int3", "idivl 0x14(%rsi)"]
    assert len(asked) == 1


def wheel_owners(environment: Path) -> Any:
    site = next(environment.glob("lib/python*/site-packages"))

    def owner(path: str) -> tuple[str, str] | None:
        if not path.startswith(f"{site}/"):
            return None
        inside = os.path.relpath(path, site)
        return inside.partition("/")[0].partition(".")[0], inside

    return owner


DEADLY = {
    "numpy 2.4.6 on a Phenom": (
        ("deadly", "numpy", "phenom"),
        ("pinsrq $0x1,0x9172b9(%rip),%xmm0", {"sse4_1"}, 0x2DBCC, "static initialiser"),
    ),
    "pyarrow 26.0.1 on a Phenom": (
        ("deadly", "pyarrow", "phenom"),
        ("pinsrq $0x1,0x20c488f(%rip),%xmm1", {"sse4_1"}, 0x417DCE, "static initialiser"),
    ),
    "polars 2.1.0 on a Nehalem": (
        ("polars", "_polars_runtime_32", "Nehalem"),
        ("vmovdqa -0x753c372(%rip),%xmm0", {"avx"}, 0x7D6B7BA, "module initialisation"),
    ),
}


@pytest.mark.qemu
@pytest.mark.wheels
@pytest.mark.parametrize(("where", "what"), DEADLY.values(), ids=DEADLY)
def test_a_real_wheel_dies_where_the_survey_says(
    where: tuple[str, str, str],
    what: tuple[str, set[str], int, str],
    wheels: conftest.Wheels,
    qemu: Path,
    tmp_path: Path,
) -> None:
    environment, module, cpu = where
    folder = getattr(wheels, environment)
    source = f"import {module.replace('_polars_runtime_32', 'polars')}"
    python = str(folder / "bin/python")
    ending = faults.probe(
        source, tmp_path, python=python, under=[str(qemu), "-cpu", cpu], patience=30.0
    )
    found = fault.assemble([ending.fault], wheel_owners(folder), emulated=[True])[0]
    assert (found.signal, found.kind) == ("SIGILL", FaultKind.UNSUPPORTED)
    assert (found.instruction, found.needs, found.offset, found.place) == what
    assert found.owner == module
