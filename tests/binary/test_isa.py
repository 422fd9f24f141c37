"""Instruction to feature: the names are Linux's, and the table of prefixes agrees with iced-x86."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import iced_x86
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st
from iced_x86 import CpuidFeature, Decoder

from legacy_doctor.binary import isa
from legacy_doctor.cpu import features
from tests import conftest

NAMES = {value: name for name, value in vars(CpuidFeature).items() if name.isupper()}


def by_iced(code: bytes) -> tuple[str, list[str]] | None:
    """Text and features as iced has them; None where the bytes are no instruction."""
    instruction = Decoder(64, code).decode()
    if instruction.is_invalid:
        return None
    text = iced_x86.Formatter(iced_x86.FormatterSyntax.GAS).format(instruction)
    return text, [NAMES[number] for number in instruction.cpuid_features()]


def test_all_names_are_those_of_linux() -> None:
    assert frozenset().union(*isa.FEATURES.values()) <= features.KNOWN


def test_every_feature_is_one_that_iced_names() -> None:
    assert set(isa.FEATURES) <= set(NAMES.values())


OTHER_NAMES = {
    "SSE3 is pni": ("SSE3", {"pni"}),
    "LZCNT is abm": ("LZCNT", {"abm"}),
    "CMPXCHG16B is cx16": ("CMPXCHG16B", {"cx16"}),
    "3DNow!": ("D3NOW", {"3dnow"}),
    "SHA is sha_ni": ("SHA", {"sha_ni"}),
    "AVX2 rests on AVX": ("AVX2", {"avx", "avx2"}),
    "FMA rests on AVX": ("FMA", {"avx", "fma"}),
    "BMI2 stands alone, though VEX-encoded": ("BMI2", {"bmi2"}),
    "AVX-512VL rests on the foundation": ("AVX512VL", {"avx512f", "avx512vl"}),
    "an AMX type rests on the tiles": ("AMX_INT8", {"amx_tile", "amx_int8"}),
    "SSE2 is part of x86-64": ("SSE2", set()),
    "ENDBR64 is a NOP elsewhere": ("CET_IBT", set()),
    "PREFETCHW is a NOP elsewhere": ("PREFETCHW", set()),
}


@pytest.mark.parametrize(("name", "expected"), OTHER_NAMES.values(), ids=OTHER_NAMES)
def test_a_feature_is_called(name: str, expected: set[str]) -> None:
    assert isa.needs([name], b"\x90") == expected


def test_lahf_and_sahf_have_a_bit_of_their_own_in_64_bit_mode() -> None:
    assert isa.needs(["INTEL8086"], b"\x9f") == {"lahf_lm"}
    assert isa.needs(["INTEL8086"], b"\x9e") == {"lahf_lm"}
    assert isa.needs(["INTEL8086"], b"\x90") == set()


def test_what_linux_has_no_flag_for_is_left_out_but_is_not_the_baseline() -> None:
    assert isa.needs(["AVX", "SHA512"], b"\x90") == {"avx"}
    assert isa.needs(["SHA512"], b"\x90") == set()
    assert not isa.is_baseline(["SHA512"])
    assert not isa.is_baseline(["SSE4_1"])
    assert isa.is_baseline(["INTEL386", "SSE2"])


MODRM = [(mod << 6) | (operand << 3) for mod in (0, 3) for operand in range(8)]
NOT_OPCODES = {0x0F, 0x62, 0xC4, 0xC5, 0x8F, *range(0x40, 0x50), *isa._PREFIXES}


def legacy_encodings() -> Iterator[bytes]:
    for prefix in (b"", b"\x66", b"\xf2", b"\xf3", b"\x48", b"\x66\x48", b"\xf2\x48", b"\xf3\x48"):
        for escape in (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"):
            for opcode in range(256):
                if not (escape == b"" and opcode in NOT_OPCODES):
                    for modrm in range(256) if escape + bytes([opcode]) == b"\x0f\x01" else MODRM:
                        yield prefix + escape + bytes([opcode, modrm]) + bytes(9)


def vex_encodings() -> Iterator[bytes]:
    for low, wide, opcode, modrm in product(range(8), (0, 0x80), range(256), MODRM):
        rest = bytes([opcode, modrm]) + bytes(8)
        if not wide:
            yield bytes([0xC5, 0xF8 | low]) + rest
        for number, register in product((1, 2, 3), (0x78, 0x70)):
            yield bytes([0xC4, 0xE0 | number, wide | register | low]) + rest


def xop_encodings() -> Iterator[bytes]:
    for number in (8, 9, 10):
        for wide in (0x78, 0xF8):
            for opcode in range(256):
                for modrm in MODRM:
                    yield bytes([0x8F, 0xE0 | number, wide, opcode, modrm]) + bytes(8)


ENCODINGS = {"legacy": legacy_encodings, "VEX": vex_encodings, "XOP": xop_encodings}


@pytest.mark.parametrize("encodings", ENCODINGS.values(), ids=ENCODINGS)
def test_the_table_agrees_with_iced_on_every_opcode_of(encodings: object) -> None:
    """All but the width of AVX-512's mask instructions, of which the table has the foundation."""
    differing = {}
    for code in encodings():  # type: ignore[operator]
        instruction = Decoder(64, code).decode()
        names = [NAMES[number] for number in instruction.cpuid_features()]
        if instruction.is_invalid or not set(names) <= set(isa.FEATURES):
            continue
        guess = isa.by_prefix(code)
        found = guess.features if guess else frozenset()
        expected = isa.needs(names, code)
        if found != (expected & {"avx512f"} or expected):
            differing[code.hex()] = (found, expected)
    assert differing == {}


ASSEMBLY = """
pinsrq $1, 0x10(%rip), %xmm0 | pinsrd $1, %r12d, %xmm2 | pinsrb $1, %eax, %xmm1
pextrq $1, %xmm1, %rax | pextrd $1, %xmm1, %eax | pextrb $1, %xmm1, %eax | roundps $1, %xmm1, %xmm6
roundss $10, %xmm0, %xmm1 | roundsd $9, %xmm0, %xmm1 | ptest %xmm0, %xmm1 | pshufb (%rax), %xmm3
pmulld %xmm1, %xmm2 | pminsd %xmm1, %xmm2 | pmovzxbw %xmm0, %xmm1 | blendvps %xmm0, %xmm1, %xmm2
palignr $8, %xmm0, %xmm1 | pabsd %xmm0, %xmm1 | phaddd %xmm0, %xmm1 | pcmpgtq %xmm0, %xmm1
pcmpestri $0, %xmm0, %xmm1 | crc32q %rax, %rbx | crc32b %al, %ebx | popcnt %rax, %r13
lzcnt %rax, %rbx | tzcnt %rax, %rbx | movbe (%rax), %rbx | movbe %eax, (%rbx) | aesenc %xmm0, %xmm1
pclmulqdq $1, %xmm0, %xmm1 | sha256rnds2 %xmm0, %xmm1, %xmm2 | haddps %xmm0, %xmm1
lddqu (%rax), %xmm0 | movddup %xmm0, %xmm1 | fisttpl (%rax) | extrq %xmm0, %xmm1
insertq %xmm0, %xmm1 | movntss %xmm0, (%rax) | movntsd %xmm0, (%rax) | lock cmpxchg16b (%rdi)
lahf | sahf | rdtscp | xgetbv | rdrand %eax | rdseed %rax | adcx %rax, %rbx | adox %rax, %rbx
clwb (%rax) | clflushopt (%rax) | xsave (%rax) | vzeroupper | vzeroall | vmovdqa 0x10(%rip), %xmm0
vxorps %xmm0, %xmm0, %xmm0 | vpxor %xmm1, %xmm1, %xmm1 | vpxor %ymm1, %ymm1, %ymm1
vmovups %ymm0, (%rax) | vpermq $0x50, %ymm0, %ymm0 | vpbroadcastq %xmm0, %xmm3
vpshufb %ymm0, %ymm1, %ymm2 | vinserti128 $1, %xmm0, %ymm1, %ymm2 | vextractf128 $1, %ymm0, %xmm0
vfmadd231sd 8(%rcx,%rdi), %xmm1, %xmm0 | vcvtph2ps %xmm0, %ymm1 | vpgatherdd %ymm0, (%rax,%ymm1), %ymm2
vpinsrq $1, %rax, %xmm0, %xmm1 | vpsrlvq %ymm0, %ymm1, %ymm2 | vaesenc %xmm0, %xmm1, %xmm2
mulx %rax, %rsi, %rcx | shlx %r14, %rbx, %r12 | sarx %rax, %rbx, %rcx | shrx %rax, %rbx, %rcx
rorx $3, %rax, %rbx | pdep %rax, %rbx, %rcx | pext %rax, %rbx, %rcx | bzhi %rax, %rbx, %rcx
andn %rax, %rbx, %rcx | blsr %rax, %rbx | bextr %rax, %rbx, %rcx | vprotd $1, %xmm0, %xmm0
vfmaddps %xmm0, %xmm1, %xmm2, %xmm3 | vaddps %zmm0, %zmm1, %zmm2 | vpaddd %ymm0, %ymm1, %ymm17
kmovw %eax, %k1 | mov %rax, %rbx | add $1, %eax | divl (%rax) | idivl 0x14(%rsi) | ud2 | int3
endbr64 | pause | movdqa %xmm0, %xmm1 | nopw (%rax) | cmovne %eax, %ebx | call *%rax | pop %rax
"""


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """The assembler's own encodings, with what was asked of it."""
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    lines = [line.strip() for line in ASSEMBLY.replace("\n", "|").split("|") if line.strip()]
    source = tmp_path_factory.mktemp("assembly") / "f.s"
    source.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["cc", "-c", "-o", "f.o", "f.s"],
        cwd=source.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        conftest.lacking("cc", f"this assembler cannot: {done.stderr.strip()[-200:]}")
    return list(zip(lines, split(source.with_name("f.o")), strict=True))


def split(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        data = ELFFile(file).get_section_by_name(".text").data()
    for instruction in Decoder(64, data):
        start = instruction.ip
        yield data[start : start + instruction.len]


def test_the_table_agrees_with_iced_on_what_the_assembler_makes(
    assembled: list[tuple[str, bytes]],
) -> None:
    assert len(assembled) >= 60
    for line, code in assembled:
        answer = by_iced(code)
        assert answer is not None, line
        expected = isa.needs(answer[1], code)
        guess = isa.by_prefix(code)
        found = guess.features if guess else frozenset()
        assert found == (expected & {"avx512f"} or expected), line


def test_the_table_names_instructions_as_the_assembler_does(
    assembled: list[tuple[str, bytes]],
) -> None:
    for line, code in assembled:
        guess = isa.by_prefix(code)
        if guess is not None and not guess.text.startswith(("a ", "an ")):
            assert line.removeprefix("lock ").split()[0].startswith(guess.text), line


GUESSES = {
    "pinsrq of numpy 2.4": ("66480f3a2205b972910001", "pinsrq", {"sse4_1"}),
    "pinsrd without REX.W": ("660f3a22c001", "pinsrd", {"sse4_1"}),
    "vmovdqa of polars": ("c5f96f058e3cacf8", "vmovdqa", {"avx"}),
    "shlx of polars": ("c46289f7e3", "shlx", {"bmi2"}),
    "mulx of duckdb": ("c4e2cbf6c8", "mulx", {"bmi2"}),
    "FMA": ("c4e2f1b9443908", "an FMA instruction", {"avx", "fma"}),
    "EVEX": ("62f17c4858c0", "an EVEX-encoded instruction", {"avx512f"}),
    "XOP": ("8fe878c2c001", "an XOP-encoded instruction", {"avx", "xop"}),
    "TBM": ("8fe97801c8", "a TBM instruction", {"tbm"}),
    "TBM's own bextr": ("8fea7810c000000000", "bextr", {"tbm"}),
    "FMA4": ("c4e3e96bd930", "an FMA4 instruction", {"avx", "fma4"}),
    "3DNow!": ("0f0fc0b4", "a 3DNow! instruction", {"3dnow"}),
    "a mask instruction": ("c5f892c8", "an AVX-512 mask instruction", {"avx512f"}),
    "AMX": ("c4e27b49c0", "an AMX instruction", {"amx_tile"}),
    "a VEX form of no name": ("c5f958c0", "a VEX-encoded instruction", {"avx"}),
    "AES on 256 bits": ("c4e27ddcc0", "vaesenc", {"avx", "vaes"}),
    "a trap": ("0f0b", "ud2", set()),
    "another trap": ("0fb9c0", "ud1", set()),
    "the third trap": ("0fffc0", "ud0", set()),
    "a breakpoint": ("cc", "int3", set()),
    "a transaction": ("c7f800000000", "xbegin", {"rtm"}),
}


@pytest.mark.parametrize(("code", "text", "needed"), GUESSES.values(), ids=GUESSES)
def test_by_prefix(code: str, text: str, needed: set[str]) -> None:
    assert isa.by_prefix(bytes.fromhex(code)) == (text, needed)


UNKNOWN = {
    "nothing": "",
    "prefixes only": "66f2",
    "REX only": "48",
    "an escape cut short": "0f",
    "VEX cut short": "c4e2",
    "EVEX of a map that there is not": "62f47c4858c0",
    "pop": "8fc0909090",
    "LWP": "8fea7812c000000000",
    "mov": "488b00",
    "8-byte compare and exchange": "0fc708",
    "monitor": "0f01c8",
}


@pytest.mark.parametrize("code", UNKNOWN.values(), ids=UNKNOWN)
def test_the_table_says_nothing_about(code: str) -> None:
    assert isa.by_prefix(bytes.fromhex(code)) is None


TRAPS = {
    "ud2": ("0f0b", True),
    "ud1": ("0fb9c0", True),
    "int3": ("cc", True),
    "ud2 behind a prefix": ("660f0b", True),
    "syscall": ("0f05", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("code", "expected"), TRAPS.values(), ids=TRAPS)
def test_a_trap_is(code: str, expected: bool) -> None:
    assert isa.is_trap(bytes.fromhex(code)) is expected


DIVISIONS = {
    "idivl of Xbyak": ("f77e14", True),
    "div of a byte": ("f6f1", True),
    "64-bit idiv": ("48f7f9", True),
    "16-bit div": ("66f7f1", True),
    "mul": ("f7e1", False),
    "not": ("f7d0", False),
    "cut short": ("f7", False),
    "divss": ("f30f5ec1", False),
}


@pytest.mark.parametrize(("code", "expected"), DIVISIONS.values(), ids=DIVISIONS)
def test_a_division_is(code: str, expected: bool) -> None:
    assert isa.is_divide(bytes.fromhex(code)) is expected


MISTAKEN = {
    "XOP": ("8fe878c2c001", {"avx", "xop"}),
    "TBM": ("8fe97801c8", {"tbm"}),
    "a gather by ymm4": ("c4e27d9294a020050000", {"avx", "avx2"}),
    "a gather by ymm4, onto high registers": ("c442459274a208", {"avx", "avx2"}),
    "a gather by ymm5": ("c4e27d9294a820050000", set()),
    "a gather by ymm12": ("c4a27d9294a020050000", set()),
    "an FMA instruction with the same bytes behind": ("c4e27d9894a020050000", set()),
    "a gather cut short": ("c4e27d9294", set()),
    "a real pop": ("8f0090909090", set()),
    "a load": ("488b00", set()),
    "cut short": ("8fe8", set()),
}


@pytest.mark.parametrize(("code", "expected"), MISTAKEN.values(), ids=MISTAKEN)
def test_what_qemu_takes_for_a_pop(code: str, expected: set[str]) -> None:
    assert isa.unjudgeable(bytes.fromhex(code)) == expected


@given(st.binary(max_size=16))
def test_any_bytes_are_a_guess_or_none(code: bytes) -> None:
    guess = isa.by_prefix(code)
    assert guess is None or (guess.text and guess.features <= features.KNOWN)
    isa.unjudgeable(code)
    isa.is_divide(code)
    isa.is_trap(code)
