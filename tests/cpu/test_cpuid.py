"""CPUID: recorded answers read right, the real processor asked, and every refusal told."""

from __future__ import annotations

import ctypes
import json
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.cpu import cpuid, features, models, witnesses
from legacy_doctor.cpu.cpuid import Registers
from tests import conftest

X86 = platform.machine() in {"x86_64", "AMD64"}


class Recording:
    """CPUID words read off a real processor: `leaf sub-leaf: eax ebx ecx edx` a line."""

    def __init__(self, text: str, beyond: str = "0 0 0 0", xcr0: int | None = None) -> None:
        lines = [re.split(r"[\s:]+", line.strip()) for line in text.strip().splitlines()]
        self.words = {
            (int(leaf, 16), int(sub, 16)): Registers(*(int(word, 16) for word in words))
            for leaf, sub, *words in lines
        }
        self.beyond = Registers(*(int(word, 16) for word in beyond.split()))
        """What this processor answers beyond its highest leaf."""
        self.xcr0 = xcr0

    def __call__(self, leaf: int, subleaf: int) -> Registers:
        return self.words.get((leaf, subleaf), self.beyond)

    def xgetbv(self) -> int:
        assert self.xcr0 is not None, "XGETBV faults where OSXSAVE is clear"
        return self.xcr0

    def read(self) -> cpuid.Reading:
        return cpuid.interpret(self, self.xgetbv)


# anrieff/libcpuid tests/amd/k10/phenom-2-thuban.test
PHENOM_II = Recording("""
    00000000 0: 00000006 68747541 444d4163 69746e65
    00000001 0: 00100fa0 00060800 00802009 178bfbff
    80000000 0: 8000001b 68747541 444d4163 69746e65
    80000001 0: 00100fa0 10000050 000037ff efd3fbff
    80000002 0: 20444d41 6e656850 74286d6f 4920296d
    80000003 0: 36582049 35303120 50205435 65636f72
    80000004 0: 726f7373 00000000 00000000 00000000
""")
# anrieff/libcpuid tests/intel/core2/conroe.test, dumped by a 32-bit program (no SYSCALL)
CONROE = Recording(
    """
    00000000 0: 0000000a 756e6547 6c65746e 49656e69
    00000001 0: 000006f6 00020800 0000e3bd bfebfbff
    00000007 0: 00000000 00000000 00000000 00000000
    80000000 0: 80000008 00000000 00000000 00000000
    80000001 0: 00000000 00000000 00000001 20100000
    80000002 0: 65746e49 2952286c 726f4320 4d542865
    80000003 0: 43203229 20205550 20202020 20202020
    80000004 0: 30323436 20402020 33312e32 007a4847
    """,
    beyond="07280202 00000000 00000000 00000000",
)
# anrieff/libcpuid tests/amd/bulldozer/opteron-abu-dhabi.test
ABU_DHABI = Recording(
    """
    00000000 0: 0000000d 68747541 444d4163 69746e65
    00000001 0: 00600f20 00100800 3e98320b 178bfbff
    00000007 0: 00000000 00000008 00000000 00000000
    0000000d 0: 00000007 00000340 000003c0 40000000
    0000000d 1: 00000000 00000000 00000000 00000000
    80000000 0: 8000001e 68747541 444d4163 69746e65
    80000001 0: 00600f20 30000000 01eb3fff 2fd3fbff
    80000002 0: 20444d41 6574704f 286e6f72 20296d74
    80000003 0: 636f7250 6f737365 33362072 20203038
    80000004 0: 20202020 20202020 20202020 00202020
    """,
    xcr0=7,
)
# anrieff/libcpuid tests/intel/core_12th_gen/alder-lake-p-i3.test
ALDER_LAKE = Recording(
    """
    00000000 0: 00000020 756e6547 6c65746e 49656e69
    00000001 0: 000906a4 00400800 7ffafbbf bfebfbff
    00000007 0: 00000001 239ca7eb 984007ac fc18c410
    00000007 1: 00400810 00000000 00000000 00000000
    0000000d 0: 00000207 00000340 00000a88 00000000
    0000000d 1: 0000000f 000003d0 00019900 00000000
    80000000 0: 80000008 00000000 00000000 00000000
    80000001 0: 00000000 00000000 00000121 2c100000
    80000002 0: 68743231 6e654720 746e4920 52286c65
    80000003 0: 6f432029 54286572 6920294d 32312d33
    80000004 0: 00503032 00000000 00000000 00000000
    """,
    xcr0=0x207,
)
# a Zen 5 guest of Firecracker, where these tests were written
EPYC_GUEST = Recording(
    """
    00000000 0: 0000001c 68747541 444d4163 69746e65
    00000001 0: 00b00f21 00020800 fffa3203 178bfbff
    00000007 0: 00000001 f1bf07ab 00405fc6 00000110
    00000007 1: 00000030 00000000 00000000 00000000
    0000000d 0: 000000e7 00000980 00000980 00000000
    0000000d 1: 0000000f 000009a8 00001800 00000000
    40000000 0: 40000001 4b4d564b 564b4d56 0000004d
    80000000 0: 80000021 68747541 444d4163 69746e65
    80000001 0: 00b00f21 40000000 004003f3 2fd3fbff
    80000002 0: 20444d41 43595045 00000000 00000000
    """,
    xcr0=0xE7,
)
# qemu-x86_64 -cpu qemu64, QEMU 7.2
QEMU64 = Recording("""
    00000000 0: 0000000d 68747541 444d4163 69746e65
    00000001 0: 00060fb1 00000800 80002001 078bfbfd
    40000000 0: 40000001 54474354 43544743 47435447
    80000000 0: 8000000a 68747541 444d4163 69746e65
    80000001 0: 00060fb1 00000000 00000005 2193fbfd
    80000002 0: 554d4551 72695620 6c617574 55504320
    80000003 0: 72657620 6e6f6973 352e3220 0000002b
""")

WHO = {
    "Phenom II X6": (
        PHENOM_II,
        ("AuthenticAMD", "AMD Phenom(tm) II X6 1055T Processor", 16, 10, 0, 6, None, None),
    ),
    "Core 2 Duo, blanks in the brand folded": (
        CONROE,
        ("GenuineIntel", "Intel(R) Core(TM)2 CPU 6420 @ 2.13GHz", 6, 15, 6, 10, None, None),
    ),
    "Opteron 6380, blanks after the brand gone": (
        ABU_DHABI,
        ("AuthenticAMD", "AMD Opteron(tm) Processor 6380", 21, 2, 0, 13, None, 7),
    ),
    "Core i3-1220P": (
        ALDER_LAKE,
        ("GenuineIntel", "12th Gen Intel(R) Core(TM) i3-1220P", 6, 154, 4, 32, None, 0x207),
    ),
    "a KVM guest on an EPYC": (
        EPYC_GUEST,
        ("AuthenticAMD", "AMD EPYC", 26, 2, 1, 28, "KVMKVMKVM", 0xE7),
    ),
    "qemu64 under TCG": (
        QEMU64,
        ("AuthenticAMD", "QEMU Virtual CPU version 2.5+", 15, 107, 1, 13, "TCGTCGTCGTCG", None),
    ),
}


@pytest.mark.parametrize(("recording", "wanted"), WHO.values(), ids=WHO)
def test_who_it_is(recording: Recording, wanted: tuple[Any, ...]) -> None:
    reading = recording.read()
    assert (*reading[:7], reading.xcr0) == wanted


# The first two: what libcpuid's own decoder said of the same dump. The others: InstLatx64's and
# Linux's words for those cores.
HAS = {
    "Phenom II X6": (
        PHENOM_II,
        (
            "fpu tsc cx8 cmov mmx fxsr sse sse2 pni cx16 syscall popcnt mmxext 3dnow 3dnowext "
            "rdtscp lm lahf_lm abm misalignsse sse4a 3dnowprefetch"
        ),
    ),
    "Core 2 Duo, whose answers beyond its highest leaf are not read": (
        CONROE,
        "fpu tsc cx8 cmov mmx fxsr sse sse2 pni ssse3 cx16 lm lahf_lm",
    ),
    "Opteron 6380": (
        ABU_DHABI,
        (
            "fpu tsc cx8 cmov mmx fxsr sse sse2 syscall mmxext rdtscp lm pni pclmulqdq ssse3 fma "
            "cx16 sse4_1 sse4_2 popcnt aes xsave avx f16c lahf_lm abm sse4a misalignsse "
            "3dnowprefetch xop fma4 tbm bmi1"
        ),
    ),
    "qemu64 under TCG": (
        QEMU64,
        "fpu tsc cx8 cmov mmx fxsr sse sse2 syscall lm pni cx16 lahf_lm",
    ),
}


@pytest.mark.parametrize(("recording", "wanted"), HAS.values(), ids=HAS)
def test_what_it_has(recording: Recording, wanted: str) -> None:
    assert recording.read().silicon == set(wanted.split())


DETAILS = {
    "sub-leaf 1 of leaf 7": (ALDER_LAKE, "avx_vnni", "avx512_bf16"),
    "sub-leaf 1 of leaf 13": (ALDER_LAKE, "xsaveopt xsavec", ""),
    "high bits of leaf 7": (EPYC_GUEST, "avx512vl avx512_bf16 avx512_vp2intersect", "amx_tile"),
    "no TSX on Alder Lake": (ALDER_LAKE, "gfni vaes sha_ni movdiri", "hle rtm avx512f"),
}


@pytest.mark.parametrize(("recording", "has", "lacks"), DETAILS.values(), ids=DETAILS)
def test_details(recording: Recording, has: str, lacks: str) -> None:
    found = recording.read().silicon
    assert found >= set(has.split())
    assert not found & set(lacks.split())


def test_sub_leaf_1_of_leaf_7_is_read_only_where_leaf_7_counts_it() -> None:
    words = {**ALDER_LAKE.words, (7, 0): ALDER_LAKE.words[7, 0]._replace(eax=0)}
    recording = Recording("0 0: 0 0 0 0", xcr0=7)
    recording.words = words
    assert "avx_vnni" not in recording.read().silicon


def test_a_processor_without_extended_leaves_has_no_brand_and_no_long_mode() -> None:
    recording = Recording("""
        00000000 0: 00000001 756e6547 6c65746e 49656e69
        00000001 0: 00000633 00000000 00000000 0080f9ff
        80000000 0: 00000001 00000000 00000000 0080f9ff
    """)  # an Intel Pentium II answers there with its highest basic leaf
    reading = recording.read()
    assert reading.brand == ""
    assert "lm" not in reading.silicon


def test_a_hypervisor_that_gives_no_name_is_unnamed() -> None:
    recording = Recording("0 0: 0 0 0 0")
    recording.words = {**QEMU64.words, (0x40000000, 0): Registers(0, 0, 0, 0)}
    assert recording.read().hypervisor == "unnamed"


SIGNATURES = {
    "K8 without extended model": (0x0F5A, (15, 5, 10)),
    "K8 Venice: extended model": (0x20FF0, (15, 47, 0)),
    "K8 Brisbane": (0x60FB2, (15, 107, 2)),
    "K10 Agena: extended family 1": (0x100F23, (16, 2, 3)),
    "K10 Thuban": (0x100FA0, (16, 10, 0)),
    "Llano: extended family 3": (0x300F10, (18, 1, 0)),
    "Jaguar: extended family 7": (0x700F01, (22, 0, 1)),
    "Kaveri": (0x630F01, (21, 48, 1)),
    "Zen": (0x800F11, (23, 1, 1)),
    "Zen 5": (0xB00F21, (26, 2, 1)),
    "Pentium 4": (0xF43, (15, 4, 3)),
    "Core 2: family 6, no extended model": (0x6F6, (6, 15, 6)),
    "Penryn: family 6, extended model 1": (0x10676, (6, 23, 6)),
    "Sandy Bridge": (0x206A7, (6, 42, 7)),
    "Alder Lake": (0x906A4, (6, 154, 4)),
    "family 5 has no extended model": (0xF0543, (5, 4, 3)),
    "family 6 has no extended family": (0x8106F6, (6, 31, 6)),
}


@pytest.mark.parametrize(("eax", "wanted"), SIGNATURES.values(), ids=SIGNATURES)
def test_signature(eax: int, wanted: tuple[int, int, int]) -> None:
    assert cpuid.signature_of(eax) == wanted


WORDS = st.integers(0, 2**32 - 1)


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(
                [0, 1, 7, 0xD, 0x40000000, *range(0x80000000, 0x80000005)],
            ),
            st.sampled_from([0, 1]),
        ),
        st.builds(Registers, WORDS, WORDS, WORDS, WORDS),
    )
)
def test_any_answers_are_a_reading(words: dict[tuple[int, int], Registers]) -> None:
    reading = cpuid.interpret(
        lambda leaf, subleaf: words.get((leaf, subleaf), Registers(0, 0, 0, 0)), lambda: 7
    )
    assert reading.silicon <= features.KNOWN
    assert reading.brand == " ".join(reading.brand.split())


# What cannot be had here is played: another architecture, a 32-bit process, Windows.
REFUSED = {
    "ARM": ("aarch64", sys.maxsize, "linux", "this is a aarch64 process, not x86-64"),
    "a kernel that tells nothing": ("", sys.maxsize, "linux", "this is a nameless process"),
    "a 32-bit Python on a 64-bit kernel": ("x86_64", 2**31 - 1, "linux", "not x86-64"),
    "Windows": ("AMD64", sys.maxsize, "win32", "CPUID is not executed on Windows"),
}


@pytest.mark.parametrize(("machine", "size", "system", "why"), REFUSED.values(), ids=REFUSED)
def test_processor_is_refused(
    machine: str, size: int, system: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sys, "maxsize", size)
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(cpuid.Unavailable, match=re.escape(why)):
        cpuid.read()


def test_an_mprotect_that_refuses_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real C function that refuses; that kernels really do is tested below."""
    source, library = tmp_path / "refuse.c", tmp_path / "refuse.so"
    source.write_text("int mprotect(void *at, unsigned long size, int how) { return -1; }\n")
    subprocess.run(["cc", "-shared", "-nostdlib", "-o", library, source], check=True)
    real = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda _, **options: real(str(library), **options))
    with pytest.raises(cpuid.Unavailable, match=r"^the system refuses executable memory$"):
        cpuid.read()


def test_a_c_library_without_mprotect_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    with pytest.raises(cpuid.Unavailable, match="refuses executable memory"):
        cpuid.read()


@pytest.mark.skipif(not X86, reason="not an x86-64 machine")
def test_the_real_processor_is_the_one_the_kernel_names() -> None:
    reading, kernel = cpuid.read(), witnesses.kernel()
    assert (reading.vendor, reading.brand) == (kernel.vendor, kernel.brand)
    assert (reading.family, reading.model, reading.stepping) == kernel[3:6]
    assert reading.max_leaf == kernel.cpuid_level


@pytest.mark.skipif(not X86, reason="not an x86-64 machine")
def test_the_real_processor_has_what_every_x86_64_has() -> None:
    reading = cpuid.read()
    assert reading.silicon >= features.cumulative("x86-64-v1") | {"lm"}
    assert cpuid.read() == reading


@pytest.mark.skipif(not X86, reason="not an x86-64 machine")
def test_the_real_processor_can_be_asked_leaf_by_leaf() -> None:
    with cpuid.Processor() as processor:
        base = processor(0)
        assert base.text(("ebx", "edx", "ecx")) == cpuid.read().vendor
        if processor(1).ecx >> features.OSXSAVE_BIT & 1:
            assert processor.xgetbv() & 0b11 == 0b11


REGISTERS = {
    "ends at the first zero": (b"abc\0efghijkl", "abc"),
    "blanks around it go": (b"  abc   \0\0\0\0", "abc"),
    "what is no ASCII is marked": (b"\xffbcdefghijkl", "\N{REPLACEMENT CHARACTER}bcdefghijkl"),
}


@pytest.mark.parametrize(("data", "wanted"), REGISTERS.values(), ids=REGISTERS)
def test_registers_as_text(data: bytes, wanted: str) -> None:
    ebx, ecx, edx = struct.unpack("<3I", data)
    assert Registers(0, ebx, ecx, edx).text(("ebx", "ecx", "edx")) == wanted


# A process that has promised never to make memory executable (PR_SET_MDWE, Linux 6.3), as
# systemd's MemoryDenyWriteExecute= makes services promise. Inherited over fork and exec.
PROMISE = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
"""

DETECT = """
import json
from legacy_doctor.cpu import detect
cpu = detect.detect()
print(json.dumps({
    "source": cpu.source, "level": cpu.level, "vendor": cpu.vendor, "family": cpu.family,
    "witnesses": [[w.name, w.features is not None, w.note] for w in cpu.witnesses]
}))
"""


def without_executable_memory(*arguments: str) -> str:
    """Run Python with these arguments in a process that may not make memory executable."""
    done = subprocess.run(
        [sys.executable, "-c", PROMISE, sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=conftest.clean({"PYTHONPATH": str(conftest.ROOT), "PATH": "/usr/bin:/bin"}),
        check=False,
        timeout=60,
    )
    if done.returncode == 77:
        conftest.lacking("mdwe", "this kernel has no PR_SET_MDWE (Linux 6.3 has)")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def denied() -> dict[str, Any]:
    """What detection says where executable memory is really refused."""
    answer: dict[str, Any] = json.loads(without_executable_memory("-c", DETECT))
    return answer


def test_refused_executable_memory_silences_cpuid(denied: dict[str, Any]) -> None:
    assert denied["witnesses"][0] == ["cpuid", False, "the system refuses executable memory"]


def test_refused_executable_memory_makes_glibc_answer(denied: dict[str, Any]) -> None:
    assert denied["source"] == "glibc"
    assert ["glibc", True, ""] in denied["witnesses"]


def test_refused_executable_memory_changes_no_verdict(denied: dict[str, Any]) -> None:
    reading = cpuid.read()
    usable = features.permitted(reading.silicon, reading.xcr0)
    assert denied["level"] == features.level_of(usable)
    assert (denied["vendor"], denied["family"]) == (reading.vendor, reading.family)


def test_the_command_says_that_executable_memory_is_refused() -> None:
    out = without_executable_memory("-m", "legacy_doctor", "cpu", "--format", "json")
    cpu = json.loads(out)["cpu"]
    assert cpu["source"] == "glibc"
    assert cpu["witnesses"][0]["name"] == "cpuid"
    assert cpu["witnesses"][0]["heard"] is False
    assert cpu["witnesses"][0]["note"] == "the system refuses executable memory"


def test_a_python_without_ctypes_still_finds_a_witness() -> None:
    """Pythons built where libffi's headers were missing have no `_ctypes`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['_ctypes'] = None\n{DETECT}"],
        capture_output=True,
        text=True,
        env=conftest.clean({"PYTHONPATH": str(conftest.ROOT), "PATH": "/usr/bin:/bin"}),
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["source"] == "ld.so"
    assert answer["witnesses"][0][:2] == ["cpuid", False]


@pytest.mark.parametrize(
    ("name", "recording"), {"phenom-ii-x6": PHENOM_II, "opteron-6380": ABU_DHABI}.items()
)
def test_a_recording_has_what_the_table_of_named_cpus_says(name: str, recording: Recording) -> None:
    assert models.find(name).cpu.features == recording.read().silicon
