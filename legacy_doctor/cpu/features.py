"""What each CPUID bit is called, and which bits make up the x86-64 microarchitecture levels.

Names are those of `/proc/cpuinfo` (`arch/x86/include/asm/cpufeatures.h` of Linux): SSE3 is
`pni`, LZCNT is `abm`. Only features that a user-space program can execute (or must test before
executing) are listed. Bits: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
Levels: System V psABI for x86-64, table 3.1 "Micro-Architecture Levels".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple


class Word(NamedTuple):
    """One 32-bit CPUID output: the leaf and sub-leaf asked for and the register that answers."""

    leaf: int
    subleaf: int
    register: str


BITS: Final[Mapping[Word, Mapping[int, str]]] = {
    Word(1, 0, "edx"): {
        0: "fpu",
        4: "tsc",
        8: "cx8",
        15: "cmov",
        23: "mmx",
        24: "fxsr",
        25: "sse",
        26: "sse2",
    },
    Word(1, 0, "ecx"): {
        0: "pni",
        1: "pclmulqdq",
        9: "ssse3",
        12: "fma",
        13: "cx16",
        19: "sse4_1",
        20: "sse4_2",
        22: "movbe",
        23: "popcnt",
        25: "aes",
        26: "xsave",
        28: "avx",
        29: "f16c",
        30: "rdrand",
    },
    Word(7, 0, "ebx"): {
        0: "fsgsbase",
        3: "bmi1",
        4: "hle",
        5: "avx2",
        8: "bmi2",
        9: "erms",
        11: "rtm",
        16: "avx512f",
        17: "avx512dq",
        18: "rdseed",
        19: "adx",
        21: "avx512ifma",
        23: "clflushopt",
        24: "clwb",
        26: "avx512pf",
        27: "avx512er",
        28: "avx512cd",
        29: "sha_ni",
        30: "avx512bw",
        31: "avx512vl",
    },
    Word(7, 0, "ecx"): {
        1: "avx512vbmi",
        6: "avx512_vbmi2",
        8: "gfni",
        9: "vaes",
        10: "vpclmulqdq",
        11: "avx512_vnni",
        12: "avx512_bitalg",
        14: "avx512_vpopcntdq",
        22: "rdpid",
        27: "movdiri",
        28: "movdir64b",
    },
    Word(7, 0, "edx"): {
        2: "avx512_4vnniw",
        3: "avx512_4fmaps",
        8: "avx512_vp2intersect",
        14: "serialize",
        22: "amx_bf16",
        23: "avx512_fp16",
        24: "amx_tile",
        25: "amx_int8",
    },
    Word(7, 1, "eax"): {
        4: "avx_vnni",
        5: "avx512_bf16",
        21: "amx_fp16",
        23: "avx_ifma",
    },
    Word(0xD, 1, "eax"): {
        0: "xsaveopt",
        1: "xsavec",
    },
    Word(0x80000001, 0, "edx"): {
        11: "syscall",
        22: "mmxext",
        27: "rdtscp",
        29: "lm",
        30: "3dnowext",
        31: "3dnow",
    },
    Word(0x80000001, 0, "ecx"): {
        0: "lahf_lm",
        5: "abm",
        6: "sse4a",
        7: "misalignsse",
        8: "3dnowprefetch",
        11: "xop",
        16: "fma4",
        21: "tbm",
    },
}

KNOWN: Final[frozenset[str]] = frozenset(name for word in BITS.values() for name in word.values())

HYPERVISOR_BIT: Final = 31
"""Leaf 1, ECX: set by every hypervisor, reserved (0) on silicon."""

OSXSAVE_BIT: Final = 27
"""Leaf 1, ECX: the operating system has enabled XSAVE, so XGETBV may be executed."""

XCR0_YMM: Final = 0b110
XCR0_ZMM: Final = 0b1110_0110
XCR0_TILE: Final = 0b110 << 16

_NEEDS_YMM: Final = frozenset(
    ["avx", "avx2", "fma", "f16c", "xop", "fma4", "vaes", "vpclmulqdq", "avx_vnni", "avx_ifma"]
)

LEVELS: Final[Mapping[str, frozenset[str]]] = {
    "x86-64-v1": frozenset(["cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse", "sse2"]),
    "x86-64-v2": frozenset(["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"]),
    "x86-64-v3": frozenset(["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]),
    "x86-64-v4": frozenset(["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
}
"""What each level adds to the one before it. OSXSAVE of the table is not a silicon feature: it
says that the system saves the registers, which `permitted` applies to `avx` and its kin."""

_V2: Final = LEVELS["x86-64-v2"]
_V3: Final = _V2 | LEVELS["x86-64-v3"]
_V4: Final = _V3 | LEVELS["x86-64-v4"]
_BULLDOZER: Final = _V2 | {"avx", "xop", "fma4"}
_PILEDRIVER: Final = _BULLDOZER | {"f16c", "fma", "bmi1", "tbm"}

COMPILER_TARGETS: Final[Mapping[str, frozenset[str]]] = {
    "generic": frozenset(),
    "x86-64": frozenset(),
    "x86-64-v2": _V2,
    "x86-64-v3": _V3,
    "x86-64-v4": _V4,
    "nocona": frozenset({"pni", "cx16"}),
    **dict.fromkeys(("k8", "opteron", "athlon64"), frozenset[str]()),
    "k8-sse3": frozenset({"pni"}),
    **dict.fromkeys(("amdfam10", "barcelona"), frozenset({"pni", "sse4a", "popcnt"})),
    "btver1": frozenset({"ssse3", "sse4a", "popcnt"}),
    "btver2": _V2 | {"avx", "f16c", "movbe", "bmi1"},
    "core2": frozenset({"ssse3"}),
    "penryn": frozenset({"sse4_1"}),
    **dict.fromkeys(("bonnell", "atom"), frozenset({"ssse3", "movbe"})),
    **dict.fromkeys(("silvermont", "goldmont", "goldmont-plus", "tremont"), _V2 | {"movbe"}),
    **dict.fromkeys(("nehalem", "corei7", "westmere"), _V2),
    **dict.fromkeys(("sandybridge", "corei7-avx"), _V2 | {"avx"}),
    **dict.fromkeys(("ivybridge", "core-avx-i"), _V2 | {"avx", "f16c"}),
    **dict.fromkeys(("haswell", "core-avx2", "broadwell", "skylake", "alderlake"), _V3),
    **dict.fromkeys(("skylake-avx512", "icelake-client", "icelake-server"), _V4),
    "bdver1": _BULLDOZER,
    **dict.fromkeys(("bdver2", "bdver3"), _PILEDRIVER),
    "bdver4": _V3 | _PILEDRIVER,
    **dict.fromkeys(("znver1", "znver2", "znver3"), _V3),
    **dict.fromkeys(("znver4", "znver5"), _V4),
}
"""What GCC's and LLVM's `-march=` names let a compiler use, above x86-64-v1."""

DISPLAY: Final[Mapping[str, str]] = {
    "pni": "SSE3",
    "ssse3": "SSSE3",
    "sse4_1": "SSE4.1",
    "sse4_2": "SSE4.2",
    "sse4a": "SSE4a",
    "popcnt": "POPCNT",
    "cx16": "CMPXCHG16B",
    "lahf_lm": "LAHF/SAHF",
    "abm": "LZCNT",
    "avx": "AVX",
    "avx2": "AVX2",
    "avx512f": "AVX-512F",
    "bmi1": "BMI1",
    "bmi2": "BMI2",
    "fma": "FMA",
    "f16c": "F16C",
    "movbe": "MOVBE",
    "xsave": "XSAVE",
    "aes": "AES-NI",
    "pclmulqdq": "PCLMULQDQ",
}

ALIASES: Final[Mapping[str, str]] = {
    "sse3": "pni",
    "lzcnt": "abm",
    "cmpxchg16b": "cx16",
    "lahf": "lahf_lm",
    "pclmul": "pclmulqdq",
    "sha": "sha_ni",
    "bmi": "bmi1",
}
"""Other people's names (compilers, archspec) for what Linux calls otherwise."""


def decode(words: Mapping[Word, int]) -> frozenset[str]:
    """Return the names of the bits that are set in these CPUID words."""
    return frozenset(
        name
        for word, names in BITS.items()
        for bit, name in names.items()
        if words.get(word, 0) >> bit & 1
    )


def permitted(silicon: frozenset[str], xcr0: int | None) -> frozenset[str]:
    """Return the features whose registers the operating system saves.

    `xcr0` is what XGETBV(0) answered, or None where OSXSAVE is clear: then nothing wider than
    XMM may be used, whatever CPUID promises (Intel SDM volume 1, 14.3 and 15.2).
    """
    mask = xcr0 or 0
    return frozenset(name for name in silicon if mask & state(name) == state(name))


def state(name: str) -> int:
    """Return the XCR0 bits that must be set before `name` may be executed; 0 for most."""
    if name in _NEEDS_YMM:
        return XCR0_YMM
    if name.startswith("avx512"):
        return XCR0_ZMM
    if name.startswith("amx_"):
        return XCR0_TILE
    return 0


def cumulative(level: str) -> frozenset[str]:
    """Return everything that `level` asks for, the levels below it included."""
    names = list(LEVELS)
    wanted = names[: names.index(level) + 1]
    return frozenset().union(*(LEVELS[name] for name in wanted))


def level_of(features: frozenset[str]) -> str:
    """Return the highest level of which no feature is missing, or `below x86-64-v1`."""
    reached = "below x86-64-v1"
    for name in LEVELS:
        if not cumulative(name) <= features:
            break
        reached = name
    return reached


def expand(names: Iterable[str]) -> frozenset[str]:
    """Replace level names by the features they stand for; keep the rest."""
    result: frozenset[str] = frozenset()
    for name in names:
        result |= cumulative(name) if name in LEVELS else frozenset({name})
    return result


def display(name: str) -> str:
    """Return the name a manual uses: `SSE4.1` for `sse4_1`."""
    return DISPLAY.get(name, name)


_SENIORITY: Final = (
    *"fpu cx8 cmov mmx fxsr sse sse2 syscall".split(),
    *"pni ssse3 sse4_1 sse4_2 popcnt cx16 lahf_lm".split(),
    *"avx avx2 fma f16c bmi1 bmi2 abm movbe xsave".split(),
    *"avx512f avx512bw avx512cd avx512dq avx512vl".split(),
)
"""The levels' features, oldest level first: the order in which people know them."""


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Return feature names by the level that asks for them; the rest last, alphabetically."""
    rank = {name: index for index, name in enumerate(_SENIORITY)}
    return tuple(sorted(names, key=lambda name: (rank.get(name, len(rank)), name)))


_AVX: Final = frozenset({"avx", "xsave"})
_TIERS: Final = (
    LEVELS["x86-64-v1"],
    LEVELS["x86-64-v2"],
    _AVX,
    LEVELS["x86-64-v3"] - _AVX,
    LEVELS["x86-64-v4"],
)
"""The levels, with AVX told apart from AVX2: Sandy Bridge and Bulldozer stand between."""


def onwards(names: frozenset[str]) -> frozenset[str]:
    """Return the levels' features from the oldest tier of `names` on.

    A machine that lacks `names` may lack any of these, and nothing older. Everything, where
    `names` holds none of the levels' features.
    """
    ranks = [rank for rank, tier in enumerate(_TIERS) if tier & names]
    return frozenset().union(*_TIERS[min(ranks, default=0) :])


def abridged(names: frozenset[str]) -> tuple[str, ...]:
    """Return the names with the highest level that they contain whole told by its name."""
    for level in reversed(list(LEVELS)):
        if cumulative(level) <= names:
            return (level, *ordered(names - cumulative(level)))
    return ordered(names)
