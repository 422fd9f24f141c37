"""Which features an instruction needs: by the disassembler's names, or by its first bytes alone.

`FEATURES` translates what iced-x86 calls a feature into what `/proc/cpuinfo` calls it. Where iced
is absent, `by_prefix` tells the instruction sets that old CPUs lack from the prefixes, the opcode
map and the opcode (Intel SDM volume 2, appendix A; AMD APM volume 4 for SSE4a, volume 6 for XOP).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

Features = frozenset[str]

_NONE: Final[Features] = frozenset()
_AVX: Final = frozenset({"avx"})
_AVX512: Final = frozenset({"avx512f"})

_BASELINE: Final = (
    *"INTEL8086 INTEL8086_ONLY INTEL186 INTEL286 INTEL286_ONLY INTEL386 INTEL386_ONLY".split(),
    *"INTEL386_A0_ONLY INTEL486 INTEL486_A_ONLY X64 FPU FPU287 FPU287XL_ONLY FPU387".split(),
    *"FPU387SL_ONLY MMX SSE SSE2 CMOV CX8 CPUID FXSR SYSCALL TSC CLFSH SEP MSR RDPMC".split(),
)
"""Part of x86-64 itself: every CPU that runs 64-bit programs has it."""

_HINTS: Final = (
    *"CET_IBT CET_SS CLDEMOTE MULTIBYTENOP PAUSE PREFETCHITI PREFETCHW PREFETCHWT1".split(),
)
"""Hint space: a CPU that does not know them runs them as a NOP."""

_OWN_NAME: Final = (
    *"ADX AES BMI1 BMI2 CLFLUSHOPT CLWB FSGSBASE GFNI HLE MOVBE MOVDIR64B MOVDIRI".split(),
    *"PCLMULQDQ POPCNT RDPID RDRAND RDSEED RDTSCP RTM SERIALIZE SSE4A SSE4_1 SSE4_2 SSSE3".split(),
    *"TBM XSAVE XSAVEC XSAVEOPT".split(),
)
"""Linux calls them what iced does."""

_RENAMED: Final[Mapping[str, str]] = {
    "CMPXCHG16B": "cx16",
    "D3NOW": "3dnow",
    "D3NOWEXT": "3dnowext",
    "HLE_OR_RTM": "rtm",
    "LZCNT": "abm",
    "SHA": "sha_ni",
    "SSE3": "pni",
}
_WITH_AVX: Final[Mapping[str, str]] = {
    **{name: name.lower() for name in "AVX AVX2 FMA F16C FMA4 XOP VAES VPCLMULQDQ".split()},
    **{name: name.lower() for name in "AVX_VNNI AVX_IFMA".split()},
}
"""VEX- and XOP-encoded: the extension, and AVX, which it rests on."""

_WITH_AVX512: Final[Mapping[str, str]] = {
    **{f"AVX512{name}": f"avx512{name.lower()}" for name in "F BW CD DQ ER PF VL".split()},
    "AVX512_IFMA": "avx512ifma",
    "AVX512_VBMI": "avx512vbmi",
    **{
        f"AVX512_{name}": f"avx512_{name.lower()}"
        for name in "4FMAPS 4VNNIW BF16 BITALG FP16 VBMI2 VNNI VP2INTERSECT VPOPCNTDQ".split()
    },
}
_WITH_TILES: Final[Mapping[str, str]] = {
    f"AMX_{name}": f"amx_{name.lower()}" for name in "TILE INT8 BF16 FP16".split()
}

FEATURES: Final[Mapping[str, Features]] = {
    **dict.fromkeys((*_BASELINE, *_HINTS), _NONE),
    **{name: frozenset({name.lower()}) for name in _OWN_NAME},
    **{name: frozenset({other}) for name, other in _RENAMED.items()},
    **{name: _AVX | {other} for name, other in _WITH_AVX.items()},
    **{name: _AVX512 | {other} for name, other in _WITH_AVX512.items()},
    **{name: frozenset({"amx_tile", other}) for name, other in _WITH_TILES.items()},
}
"""iced's `CpuidFeature` names to the names of `/proc/cpuinfo`; nothing for what never faults.

Names that are missing here (`SHA512`, `WAITPKG`, ...) belong to instructions of which Linux shows
no flag, or which user space cannot execute.
"""


class Guess(NamedTuple):
    """What the first bytes of an instruction tell."""

    text: str
    """The mnemonic, or `a VEX-encoded instruction` and the like where the table has no name."""
    features: Features


class _Row(NamedTuple):
    """Mnemonics of consecutive opcodes; `a/b` names the forms without and with REX.W."""

    prefixes: str
    """The mandatory prefixes that it stands under: `-` none, `6` 66, `3` F3, `2` F2."""
    opcode: int
    features: str
    names: str


class _Extended(NamedTuple):
    """An opcode of the 0F map whose ModRM byte tells the instruction."""

    prefixes: str
    opcode: int
    operand: int
    """The ModRM byte's middle field."""
    memory: bool
    features: str
    name: str


_MAP1: Final = (
    _Row("-632", 0x0E, "3dnow", "femms"),
    _Row("-632", 0x0F, "3dnow", "?"),
    _Row("3", 0xB8, "popcnt", "popcnt"),
    _Row("3", 0xBC, "bmi1", "tzcnt"),
    _Row("3", 0xBD, "abm", "lzcnt"),
    _Row("6", 0x7C, "pni", "haddpd hsubpd"),
    _Row("2", 0x7C, "pni", "haddps hsubps"),
    _Row("6", 0xD0, "pni", "addsubpd"),
    _Row("2", 0xD0, "pni", "addsubps"),
    _Row("2", 0xF0, "pni", "lddqu"),
    _Row("3", 0x12, "pni", "movsldup"),
    _Row("3", 0x16, "pni", "movshdup"),
    _Row("2", 0x12, "pni", "movddup"),
    _Row("6", 0x78, "sse4a", "extrq extrq"),
    _Row("2", 0x78, "sse4a", "insertq insertq"),
    _Row("3", 0x2B, "sse4a", "movntss"),
    _Row("2", 0x2B, "sse4a", "movntsd"),
)
_MAP2: Final = (
    _Row("-6", 0x00, "ssse3", "pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw"),
    _Row("-6", 0x08, "ssse3", "psignb psignw psignd pmulhrsw"),
    _Row("-6", 0x1C, "ssse3", "pabsb pabsw pabsd"),
    _Row("6", 0x10, "sse4_1", "pblendvb"),
    _Row("6", 0x14, "sse4_1", "blendvps blendvpd"),
    _Row("6", 0x17, "sse4_1", "ptest"),
    _Row("6", 0x20, "sse4_1", "pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq"),
    _Row("6", 0x28, "sse4_1", "pmuldq pcmpeqq movntdqa packusdw"),
    _Row("6", 0x30, "sse4_1", "pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq"),
    _Row("6", 0x37, "sse4_2", "pcmpgtq"),
    _Row("6", 0x38, "sse4_1", "pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud"),
    _Row("6", 0x40, "sse4_1", "pmulld phminposuw"),
    _Row("-", 0xC8, "sha_ni", "sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2"),
    _Row("6", 0xCF, "gfni", "gf2p8mulb"),
    _Row("6", 0xDB, "aes", "aesimc aesenc aesenclast aesdec aesdeclast"),
    _Row("-6", 0xF0, "movbe", "movbe movbe"),
    _Row("2", 0xF0, "sse4_2", "crc32 crc32"),
    _Row("6", 0xF6, "adx", "adcx"),
    _Row("3", 0xF6, "adx", "adox"),
    _Row("6", 0xF8, "movdir64b", "movdir64b"),
    _Row("-", 0xF9, "movdiri", "movdiri"),
)
_MAP3: Final = (
    _Row("6", 0x08, "sse4_1", "roundps roundpd roundss roundsd blendps blendpd pblendw"),
    _Row("-6", 0x0F, "ssse3", "palignr"),
    _Row("6", 0x14, "sse4_1", "pextrb pextrw pextrd/pextrq extractps"),
    _Row("6", 0x20, "sse4_1", "pinsrb insertps pinsrd/pinsrq"),
    _Row("6", 0x40, "sse4_1", "dpps dppd mpsadbw"),
    _Row("6", 0x44, "pclmulqdq", "pclmulqdq"),
    _Row("6", 0x60, "sse4_2", "pcmpestrm pcmpestri pcmpistrm pcmpistri"),
    _Row("-", 0xCC, "sha_ni", "sha1rnds4"),
    _Row("6", 0xCE, "gfni", "gf2p8affineqb gf2p8affineinvqb"),
    _Row("6", 0xDF, "aes", "aeskeygenassist"),
)
_EXTENDED: Final = (
    _Extended("-632", 0xC7, 1, memory=True, features="cx16", name="cmpxchg16b"),
    _Extended("-", 0xC7, 4, memory=True, features="xsavec", name="xsavec"),
    _Extended("-6", 0xC7, 6, memory=False, features="rdrand", name="rdrand"),
    _Extended("-6", 0xC7, 7, memory=False, features="rdseed", name="rdseed"),
    _Extended("3", 0xC7, 7, memory=False, features="rdpid", name="rdpid"),
    _Extended("3", 0xAE, 0, memory=False, features="fsgsbase", name="rdfsbase"),
    _Extended("3", 0xAE, 1, memory=False, features="fsgsbase", name="rdgsbase"),
    _Extended("3", 0xAE, 2, memory=False, features="fsgsbase", name="wrfsbase"),
    _Extended("3", 0xAE, 3, memory=False, features="fsgsbase", name="wrgsbase"),
    _Extended("-", 0xAE, 4, memory=True, features="xsave", name="xsave"),
    _Extended("-", 0xAE, 5, memory=True, features="xsave", name="xrstor"),
    _Extended("-", 0xAE, 6, memory=True, features="xsaveopt", name="xsaveopt"),
    _Extended("6", 0xAE, 6, memory=True, features="clwb", name="clwb"),
    _Extended("6", 0xAE, 7, memory=True, features="clflushopt", name="clflushopt"),
)
_SYSTEM: Final[Mapping[int, tuple[str, str, str]]] = {
    0xD0: ("-", "xgetbv", "xsave"),
    0xD1: ("-", "xsetbv", "xsave"),
    0xD5: ("-", "xend", "rtm"),
    0xD6: ("-", "xtest", "rtm"),
    0xE8: ("-", "serialize", "serialize"),
    0xF9: ("-632", "rdtscp", "rdtscp"),
}
"""0F 01, by the whole ModRM byte."""

_VEX1: Final = (
    _Row("-", 0x10, "avx", "vmovups vmovups"),
    _Row("6", 0x10, "avx", "vmovupd vmovupd"),
    _Row("3", 0x10, "avx", "vmovss vmovss"),
    _Row("2", 0x10, "avx", "vmovsd vmovsd"),
    _Row("-", 0x28, "avx", "vmovaps vmovaps"),
    _Row("6", 0x28, "avx", "vmovapd vmovapd"),
    _Row("-", 0x57, "avx", "vxorps"),
    _Row("6", 0x57, "avx", "vxorpd"),
    _Row("6", 0x6E, "avx", "vmovd/vmovq vmovdqa"),
    _Row("3", 0x6F, "avx", "vmovdqu"),
    _Row("6", 0x7F, "avx", "vmovdqa"),
    _Row("3", 0x7F, "avx", "vmovdqu"),
    *(_Row("-6", opcode, "avx512f", "? ?") for opcode in (0x41, 0x44, 0x46, 0x4A, 0x98)),
    *(_Row("-62", opcode, "avx512f", "? ?") for opcode in (0x90, 0x92)),
)
_VEX2: Final = (
    _Row("6", 0x13, "avx f16c", "vcvtph2ps"),
    _Row("6", 0x16, "avx avx2", "vpermps"),
    _Row("6", 0x36, "avx avx2", "vpermd"),
    _Row("6", 0x45, "avx avx2", "vpsrlvd/vpsrlvq vpsravd vpsllvd/vpsllvq"),
    _Row("-632", 0x49, "amx_tile", "? ? ?"),
    _Row("6", 0x50, "avx avx_vnni", "vpdpbusd vpdpbusds vpdpwssd vpdpwssds"),
    _Row("6", 0x58, "avx avx2", "vpbroadcastd vpbroadcastq vbroadcasti128"),
    _Row("3", 0x5C, "amx_tile amx_bf16", "tdpbf16ps"),
    _Row("2", 0x5C, "amx_tile amx_fp16", "tdpfp16ps"),
    _Row("-632", 0x5E, "amx_tile amx_int8", "?"),
    _Row("6", 0x78, "avx avx2", "vpbroadcastb vpbroadcastw"),
    _Row("6", 0x8C, "avx avx2", "vpmaskmovd/vpmaskmovq ? vpmaskmovd/vpmaskmovq"),
    _Row("6", 0x90, "avx avx2", "vpgatherdd/vpgatherdq vpgatherqd/vpgatherqq"),
    _Row("6", 0x92, "avx avx2", "vgatherdps/vgatherdpd vgatherqps/vgatherqpd"),
    *(_Row("6", opcode, "avx fma", "? ? ? ? ? ? ? ? ? ?") for opcode in (0x96, 0xA6, 0xB6)),
    _Row("6", 0xB4, "avx avx_ifma", "vpmadd52luq vpmadd52huq"),
    _Row("-", 0xF2, "bmi1", "andn ?"),
    _Row("-", 0xF5, "bmi2", "bzhi"),
    _Row("3", 0xF5, "bmi2", "pext"),
    _Row("2", 0xF5, "bmi2", "pdep mulx"),
    _Row("-", 0xF7, "bmi1", "bextr"),
    _Row("6", 0xF7, "bmi2", "shlx"),
    _Row("3", 0xF7, "bmi2", "sarx"),
    _Row("2", 0xF7, "bmi2", "shrx"),
)
_VEX3: Final = (
    _Row("6", 0x00, "avx avx2", "vpermq vpermpd vpblendd"),
    _Row("6", 0x18, "avx", "vinsertf128 vextractf128"),
    _Row("6", 0x1D, "avx f16c", "vcvtps2ph"),
    _Row("6", 0x30, "avx512f", "? ? ? ?"),
    _Row("6", 0x38, "avx avx2", "vinserti128 vextracti128"),
    _Row("6", 0x46, "avx avx2", "vperm2i128"),
    _Row("6", 0x48, "avx xop", "vpermil2ps vpermil2pd"),
    _Row("6", 0x5C, "avx fma4", "? ? ? ?"),
    _Row("6", 0x68, "avx fma4", "? ? ? ? ? ? ? ?"),
    _Row("6", 0x78, "avx fma4", "? ? ? ? ? ? ? ?"),
    _Row("2", 0xF0, "bmi2", "rorx"),
)
_Key = tuple[int, str, int]


def _spread(maps: Mapping[int, Iterable[_Row]]) -> dict[_Key, tuple[str, Features]]:
    """Return the rows by opcode map, mandatory prefix and opcode."""
    return {
        (number, prefix, row.opcode + index): (name, frozenset(row.features.split()))
        for number, rows in maps.items()
        for row in rows
        for index, name in enumerate(row.names.split())
        for prefix in row.prefixes
    }


_LEGACY: Final = _spread({1: _MAP1, 2: _MAP2, 3: _MAP3})
_VEX: Final = _spread({1: _VEX1, 2: _VEX2, 3: _VEX3})
_BY_MODRM: Final = {
    (prefix, item.opcode, item.operand, item.memory): item
    for item in _EXTENDED
    for prefix in item.prefixes
}


def _opcodes(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(code for first, last in ranges for code in range(first, last + 1))


_INTEGER: Final[Mapping[int, frozenset[int]]] = {
    1: _opcodes((0x60, 0x6D), (0x70, 0x76), (0xD1, 0xD5), (0xD7, 0xE5), (0xE8, 0xEF), (0xF1, 0xFE)),
    2: _opcodes((0x00, 0x0B), (0x1C, 0x1E), (0x20, 0x25), (0x28, 0x2B), (0x30, 0x40)),
    3: _opcodes((0x0E, 0x0F), (0x42, 0x42), (0x4C, 0x4C)),
}
"""By opcode map: integer operations, which AVX has for 128 bits and AVX2 for 256."""

_BROADCASTS: Final = _opcodes((0x18, 0x19))
"""From memory AVX, from a register AVX2."""

_STANDS_ALONE: Final = frozenset({"aes", "pclmulqdq", "gfni"})
"""Of these, the VEX form needs AVX beside them; of SSE's families it needs AVX alone."""

_WIDENED: Final[Mapping[str, str]] = {"aes": "vaes", "pclmulqdq": "vpclmulqdq"}
"""What the 256-bit form needs instead."""

_FAMILIES: Final[Mapping[str, str]] = {
    "3dnow": "a 3DNow! instruction",
    "amx_tile": "an AMX instruction",
    "avx512f": "an AVX-512 mask instruction",
    "bmi1": "a BMI1 instruction",
    "fma": "an FMA instruction",
    "fma4": "an FMA4 instruction",
}
_PREFIXES: Final = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_TRAPS: Final[Mapping[bytes, str]] = {
    b"\x0f\x0b": "ud2",
    b"\x0f\xb9": "ud1",
    b"\x0f\xff": "ud0",
    b"\xcc": "int3",
}


class _Parts(NamedTuple):
    """An instruction after its legacy prefixes and REX."""

    prefix: str
    wide: bool
    rest: bytes


def _parts(code: bytes) -> _Parts:
    length = next((i for i, byte in enumerate(code) if byte not in _PREFIXES), len(code))
    prefixes, rest = code[:length], code[length:]
    repeats = [byte for byte in prefixes if byte in {0xF2, 0xF3}]
    prefix = "6" if 0x66 in prefixes else "-"
    if repeats:
        prefix = "2" if repeats[-1] == 0xF2 else "3"
    rex = bool(rest) and 0x40 <= rest[0] <= 0x4F
    return _Parts(prefix, rex and bool(rest[0] & 8), rest[rex:])


def by_prefix(code: bytes) -> Guess | None:
    """Tell an instruction that old CPUs may lack, a trap or a division by its first bytes.

    None where it is another one, or where the bytes end too early. Of AVX-512 only the foundation
    is named: what else an instruction needs is in its opcode, and the foundation is what is missing
    on every CPU that this doctor is for.
    """
    parts = _parts(code)
    try:
        if parts.rest[0] in {0xC4, 0xC5}:
            return _vex(parts.rest)
        if parts.rest[0] == 0x62:
            return _evex(parts.rest)
        if parts.rest[0] == 0x8F:
            return _xop(parts.rest)
        return _escaped(parts) if parts.rest[0] == 0x0F else _one_byte(parts)
    except IndexError:
        return None


def is_trap(code: bytes) -> bool:
    """True for an instruction that exists to stop the program: `ud2` and the like."""
    return trap(code) is not None


def trap(code: bytes) -> str | None:
    """Return the name of such an instruction."""
    rest = _parts(code).rest
    return next((name for start, name in _TRAPS.items() if rest.startswith(start)), None)


def is_divide(code: bytes) -> bool:
    """True for `div` and `idiv`, which fault on zero and on overflow."""
    rest = _parts(code).rest
    return len(rest) > 1 and rest[0] in {0xF6, 0xF7} and _operand(rest[1]) in {6, 7}


def unjudgeable(code: bytes) -> Features:
    """Return the features of an instruction that QEMU's TCG takes for another one.

    It plays XOP's escape byte as `pop`, and until 9.1 a gather whose index is register 4 with
    another register as index (QEMU issue 2474): both mostly end in SIGSEGV, and a fault there
    says nothing about the CPU. Empty for every other instruction.
    """
    rest = _parts(code).rest
    if _is_gather_by_4(rest):
        return frozenset({"avx", "avx2"})
    guess = _xop(rest) if len(rest) > 3 and rest[0] == 0x8F else None
    return guess.features if guess else _NONE


def _is_gather_by_4(rest: bytes) -> bool:
    """True for VEX.66.0F38 90 to 93 with the index xmm4 or ymm4, where SIB has "no index"."""
    if len(rest) < 6 or rest[0] != 0xC4 or rest[1] & 0x5F != 0x42:  # map 2, X not extended
        return False
    return (
        rest[2] & 3 == 1 and 0x90 <= rest[3] <= 0x93 and rest[4] & 7 == 4 and rest[5] >> 3 & 7 == 4
    )


def needs(names: Iterable[str], code: bytes) -> Features:
    """Translate what iced says that this instruction needs; what Linux has no flag for is left out.

    `lahf` and `sahf` are as old as the 8086, but not in 64-bit mode, where alone we meet them.
    """
    if _parts(code).rest[:1] in {b"\x9e", b"\x9f"}:
        return frozenset({"lahf_lm"})
    return frozenset().union(*(FEATURES.get(name, _NONE) for name in names))


def is_baseline(names: Iterable[str]) -> bool:
    """True where x86-64 itself has what iced names: the instruction is supported everywhere."""
    return all(name in FEATURES and not FEATURES[name] for name in names)


def _operand(modrm: int) -> int:
    return modrm >> 3 & 7


def _one_byte(parts: _Parts) -> Guess | None:
    opcode = parts.rest[0]
    if opcode in {0x9E, 0x9F}:
        return Guess("sahf" if opcode == 0x9E else "lahf", frozenset({"lahf_lm"}))
    if opcode == 0xCC:
        return Guess("int3", _NONE)
    modrm = parts.rest[1]
    if is_divide(parts.rest):
        return Guess("div" if _operand(modrm) == 6 else "idiv", _NONE)
    if opcode in {0xDB, 0xDD, 0xDF} and _operand(modrm) == 1 and modrm < 0xC0:
        return Guess("fisttp", frozenset({"pni"}))
    if opcode in {0xC6, 0xC7} and modrm == 0xF8:
        return Guess("xabort" if opcode == 0xC6 else "xbegin", frozenset({"rtm"}))
    return None


def _escaped(parts: _Parts) -> Guess | None:
    """Read the maps 0F, 0F 38 and 0F 3A."""
    stop = trap(parts.rest)
    if stop:
        return Guess(stop, _NONE)
    number, skip = {0x38: (2, 2), 0x3A: (3, 2)}.get(parts.rest[1], (1, 1))
    opcode = parts.rest[skip]
    if number == 1 and opcode in {0x01, 0xAE, 0xC7}:
        return _by_modrm(parts, opcode, parts.rest[2])
    found = _LEGACY.get((number, parts.prefix, opcode))
    return Guess(_named(found, wide=parts.wide), found[1]) if found else None


def _by_modrm(parts: _Parts, opcode: int, modrm: int) -> Guess | None:
    if opcode == 0x01:
        prefixes, name, feature = _SYSTEM.get(modrm, ("", "", ""))
        return Guess(name, frozenset({feature})) if parts.prefix in prefixes else None
    found = _BY_MODRM.get((parts.prefix, opcode, _operand(modrm), modrm < 0xC0))
    if found is None or (found.name == "cmpxchg16b" and not parts.wide):
        return None
    return Guess(found.name, frozenset({found.features}))


def _named(found: tuple[str, Features], *, wide: bool, escape: str = "") -> str:
    """Return the mnemonic, or the family where the table has none."""
    narrow, _, broad = found[0].partition("/")
    name = broad if wide and broad else narrow
    if name != "?":
        return escape + name
    family = next((words for feature, words in _FAMILIES.items() if feature in found[1]), "")
    return family or "a VEX-encoded instruction"


def _vex(rest: bytes) -> Guess:
    if rest[0] == 0xC5:
        number, wide, bits, opcode = 1, False, rest[1], rest[2]
        modrm = rest[3] if opcode != 0x77 else 0
    else:
        number, wide, bits, opcode = rest[1] & 31, rest[2] >= 0x80, rest[2], rest[3]
        modrm = rest[4] if opcode != 0x77 else 0
    prefix, long = "-632"[bits & 3], bool(bits & 4)
    if (number, opcode) == (1, 0x77):
        return Guess("vzeroall" if long else "vzeroupper", _AVX)
    found = _VEX.get((number, prefix, opcode))
    if found:
        return Guess(_named(found, wide=wide), found[1])
    older = _LEGACY.get((number, prefix, opcode))
    text = _named(older, wide=wide, escape="v") if older else "a VEX-encoded instruction"
    return Guess(text, _AVX | _beside_avx(number, opcode, modrm, long=long, older=older))


def _beside_avx(
    number: int, opcode: int, modrm: int, *, long: bool, older: tuple[str, Features] | None
) -> Features:
    """Return what the VEX form of an SSE instruction needs beside AVX."""
    if older and older[1] <= _STANDS_ALONE:
        return frozenset(_WIDENED.get(name, name) if long else name for name in older[1])
    broadcast = number == 2 and opcode in _BROADCASTS and modrm >= 0xC0
    if broadcast or (long and opcode in _INTEGER.get(number, ())):
        return frozenset({"avx2"})
    return _NONE


def _evex(rest: bytes) -> Guess | None:
    if rest[1] & 7 not in {1, 2, 3, 5, 6}:
        return None
    return Guess("an EVEX-encoded instruction", _AVX512)


def _xop(rest: bytes) -> Guess | None:
    """Read XOP and TBM, which share the escape byte with `pop` and tell themselves by the map."""
    number, opcode = rest[1] & 31, rest[3]
    if number == 9 and opcode in {0x01, 0x02}:
        return Guess("a TBM instruction", frozenset({"tbm"}))
    if number == 10 and opcode == 0x10:
        return Guess("bextr", frozenset({"tbm"}))
    if number in {8, 9, 10} and opcode != 0x12:
        return Guess("an XOP-encoded instruction", _AVX | {"xop"})
    return None
