"""CPUs by name: what they can execute, how high their CPUID goes, and how to emulate them.

Facts: CPUID dumps and /proc/cpuinfo recordings in public repositories, named per model in
`NamedCpu.facts`; QEMU's `target/i386/cpu.c`; archspec's `microarchitectures.json` and its
recorded targets; Proxmox VE's `CPUConfig.pm`; the psABI's table of levels. Titles and years are
general knowledge. An alias may be a sibling cut from the same die with the same features.
Two things differ from a dump on purpose: `syscall` is set for Intel CPUs, whose dumps were often
taken by a 32-bit program that does not see it, and `hle`/`rtm` (TSX) are left out, because
microcode updates have withdrawn them. A feature that Linux hides (`rdrand` of AMD families 15h
and 16h) stays in the table: the silicon has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from legacy_doctor.cpu import features
from legacy_doctor.errors import UnknownCpuError, suggestion
from legacy_doctor.model import Cpu

_Set = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """How `qemu-x86_64` 7.2 (user mode) plays a CPU, and where it cannot.

    Under `-cpu <cpu>` a program sees `(table - lacks) | adds`; tests/cpu/test_models_emulated.py
    holds that to be exact.
    """

    cpu: str
    """The `-cpu` argument; contains spaces, so pass it as one word."""
    lacks: frozenset[str]
    adds: frozenset[str]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCpu:
    """A CPU, VM type or level that `--cpu NAME` accepts."""

    name: str
    title: str
    aliases: tuple[str, ...]
    year: int
    """Year of introduction."""
    cpu: Cpu
    facts: str
    """Where the facts come from."""
    emulation: Emulation | None
    """None where TCG cannot play a feature that decides the level (AVX-512)."""


def _also(parent: _Set, names: str) -> _Set:
    return parent | frozenset(names.split())


TCG_LACKS: Final = _also(
    frozenset(),
    "3dnowprefetch misalignsse fma4 xop tbm sha_ni rdseed rdpid hle rtm xsavec gfni vpclmulqdq "
    "movdiri movdir64b serialize avx_vnni avx_ifma "
    "avx512f avx512dq avx512ifma avx512pf avx512er avx512cd avx512bw avx512vl avx512vbmi "
    "avx512_vbmi2 avx512_vnni avx512_bitalg avx512_vpopcntdq avx512_4vnniw avx512_4fmaps "
    "avx512_vp2intersect avx512_fp16 avx512_bf16 "
    "amx_bf16 amx_tile amx_int8 amx_fp16",
)
"""What TCG of QEMU 7.2 never shows, whatever `-cpu` asks for (measured with `-cpu max`)."""

_X86_64: Final = _also(features.cumulative("x86-64-v1"), "lm tsc")

# AMD K8: SSE3 from revision E (2005), CMPXCHG16B and RDTSCP from revision F (2006)
_SLEDGEHAMMER: Final = _also(_X86_64, "mmxext 3dnow 3dnowext")
_VENICE: Final = _also(_SLEDGEHAMMER, "pni lahf_lm")
_SANTA_ROSA: Final = _also(_VENICE, "cx16 rdtscp")
_BRISBANE: Final = _also(_SANTA_ROSA, "3dnowprefetch")
# K10 and Llano: POPCNT, LZCNT and SSE4a, but neither SSSE3 nor SSE4.1
_CHAMPLAIN: Final = _also(_BRISBANE, "popcnt abm sse4a")
_K10: Final = _also(_CHAMPLAIN, "misalignsse")
# the cats: 3DNow! gone, SSSE3 in; AVX from Jaguar
_BOBCAT: Final = _also(
    _X86_64, "mmxext pni lahf_lm cx16 rdtscp 3dnowprefetch popcnt abm sse4a misalignsse ssse3"
)
_SSE4_AES: Final = _also(_BOBCAT, "sse4_1 sse4_2 pclmulqdq aes xsave avx")
_JAGUAR: Final = _also(_SSE4_AES, "f16c movbe bmi1 xsaveopt")
_PUMA: Final = _also(_JAGUAR, "rdrand")
# the construction machines: Excavator is the first that reaches v3
_BULLDOZER: Final = _also(_SSE4_AES, "xop fma4")
_PILEDRIVER: Final = _also(_BULLDOZER, "fma f16c bmi1 tbm")
_STEAMROLLER: Final = _also(_PILEDRIVER, "fsgsbase xsaveopt")
_EXCAVATOR: Final = _also(_STEAMROLLER, "avx2 bmi2 movbe rdrand")
_ZEN: Final = _also(_PUMA, "fma avx2 bmi2 fsgsbase adx rdseed sha_ni clflushopt xsavec")
_ZEN3: Final = _also(_ZEN, "erms clwb rdpid vaes vpclmulqdq")

# Intel
_NOCONA: Final = _also(_X86_64, "pni cx16")
_CONROE: Final = _also(_NOCONA, "ssse3 lahf_lm")
_PENRYN: Final = _also(_CONROE, "sse4_1")
_PENRYN_R0: Final = _also(_PENRYN, "xsave")
_WOLFDALE_PENTIUM: Final = _also(_CONROE, "xsave")
_NEHALEM: Final = _also(_PENRYN, "sse4_2 popcnt rdtscp")
_WESTMERE: Final = _also(_NEHALEM, "aes pclmulqdq")
_CLARKDALE_PENTIUM: Final = _also(_CONROE, "popcnt rdtscp")
# Pentium and Celeron of a generation are ancestors here: less than its Core, more than the last
_SANDY_BRIDGE_PENTIUM: Final = _also(_NEHALEM, "pclmulqdq xsave xsaveopt")
_SANDY_BRIDGE: Final = _also(_SANDY_BRIDGE_PENTIUM, "aes avx")
_IVY_BRIDGE_PENTIUM: Final = _also(_SANDY_BRIDGE_PENTIUM, "fsgsbase erms")
_IVY_BRIDGE: Final = _also(_SANDY_BRIDGE | _IVY_BRIDGE_PENTIUM, "f16c rdrand")
_HASWELL_PENTIUM: Final = _also(_IVY_BRIDGE_PENTIUM, "movbe abm rdrand")
_HASWELL: Final = _also(_IVY_BRIDGE | _HASWELL_PENTIUM, "fma avx2 bmi1 bmi2")
_BROADWELL_PENTIUM: Final = _also(_HASWELL_PENTIUM, "rdseed 3dnowprefetch")
_BROADWELL: Final = _also(_HASWELL | _BROADWELL_PENTIUM, "adx")
_SKYLAKE_PENTIUM: Final = _also(_BROADWELL_PENTIUM, "aes clflushopt xsavec")
_SKYLAKE: Final = _BROADWELL | _SKYLAKE_PENTIUM
_SKYLAKE_SERVER: Final = _also(_SKYLAKE, "clwb avx512f avx512bw avx512cd avx512dq avx512vl")
_ICE_LAKE_SERVER: Final = _also(
    _SKYLAKE_SERVER,
    "avx512_vnni avx512ifma avx512vbmi avx512_vbmi2 avx512_bitalg avx512_vpopcntdq "
    "gfni vaes vpclmulqdq sha_ni rdpid",
)
_ALDER_LAKE: Final = _also(
    _SKYLAKE,
    "clwb gfni vaes vpclmulqdq sha_ni rdpid movdiri movdir64b serialize avx_vnni",
)
# the Atoms: no AVX before Gracemont
_BONNELL: Final = _also(_CONROE, "movbe")
_SILVERMONT: Final = _also(
    _BONNELL, "sse4_1 sse4_2 popcnt pclmulqdq rdtscp rdrand erms 3dnowprefetch"
)
_AIRMONT: Final = _also(_SILVERMONT, "aes")
_GOLDMONT: Final = _also(_AIRMONT, "xsave xsaveopt xsavec fsgsbase rdseed clflushopt sha_ni")
_GOLDMONT_PLUS: Final = _also(_GOLDMONT, "rdpid")
_TREMONT: Final = _also(_GOLDMONT_PLUS, "clwb gfni movdiri movdir64b")

# virtual CPUs
_KVM64: Final = _also(_X86_64, "pni cx16")
_QEMU64: Final = _also(_KVM64, "lahf_lm")
_PROXMOX_V2: Final = _also(_QEMU64, "popcnt sse4_1 sse4_2 ssse3")
_PROXMOX_V2_AES: Final = _also(_PROXMOX_V2, "aes")
_PROXMOX_V3: Final = _also(_PROXMOX_V2_AES, "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave")

_AMD: Final = "AuthenticAMD"
_INTEL: Final = "GenuineIntel"
_GENERIC: Final = "generic"
_KVM: Final = "KVMKVMKVM"
_DUMP: Final = "CPUID dump anrieff/libcpuid tests/"
_ARCHSPEC: Final = "archspec tests/targets/"
_LEVEL_FACTS: Final = "psABI table 3.1 as in features.LEVELS, cumulative, plus `lm`; no real CPU"
_TOO_WIDE: Final = "XOP, FMA4 and TBM code is not exercised"
_AS_QEMU64: Final = "says to be an AuthenticAMD `qemu64` with CPUID leaf 13"


class _Row(NamedTuple):
    name: str
    title: str
    year: int
    vendor: str
    brand: str
    signature: tuple[int, int, int]
    """Family, model, stepping."""
    leaf: int | None
    features: _Set
    facts: str
    qemu: str | None
    """QEMU model, then the flags to add and to take away; None: TCG cannot."""
    aliases: tuple[str, ...] = ()
    microarchitecture: str | None = None
    hypervisor: str | None = None
    adds: _Set = frozenset()
    note: str = ""


# fmt: off
_ROWS: Final[tuple[_Row, ...]] = (
    # AMD K8
    _Row(
        "opteron-248", "AMD Opteron 248 (SledgeHammer, K8)", 2003,
        _AMD, "AMD Opteron(tm) Processor 248", (15, 5, 10), leaf=1, features=_SLEDGEHAMMER,
        facts=f"{_DUMP}amd/k8/amd-opteron-processor-248.test",
        qemu="Opteron_G1,+3dnow,+3dnowext,+mmxext,-pni",
        aliases=("opteron", "opteron-g1", "sledgehammer", "k8"),
    ),
    _Row(
        "athlon-64-3200", "AMD Athlon 64 3200+ (Venice, K8 revision E)", 2005,
        _AMD, "AMD Athlon(tm) 64 Processor 3200+", (15, 47, 0), leaf=1, features=_VENICE,
        facts=f"{_DUMP}amd/k8/amd-athlon-64-processor-3200+.test",
        qemu="Opteron_G1,+lahf_lm,+3dnow,+3dnowext,+mmxext",
        aliases=("athlon-64", "venice"),
    ),
    _Row(
        "athlon-64-x2-3800", "AMD Athlon 64 X2 3800+ (Manchester, K8 revision E)", 2005,
        _AMD, "AMD Athlon(tm) 64 X2 Dual Core Processor 3800+", (15, 43, 1),
        leaf=1, features=_VENICE,
        facts=f"{_DUMP}amd/k8/amd-athlon-64-x2-dual-core-processor-3800+.test",
        qemu="Opteron_G1,+lahf_lm,+3dnow,+3dnowext,+mmxext",
        aliases=("manchester",),
    ),
    _Row(
        "opteron-2210", "AMD Opteron 2210 HE (Santa Rosa, K8 revision F)", 2006,
        _AMD, "Dual-Core AMD Opteron(tm) Processor 2210 HE", (15, 65, 2),
        leaf=1, features=_SANTA_ROSA,
        facts=f"{_DUMP}amd/k8/dual-core-amd-opteron-processor-2210-he-quad.test",
        qemu="Opteron_G2,+3dnow,+3dnowext,+mmxext,+rdtscp",
        aliases=("opteron-g2", "santa-rosa"),
    ),
    _Row(
        "athlon-64-x2-5200", "AMD Athlon 64 X2 5200+ (Brisbane, K8 revision G)", 2007,
        _AMD, "AMD Athlon(tm) 64 X2 Dual Core Processor 5200+", (15, 107, 2),
        leaf=1, features=_BRISBANE,
        facts=f"{_DUMP}amd/k8/athlon-64-brisbane.test",
        qemu="Opteron_G2,+3dnow,+3dnowext,+mmxext,+rdtscp",
        aliases=("athlon-64-x2", "brisbane"),
    ),
    # AMD K10 and Llano
    _Row(
        "opteron-2344", "AMD Opteron 2344 HE (Barcelona, K10)", 2007,
        _AMD, "Quad-Core AMD Opteron(tm) Processor 2344 HE", (16, 2, 10), leaf=5, features=_K10,
        facts=f"{_DUMP}amd/k10/quad-core-amd-opteron-processor-2344-he.test",
        qemu="Opteron_G3,+3dnow,+3dnowext,+mmxext",
        aliases=("opteron-g3", "barcelona"), microarchitecture="k10",
    ),
    _Row(
        "phenom-x4-9550", "AMD Phenom X4 9550 (Agena, K10)", 2008,
        _AMD, "AMD Phenom(tm) 9550 Quad-Core Processor", (16, 2, 3), leaf=5, features=_K10,
        facts=f"{_DUMP}amd/k10/phenom-agena.test (a 9850); QEMU model `phenom`",
        qemu="phenom",
        aliases=("phenom", "agena"), microarchitecture="k10",
    ),
    _Row(
        "phenom-ii-x4-955", "AMD Phenom II X4 955 (Deneb, K10)", 2009,
        _AMD, "AMD Phenom(tm) II X4 955 Processor", (16, 4, 2), leaf=5, features=_K10,
        facts=f"{_DUMP}amd/k10/phenom-2-deneb.test (a 940); lscpu of a 955 in public repositories",
        qemu="phenom",
        aliases=("phenom-ii-x4", "955", "deneb"), microarchitecture="k10",
    ),
    _Row(
        "athlon-ii-x4-635", "AMD Athlon II X4 635 (Propus, K10)", 2010,
        _AMD, "AMD Athlon(tm) II X4 635 Processor", (16, 5, 3), leaf=5, features=_K10,
        facts=(
            f"{_DUMP}amd/k10/athlon-2-propus.test (a 620); /proc/cpuinfo of a 635 in a public "
            "forum"
        ),
        qemu="phenom",
        aliases=("athlon-ii", "athlon-ii-x4", "propus"), microarchitecture="k10",
    ),
    _Row(
        "phenom-ii-x6-1090t", "AMD Phenom II X6 1090T (Thuban, K10)", 2010,
        _AMD, "AMD Phenom(tm) II X6 1090T Processor", (16, 10, 0), leaf=6, features=_K10,
        facts=(
            f"{_DUMP}amd/k10/phenom-2-thuban.test (a 1055T); /proc/cpuinfo of 1090Ts in public "
            "repositories"
        ),
        qemu="phenom",
        aliases=("phenom-ii", "phenom-ii-x6", "1090t", "1055t", "thuban"), microarchitecture="k10",
    ),
    _Row(
        "athlon-ii-p320", "AMD Athlon II P320 (Champlain, mobile K10)", 2010,
        _AMD, "AMD Athlon(tm) II P320 Dual-Core Processor", (16, 6, 3), leaf=5, features=_CHAMPLAIN,
        facts=f"{_DUMP}amd/k10/athlon-2-champlain-mobile.test",
        qemu="phenom",
        aliases=("turion-ii", "champlain"), microarchitecture="k10",
    ),
    _Row(
        "opteron-6128", "AMD Opteron 6128 (Magny-Cours, K10)", 2010,
        _AMD, "AMD Opteron(tm) Processor 6128", (16, 9, 1), leaf=5, features=_K10,
        facts=(
            f"{_DUMP}amd/k10/magny-cours.test (a 6168); {_ARCHSPEC}linux-scientific7-k10 (a 6136)"
        ),
        qemu="Opteron_G3,+3dnow,+3dnowext,+mmxext",
        aliases=("opteron-6100", "magny-cours"), microarchitecture="k10",
    ),
    _Row(
        "a8-3850", "AMD A8-3850 (Llano)", 2011,
        _AMD, "AMD A8-3850 APU with Radeon(tm) HD Graphics", (18, 1, 0), leaf=6, features=_K10,
        facts=f"{_DUMP}amd/k10/amd-a8-3850-apu-with-radeon-hd-graphics.test",
        qemu="phenom",
        aliases=("llano", "a8-3870", "a6-3620"), microarchitecture="k10",
    ),
    # AMD cats
    _Row(
        "e-350", "AMD E-350 (Zacate, Bobcat)", 2011,
        _AMD, "AMD E-350 Processor", (20, 1, 0), leaf=6, features=_BOBCAT,
        facts=f"{_DUMP}amd/bobcat/amd-e-350-processor.test",
        qemu="phenom,+ssse3,-3dnow,-3dnowext",
        aliases=("bobcat", "zacate"),
    ),
    _Row(
        "e-450", "AMD E-450 (Zacate, Bobcat)", 2011,
        _AMD, "AMD E-450 APU with Radeon(tm) HD Graphics", (20, 2, 0), leaf=6, features=_BOBCAT,
        facts=f"{_DUMP}amd/bobcat/amd-e-450-apu-with-radeon-hd-graphics.test",
        qemu="phenom,+ssse3,-3dnow,-3dnowext",
    ),
    _Row(
        "athlon-5350", "AMD Athlon 5350 (Kabini, Jaguar)", 2014,
        _AMD, "AMD Athlon(tm) 5350 APU with Radeon(tm) R3", (22, 0, 1), leaf=13, features=_JAGUAR,
        facts=f"{_DUMP}amd/jaguar/athlon-kabini.test",
        qemu="Opteron_G5,+bmi1,+movbe,+mmxext,+xsaveopt,-fma",
        aliases=("jaguar", "kabini"),
    ),
    _Row(
        "a8-6410", "AMD A8-6410 (Beema, Puma)", 2014,
        _AMD, "AMD A8-6410 APU with AMD Radeon R5 Graphics", (22, 48, 1), leaf=13, features=_PUMA,
        facts=(
            f"{_DUMP}amd/jaguar/beema-x4.test; Linux hides `rdrand` on families 15h and 16h unless "
            "told otherwise"
        ),
        qemu="Opteron_G5,+bmi1,+movbe,+mmxext,+rdrand,+xsaveopt,-fma",
        aliases=("puma", "beema"),
    ),
    _Row(
        "gx-412tc", "AMD GX-412TC (Steppe Eagle, Puma)", 2014,
        _AMD, "AMD GX-412TC SOC", (22, 48, 1), leaf=13, features=_PUMA,
        facts=(
            "/proc/cpuinfo in a public mail archive (rdrand hidden by Linux); features of the "
            f"same die: {_DUMP}amd/jaguar/beema-x4.test"
        ),
        qemu="Opteron_G5,+bmi1,+movbe,+mmxext,+rdrand,+xsaveopt,-fma",
        aliases=("gx-412", "steppe-eagle"),
    ),
    # AMD Bulldozer line
    _Row(
        "fx-8150", "AMD FX-8150 (Zambezi, Bulldozer)", 2011,
        _AMD, "AMD FX(tm)-8150 Eight-Core Processor", (21, 1, 2), leaf=13, features=_BULLDOZER,
        facts=f"{_DUMP}amd/bulldozer/bulldozer-x4.test",
        qemu="Opteron_G4,+mmxext",
        aliases=("bulldozer", "zambezi"), microarchitecture="bulldozer",
        note=_TOO_WIDE,
    ),
    _Row(
        "opteron-6238", "AMD Opteron 6238 (Interlagos, Bulldozer)", 2011,
        _AMD, "AMD Opteron(TM) Processor 6238", (21, 1, 2), leaf=13, features=_BULLDOZER,
        facts=f"{_DUMP}amd/bulldozer/opteron-interlagos.test",
        qemu="Opteron_G4,+mmxext",
        aliases=("opteron-g4", "interlagos"), microarchitecture="bulldozer",
        note=_TOO_WIDE,
    ),
    _Row(
        "fx-8350", "AMD FX-8350 (Vishera, Piledriver)", 2012,
        _AMD, "AMD FX(tm)-8350 Eight-Core Processor", (21, 2, 0), leaf=13, features=_PILEDRIVER,
        facts=(
            f"{_ARCHSPEC}linux-rhel6-piledriver; {_DUMP}amd/bulldozer/vishera-x4.test (an FX-9590)"
        ),
        qemu="Opteron_G5,+bmi1,+mmxext",
        aliases=("piledriver", "vishera"), microarchitecture="piledriver",
        note=_TOO_WIDE,
    ),
    _Row(
        "opteron-6380", "AMD Opteron 6380 (Abu Dhabi, Piledriver)", 2012,
        _AMD, "AMD Opteron(tm) Processor 6380", (21, 2, 0), leaf=13, features=_PILEDRIVER,
        facts=f"{_DUMP}amd/bulldozer/opteron-abu-dhabi.test",
        qemu="Opteron_G5,+bmi1,+mmxext",
        aliases=("opteron-g5", "abu-dhabi"), microarchitecture="piledriver",
        note=_TOO_WIDE,
    ),
    _Row(
        "a10-6800k", "AMD A10-6800K (Richland, Piledriver)", 2013,
        _AMD, "AMD A10-6800K APU with Radeon(tm) HD Graphics", (21, 19, 1),
        leaf=13, features=_PILEDRIVER,
        facts=f"{_DUMP}amd/bulldozer/amd-a10-6800k-apu-with-radeon-hd-graphics.test",
        qemu="Opteron_G5,+bmi1,+mmxext",
        aliases=("richland",), microarchitecture="piledriver",
        note=_TOO_WIDE,
    ),
    _Row(
        "a10-7850k", "AMD A10-7850K (Kaveri, Steamroller)", 2014,
        _AMD, "AMD A10-7850K Radeon R7, 12 Compute Cores 4C+8G", (21, 48, 1),
        leaf=13, features=_STEAMROLLER,
        facts=(
            f"{_DUMP}amd/bulldozer/amd-a10-7850k-radeon-r7-12-compute-cores-4c+8g.test and "
            "kaveri-x4.test"
        ),
        qemu="Opteron_G5,+bmi1,+fsgsbase,+mmxext,+xsaveopt",
        aliases=("steamroller", "kaveri"), microarchitecture="steamroller",
        note=_TOO_WIDE,
    ),
    _Row(
        "a9-9410", "AMD A9-9410 (Stoney Ridge, Excavator)", 2016,
        _AMD, "AMD A9-9410 RADEON R5, 5 COMPUTE CORES 2C+3G", (21, 112, 0),
        leaf=13, features=_EXCAVATOR,
        facts=(
            f"{_DUMP}amd/bulldozer/amd-a9-9410-radeon-r5-5-compute-cores-2c+3g.test; Linux hides "
            "`rdrand` on families 15h and 16h unless told otherwise"
        ),
        qemu="Opteron_G5,+avx2,+bmi1,+bmi2,+movbe,+fsgsbase,+mmxext,+rdrand,+xsaveopt",
        aliases=("excavator", "stoney-ridge"), microarchitecture="excavator",
        note=_TOO_WIDE,
    ),
    # AMD Zen
    _Row(
        "ryzen-7-1800x", "AMD Ryzen 7 1800X (Summit Ridge, Zen)", 2017,
        _AMD, "AMD Ryzen 7 1800X Eight-Core Processor", (23, 1, 1), leaf=13, features=_ZEN,
        facts=(
            f"{_DUMP}amd/zen/ryzen7-summit-ridge.test; xsaveopt and xsavec from archspec's `zen`"
        ),
        qemu="EPYC",
        aliases=("zen", "ryzen-7-1700", "ryzen-1700", "summit-ridge"), microarchitecture="zen",
    ),
    _Row(
        "epyc-7551p", "AMD EPYC 7551P (Naples, Zen)", 2017,
        _AMD, "AMD EPYC 7551P 32-Core Processor", (23, 1, 2), leaf=13, features=_ZEN,
        facts=f"{_DUMP}amd/zen/epyc-naples.test; xsaveopt and xsavec from archspec's `zen`",
        qemu="EPYC",
        aliases=("epyc", "epyc-7001", "naples"), microarchitecture="zen",
    ),
    _Row(
        "epyc-7713", "AMD EPYC 7713 (Milan, Zen 3)", 2021,
        _AMD, "AMD EPYC 7713 64-Core Processor", (25, 1, 1), leaf=16, features=_ZEN3,
        facts=f"{_DUMP}amd/zen3/epyc-milan.test",
        qemu="EPYC-Milan,+vaes",
        aliases=("epyc-milan", "milan"), microarchitecture="zen3",
    ),
    _Row(
        "ryzen-5-5600x3d", "AMD Ryzen 5 5600X3D (Vermeer, Zen 3)", 2023,
        _AMD, "AMD Ryzen 5 5600X3D 6-Core Processor", (25, 33, 2), leaf=16, features=_ZEN3,
        facts=f"{_DUMP}amd/zen3/ryzen5-vermeer.test",
        qemu="EPYC-Milan,+vaes",
        aliases=("zen3", "ryzen-5-5600x", "vermeer"), microarchitecture="zen3",
    ),
    # Intel NetBurst and Core
    _Row(
        "pentium-4-640", "Intel Pentium 4 640 (Prescott 2M)", 2005,
        _INTEL, "Intel(R) Pentium(R) 4 CPU 3.20GHz", (15, 4, 3), leaf=5, features=_NOCONA,
        facts=f"{_DUMP}intel/x86-64/netburst/intel-pentium-4-640.test",
        qemu="kvm64",
        aliases=("pentium-4", "prescott", "nocona"), microarchitecture="nocona",
    ),
    _Row(
        "core-2-duo-e6550", "Intel Core 2 Duo E6550 (Conroe)", 2007,
        _INTEL, "Intel(R) Core(TM)2 Duo CPU E6550 @ 2.33GHz", (6, 15, 11),
        leaf=10, features=_CONROE,
        facts=(
            f"/proc/cpuinfo of E6550s in public repositories; {_DUMP}intel/core2/conroe.test (a "
            "6420)"
        ),
        qemu="Conroe,+cx16",
        aliases=("conroe", "e6550"), microarchitecture="core2",
    ),
    _Row(
        "core-2-quad-q6600", "Intel Core 2 Quad Q6600 (Kentsfield)", 2007,
        _INTEL, "Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz", (6, 15, 11),
        leaf=10, features=_CONROE,
        facts=f"{_DUMP}intel/core2/kentsfield.test",
        qemu="Conroe,+cx16",
        aliases=("q6600", "kentsfield"), microarchitecture="core2",
    ),
    _Row(
        "core-2-duo-p8400", "Intel Core 2 Duo P8400 (Penryn)", 2008,
        _INTEL, "Intel(R) Core(TM)2 Duo CPU P8400 @ 2.26GHz", (6, 23, 6), leaf=10, features=_PENRYN,
        facts=f"{_DUMP}intel/x86-64/core/intel-core2-duo-cpu-p8400.test",
        qemu="Penryn",
        aliases=("penryn", "p8400"), microarchitecture="core2",
    ),
    _Row(
        "core-2-quad-q9450", "Intel Core 2 Quad Q9450 (Yorkfield)", 2008,
        _INTEL, "Intel(R) Core(TM)2 Quad CPU Q9450 @ 2.66GHz", (6, 23, 7),
        leaf=10, features=_PENRYN,
        facts=f"{_DUMP}intel/core2/yorkfield.test",
        qemu="Penryn",
        aliases=("q9450", "core-2-quad-q9550", "q9550", "yorkfield"), microarchitecture="core2",
    ),
    _Row(
        "core-2-duo-e8400", "Intel Core 2 Duo E8400 (Wolfdale, stepping E0)", 2008,
        _INTEL, "Intel(R) Core(TM)2 Duo CPU E8400 @ 3.00GHz", (6, 23, 10),
        leaf=13, features=_PENRYN_R0,
        facts=(
            "/proc/cpuinfo of E8400s in public repositories: stepping 10 has XSAVE and leaf 13, "
            "stepping 6 has neither"
        ),
        qemu="Penryn,+xsave",
        aliases=("e8400", "wolfdale"), microarchitecture="core2",
    ),
    _Row(
        "pentium-e5200", "Intel Pentium E5200 (Wolfdale-2M, no SSE4.1)", 2008,
        _INTEL, "Pentium(R) Dual-Core CPU E5200 @ 2.50GHz", (6, 23, 6), leaf=10, features=_CONROE,
        facts=f"{_DUMP}intel/x86-64/core/wolfdale-pentium.test",
        qemu="Conroe,+cx16",
        aliases=("e5200",), microarchitecture="core2",
    ),
    _Row(
        "pentium-e5700", "Intel Pentium E5700 (Wolfdale-2M, no SSE4.1)", 2010,
        _INTEL, "Pentium(R) Dual-Core CPU E5700 @ 3.00GHz", (6, 23, 10),
        leaf=13, features=_WOLFDALE_PENTIUM,
        facts=(
            "lscpu of an E5700 in a public repository; leaf 13 from its stepping: "
            f"{_DUMP}intel/x86-64/core/intel-celeron-cpu-e3400-@-2.60ghz.test"
        ),
        qemu="Conroe,+cx16,+xsave",
        aliases=("e5700", "celeron-e3400"), microarchitecture="core2",
    ),
    # Intel Nehalem and Westmere
    _Row(
        "core-i7-920", "Intel Core i7-920 (Bloomfield, Nehalem)", 2008,
        _INTEL, "Intel(R) Core(TM) i7 CPU 920 @ 2.67GHz", (6, 26, 4), leaf=11, features=_NEHALEM,
        facts=(
            f"{_DUMP}intel/x86-64/nehalem/bloomfield-core-i7.test; QEMU's `Nehalem` has no rdtscp"
        ),
        qemu="Nehalem,+rdtscp",
        aliases=("nehalem", "i7-920", "bloomfield"), microarchitecture="nehalem",
    ),
    _Row(
        "core-i5-650", "Intel Core i5-650 (Clarkdale, Westmere)", 2010,
        _INTEL, "Intel(R) Core(TM) i5 CPU 650 @ 3.20GHz", (6, 37, 2), leaf=11, features=_WESTMERE,
        facts=f"{_DUMP}intel/x86-64/nehalem/intel-core-i5-cpu-650.test",
        qemu="Westmere,+rdtscp",
        aliases=("i5-650", "clarkdale"), microarchitecture="westmere",
    ),
    _Row(
        "xeon-x5650", "Intel Xeon X5650 (Westmere-EP)", 2010,
        _INTEL, "Intel(R) Xeon(R) CPU X5650 @ 2.67GHz", (6, 44, 2), leaf=11, features=_WESTMERE,
        facts=f"{_DUMP}intel/x86-64/nehalem/westmere-ep-xeon.test",
        qemu="Westmere,+rdtscp",
        aliases=("westmere", "x5650"), microarchitecture="westmere",
    ),
    _Row(
        "pentium-g6950", "Intel Pentium G6950 (Clarkdale, no SSE4 at all)", 2010,
        _INTEL, "Intel(R) Pentium(R) CPU G6950 @ 2.80GHz", (6, 37, 5),
        leaf=11, features=_CLARKDALE_PENTIUM,
        facts=(
            "/proc/cpuinfo of a G6950 in a public blog; "
            f"{_DUMP}intel/x86-64/nehalem/arrandale-pentium.test (a P6100)"
        ),
        qemu="Conroe,+popcnt,+cx16,+rdtscp",
        aliases=("g6950", "pentium-p6100", "p6100"), microarchitecture="core2",
    ),
    # Intel Sandy Bridge and Ivy Bridge
    _Row(
        "celeron-g540", "Intel Celeron G540 (Sandy Bridge, no AVX)", 2011,
        _INTEL, "Intel(R) Celeron(R) CPU G540 @ 2.50GHz", (6, 42, 7),
        leaf=13, features=_SANDY_BRIDGE_PENTIUM,
        facts=f"{_DUMP}intel/core_2nd_gen/celeron-sandy.test; xsaveopt from QEMU's `SandyBridge`",
        qemu="Westmere,+xsave,+rdtscp,+xsaveopt,-aes",
        aliases=("g540", "pentium-g620", "g620"), microarchitecture="nehalem",
    ),
    _Row(
        "core-i5-2500k", "Intel Core i5-2500K (Sandy Bridge)", 2011,
        _INTEL, "Intel(R) Core(TM) i5-2500K CPU @ 3.30GHz", (6, 42, 7),
        leaf=13, features=_SANDY_BRIDGE,
        facts=(
            "/proc/cpuinfo of an i5-2500K in a public forum; "
            f"{_DUMP}intel/core_2nd_gen/sandy-bridge-i7.test; xsaveopt from QEMU's `SandyBridge`"
        ),
        qemu="SandyBridge",
        aliases=("sandybridge", "i5-2500k"), microarchitecture="sandybridge",
    ),
    _Row(
        "celeron-g1610", "Intel Celeron G1610 (Ivy Bridge, no AVX)", 2012,
        _INTEL, "Intel(R) Celeron(R) CPU G1610 @ 2.60GHz", (6, 58, 9),
        leaf=13, features=_IVY_BRIDGE_PENTIUM,
        facts=(
            f"{_DUMP}intel/x86-64/sandy-bridge/intel-celeron-cpu-g1610.test; xsaveopt from QEMU's "
            "`IvyBridge`"
        ),
        qemu="IvyBridge,-avx,-f16c,-aes,-rdrand",
        aliases=("g1610", "pentium-g2020", "g2020"), microarchitecture="nehalem",
    ),
    _Row(
        "core-i5-3210m", "Intel Core i5-3210M (Ivy Bridge)", 2012,
        _INTEL, "Intel(R) Core(TM) i5-3210M CPU @ 2.50GHz", (6, 58, 9),
        leaf=13, features=_IVY_BRIDGE,
        facts=(
            "lscpu of an i5-3210M in a public repository; features of the same die: "
            f"{_DUMP}intel/core_3rd_gen/ivy-bridge-i5.test (an i5-3570K); firmware may switch "
            "`aes` off"
        ),
        qemu="IvyBridge",
        aliases=("ivybridge", "i5-3210m", "i5-3570k"), microarchitecture="ivybridge",
    ),
    _Row(
        "xeon-e5-2650-v2", "Intel Xeon E5-2650 v2 (Ivy Bridge-EP)", 2013,
        _INTEL, "Intel(R) Xeon(R) CPU E5-2650 v2 @ 2.60GHz", (6, 62, 4),
        leaf=13, features=_IVY_BRIDGE,
        facts=f"{_ARCHSPEC}linux-rhel7-ivybridge",
        qemu="IvyBridge",
        aliases=("e5-2650-v2", "e5-2670-v2", "ivybridge-ep"), microarchitecture="ivybridge",
    ),
    # Intel Haswell and Broadwell
    _Row(
        "pentium-g3220", "Intel Pentium G3220 (Haswell, no AVX, no AES)", 2013,
        _INTEL, "Intel(R) Pentium(R) CPU G3220 @ 3.00GHz", (6, 60, 3),
        leaf=13, features=_HASWELL_PENTIUM,
        facts="/proc/cpuinfo of a G3220 and lshw of a G3258 in public repositories",
        qemu="IvyBridge,+abm,+movbe,-avx,-f16c,-aes",
        aliases=("g3220", "g3258", "celeron-g1840"), microarchitecture="nehalem",
    ),
    _Row(
        "core-i7-4770", "Intel Core i7-4770 (Haswell)", 2013,
        _INTEL, "Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz", (6, 60, 3), leaf=13, features=_HASWELL,
        facts=(
            "/proc/cpuinfo of i7-4770s in public repositories; "
            f"{_DUMP}intel/core_4th_gen/haswell-i7.test (an i7-4710MQ)"
        ),
        qemu="Haswell-noTSX",
        aliases=("haswell", "i7-4770"), microarchitecture="haswell",
    ),
    _Row(
        "core-i5-5200u", "Intel Core i5-5200U (Broadwell)", 2015,
        _INTEL, "Intel(R) Core(TM) i5-5200U CPU @ 2.20GHz", (6, 61, 4),
        leaf=20, features=_BROADWELL,
        facts=f"{_ARCHSPEC}linux-ubuntu18.04-broadwell",
        qemu="Broadwell-noTSX",
        aliases=("broadwell", "i5-5200u"), microarchitecture="broadwell",
    ),
    _Row(
        "celeron-3205u", "Intel Celeron 3205U (Broadwell, no AVX, no AES)", 2015,
        _INTEL, "Intel(R) Celeron(R) 3205U @ 1.50GHz", (6, 61, 4),
        leaf=20, features=_BROADWELL_PENTIUM,
        facts=(
            "CPUID words 1.ECX and 7.EBX of a 3205U in a public repository; the rest from its "
            "neighbours Haswell and Skylake Pentium"
        ),
        qemu="IvyBridge,+abm,+movbe,-avx,-f16c,-aes",
        aliases=("3205u", "pentium-3805u"), microarchitecture="nehalem",
    ),
    # Intel Skylake and after
    _Row(
        "pentium-g4400", "Intel Pentium G4400 (Skylake, no AVX)", 2015,
        _INTEL, "Intel(R) Pentium(R) CPU G4400 @ 3.30GHz", (6, 94, 3),
        leaf=22, features=_SKYLAKE_PENTIUM,
        facts=f"{_DUMP}intel/x86-64/skylake/intel-pentium-cpu-g4400.test",
        qemu="Skylake-Client,+clflushopt,-avx,-avx2,-fma,-f16c,-bmi1,-bmi2,-adx",
        aliases=("g4400",), microarchitecture="westmere",
    ),
    _Row(
        "core-i7-6700", "Intel Core i7-6700 (Skylake)", 2015,
        _INTEL, "Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz", (6, 94, 3), leaf=22, features=_SKYLAKE,
        facts=(
            "/proc/cpuinfo of i7-6700s in public repositories; "
            f"{_DUMP}intel/core_6th_gen/skylake-i5.test (an i5-6600K)"
        ),
        qemu="Skylake-Client,+clflushopt",
        aliases=("skylake", "skylake-client", "i7-6700"), microarchitecture="skylake",
    ),
    _Row(
        "pentium-g4560", "Intel Pentium G4560 (Kaby Lake, no AVX)", 2017,
        _INTEL, "Intel(R) Pentium(R) CPU G4560 @ 3.50GHz", (6, 158, 9),
        leaf=22, features=_SKYLAKE_PENTIUM,
        facts=(
            "/proc/cpuinfo of a G4560 in a public repository; "
            f"{_DUMP}intel/x86-64/skylake/intel-pentium-cpu-g4600-@-3.60ghz.test"
        ),
        qemu="Skylake-Client,+clflushopt,-avx,-avx2,-fma,-f16c,-bmi1,-bmi2,-adx",
        aliases=("g4560", "g4600"), microarchitecture="westmere",
    ),
    _Row(
        "xeon-gold-6132", "Intel Xeon Gold 6132 (Skylake-SP)", 2017,
        _INTEL, "Intel(R) Xeon(R) Gold 6132 CPU @ 2.60GHz", (6, 85, 4),
        leaf=22, features=_SKYLAKE_SERVER,
        facts=f"{_ARCHSPEC}linux-rhel7-skylake_avx512",
        qemu=None,
        aliases=("skylake-sp", "skylake-server", "skylake-avx512"),
        microarchitecture="skylake_avx512",
    ),
    _Row(
        "pentium-gold-g5400", "Intel Pentium Gold G5400 (Coffee Lake, no AVX)", 2018,
        _INTEL, "Intel(R) Pentium(R) Gold G5400 CPU @ 3.70GHz", (6, 158, 10),
        leaf=22, features=_SKYLAKE_PENTIUM,
        facts=f"{_DUMP}intel/x86-64/skylake/intel-pentium-gold-g5400-cpu.test",
        qemu="Skylake-Client,+clflushopt,-avx,-avx2,-fma,-f16c,-bmi1,-bmi2,-adx",
        aliases=("g5400",), microarchitecture="westmere",
    ),
    _Row(
        "pentium-gold-g6400", "Intel Pentium Gold G6400 (Comet Lake, no AVX)", 2020,
        _INTEL, "Intel(R) Pentium(R) Gold G6400 CPU @ 4.00GHz", (6, 165, 3),
        leaf=22, features=_SKYLAKE_PENTIUM,
        facts=(
            "general knowledge: the core of the Pentium Gold G5400 under a new number; no dump "
            "found"
        ),
        qemu="Skylake-Client,+clflushopt,-avx,-avx2,-fma,-f16c,-bmi1,-bmi2,-adx",
        aliases=("g6400", "celeron-g5900", "g5900"), microarchitecture="westmere",
    ),
    _Row(
        "xeon-platinum-8375c", "Intel Xeon Platinum 8375C (Ice Lake-SP)", 2021,
        _INTEL, "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", (6, 106, 6),
        leaf=27, features=_ICE_LAKE_SERVER,
        facts=(
            "/proc/cpuinfo of 8375Cs in public repositories; features of the same core: "
            f"{_DUMP}intel/x86-64/sunny-cove/ice-lake-d-xeon-d.test (a D-1718T)"
        ),
        qemu=None,
        aliases=("ice-lake-sp", "icelake-server"), microarchitecture="icelake",
    ),
    _Row(
        "core-i3-1220p", "Intel Core i3-1220P (Alder Lake, no AVX-512)", 2022,
        _INTEL, "12th Gen Intel(R) Core(TM) i3-1220P", (6, 154, 4), leaf=32, features=_ALDER_LAKE,
        facts=f"{_DUMP}intel/x86-64/golden-cove/12th-gen-intel-core-i3-1220p.test",
        qemu="Skylake-Client,+clflushopt,+clwb,+vaes",
        aliases=("alder-lake", "i5-1240p", "core-i5-1240p"), microarchitecture="alderlake",
    ),
    # Intel Atom line
    _Row(
        "atom-n450", "Intel Atom N450 (Pineview, Bonnell)", 2010,
        _INTEL, "Intel(R) Atom(TM) CPU N450 @ 1.66GHz", (6, 28, 10), leaf=10, features=_BONNELL,
        facts=f"{_DUMP}intel/atom/atom-pineview-3.test",
        qemu="Conroe,+cx16,+movbe",
        aliases=("n450", "bonnell"),
    ),
    _Row(
        "atom-d425", "Intel Atom D425 (Pineview, Bonnell)", 2010,
        _INTEL, "Intel(R) Atom(TM) CPU D425 @ 1.80GHz", (6, 28, 10), leaf=10, features=_BONNELL,
        facts=f"{_DUMP}intel/atom/atom-pineview.test",
        qemu="Conroe,+cx16,+movbe",
        aliases=("atom-d510", "d510", "pineview"),
    ),
    _Row(
        "celeron-j1900", "Intel Celeron J1900 (Bay Trail, Silvermont)", 2013,
        _INTEL, "Intel(R) Celeron(R) CPU J1900 @ 1.99GHz", (6, 55, 3),
        leaf=11, features=_SILVERMONT,
        facts=f"{_DUMP}intel/x86-atom/silvermont/bay-trail-d-celeron.test",
        qemu="Westmere,+movbe,+erms,+rdrand,+rdtscp,-aes",
        aliases=("j1900", "silvermont", "bay-trail"),
    ),
    _Row(
        "celeron-n3150", "Intel Celeron N3150 (Braswell, Airmont)", 2015,
        _INTEL, "Intel(R) Celeron(R) CPU N3150 @ 1.60GHz", (6, 76, 3), leaf=11, features=_AIRMONT,
        facts=f"{_DUMP}intel/x86-atom/airmont/intel-celeron-cpu-n3150.test",
        qemu="Westmere,+movbe,+erms,+rdrand,+rdtscp",
        aliases=("n3150", "airmont", "braswell"),
    ),
    _Row(
        "celeron-j3455", "Intel Celeron J3455 (Apollo Lake, Goldmont)", 2016,
        _INTEL, "Intel(R) Celeron(R) CPU J3455 @ 1.50GHz", (6, 92, 9), leaf=21, features=_GOLDMONT,
        facts=f"{_DUMP}intel/x86-atom/goldmont/intel-celeron-cpu-j3455.test",
        qemu="Denverton",
        aliases=("j3455", "j3355", "goldmont", "apollo-lake"),
    ),
    _Row(
        "celeron-j4125", "Intel Celeron J4125 (Gemini Lake, Goldmont Plus)", 2019,
        _INTEL, "Intel(R) Celeron(R) J4125 CPU @ 2.00GHz", (6, 122, 8),
        leaf=24, features=_GOLDMONT_PLUS,
        facts=(
            "lscpu of a J4125 in a public repository; features of the same die: "
            f"{_DUMP}intel/x86-atom/goldmont-plus/intel-pentium-silver-j5040-cpu-@-2.00ghz.test"
        ),
        qemu="Denverton",
        aliases=("j4125", "j4105", "goldmont-plus", "gemini-lake"),
    ),
    _Row(
        "celeron-n5105", "Intel Celeron N5105 (Jasper Lake, Tremont)", 2021,
        _INTEL, "Intel(R) Celeron(R) N5105 @ 2.00GHz", (6, 156, 0), leaf=27, features=_TREMONT,
        facts=(
            "kernel log of an N5105 in a public repository; features of the same die: "
            f"{_DUMP}intel/x86-atom/tremont/intel-celeron-n4505.test"
        ),
        qemu="Snowridge",
        aliases=("n5105", "n5095", "n4505", "tremont", "jasper-lake"),
    ),
    # virtual CPUs
    _Row(
        "kvm64", "QEMU and Proxmox `kvm64` (Proxmox adds LAHF/SAHF)", 2008,
        _INTEL, "Common KVM processor", (15, 6, 1), leaf=13, features=_KVM64,
        facts=(
            "QEMU 7.2 `kvm64`, executed; under KVM the vendor is the host's; Proxmox VE "
            "CPUConfig.pm adds `lahf_lm`"
        ),
        qemu="kvm64",
        hypervisor=_KVM,
    ),
    _Row(
        "qemu64", "QEMU `qemu64`", 2003,
        _AMD, "QEMU Virtual CPU version 2.5+", (15, 107, 1), leaf=13, features=_QEMU64,
        facts="QEMU 7.2 `qemu64`, executed; under KVM the vendor is the host's",
        qemu="qemu64",
        hypervisor=_KVM,
    ),
    _Row(
        "core2duo", "QEMU `core2duo`", 2007,
        _INTEL, "Intel(R) Core(TM)2 Duo CPU T7700 @ 2.40GHz", (6, 15, 11),
        leaf=10, features=_CONROE,
        facts="QEMU 7.2 `core2duo`, executed; under KVM the vendor is the host's",
        qemu="core2duo",
        hypervisor=_KVM,
    ),
    _Row(
        "cpu64-rhel6", "RHEL 6 `cpu64-rhel6`", 2010,
        _INTEL, "QEMU Virtual CPU version (cpu64-rhel6)", (6, 13, 3), leaf=13, features=_QEMU64,
        facts=(
            "lscpu of such guests in public mail archives; libvirt "
            "src/cpu_map/x86_cpu64-rhel6.xml; RHEL 6's own definition had leaf 4 and, on AMD "
            "hosts, sse4a and abm"
        ),
        qemu="kvm64,+lahf_lm",
        aliases=("rhel6",), hypervisor=_KVM,
    ),
    _Row(
        "proxmox-x86-64-v2", "Proxmox `x86-64-v2`", 2023,
        _AMD, "QEMU Virtual CPU version 2.5+", (15, 107, 1), leaf=13, features=_PROXMOX_V2,
        facts=(
            "Proxmox VE CPUConfig.pm: `qemu64` with popcnt, pni, sse4.1, sse4.2, ssse3; under KVM "
            "the vendor is the host's"
        ),
        qemu="qemu64,+ssse3,+sse4_1,+sse4_2,+popcnt",
        hypervisor=_KVM,
    ),
    _Row(
        "x86-64-v2-aes", "Proxmox `x86-64-v2-AES`, its default since 8.0", 2023,
        _AMD, "QEMU Virtual CPU version 2.5+", (15, 107, 1), leaf=13, features=_PROXMOX_V2_AES,
        facts=(
            "Proxmox VE CPUConfig.pm: `qemu64` with the flags of its x86-64-v2, and aes; under "
            "KVM the vendor is the host's"
        ),
        qemu="qemu64,+ssse3,+sse4_1,+sse4_2,+popcnt,+aes",
        aliases=("proxmox-x86-64-v2-aes", "proxmox"), hypervisor=_KVM,
    ),
    _Row(
        "proxmox-x86-64-v3", "Proxmox `x86-64-v3`", 2023,
        _AMD, "QEMU Virtual CPU version 2.5+", (15, 107, 1), leaf=13, features=_PROXMOX_V3,
        facts=(
            "Proxmox VE CPUConfig.pm: `qemu64` with the flags of its x86-64-v2-AES, and avx, "
            "avx2, bmi1, bmi2, f16c, fma, abm, movbe, xsave; under KVM the vendor is the host's"
        ),
        qemu=(
            "qemu64,+ssse3,+sse4_1,+sse4_2,+popcnt,+avx,+avx2,+fma,+f16c,"
            "+bmi1,+bmi2,+abm,+movbe,+xsave,+aes"
        ),
        hypervisor=_KVM,
    ),
    # levels
    _Row(
        "x86-64-v1", "Exactly level x86-64-v1", 2003,
        _GENERIC, "x86-64-v1", (0, 0, 0),
        leaf=None, features=_also(features.cumulative("x86-64-v1"), "lm"),
        facts=_LEVEL_FACTS,
        qemu="qemu64,-pni,-cx16,-lahf_lm",
        aliases=("baseline",),
        adds=frozenset({"tsc"}),
        note=_AS_QEMU64,
    ),
    _Row(
        "x86-64-v2", "Exactly level x86-64-v2", 2008,
        _GENERIC, "x86-64-v2", (0, 0, 0),
        leaf=None, features=_also(features.cumulative("x86-64-v2"), "lm"),
        facts=_LEVEL_FACTS,
        qemu="qemu64,+ssse3,+sse4_1,+sse4_2,+popcnt",
        adds=frozenset({"tsc"}),
        note=_AS_QEMU64,
    ),
    _Row(
        "x86-64-v3", "Exactly level x86-64-v3", 2013,
        _GENERIC, "x86-64-v3", (0, 0, 0),
        leaf=None, features=_also(features.cumulative("x86-64-v3"), "lm"),
        facts=_LEVEL_FACTS,
        qemu=(
            "qemu64,+ssse3,+sse4_1,+sse4_2,+popcnt,+avx,+avx2,+fma,+f16c,"
            "+bmi1,+bmi2,+abm,+movbe,+xsave"
        ),
        adds=frozenset({"tsc"}),
        note=_AS_QEMU64,
    ),
    _Row(
        "x86-64-v4", "Exactly level x86-64-v4", 2017,
        _GENERIC, "x86-64-v4", (0, 0, 0),
        leaf=None, features=_also(features.cumulative("x86-64-v4"), "lm"),
        facts=_LEVEL_FACTS,
        qemu=None,
    ),
)
# fmt: on


@cache
def named() -> tuple[NamedCpu, ...]:
    """Return all named CPUs (AMD, Intel, virtual, levels); built once, at the first call."""
    return tuple(_build(row) for row in _ROWS)


def find(name: str) -> NamedCpu:
    """Return the CPU of that name or alias; case, `-`, `_` and spaces do not matter.

    Raises `UnknownCpuError` with the nearest known names in one line.
    """
    known = _index()
    try:
        return _build(known[_fold(name)])
    except KeyError:
        words = [word for item in named() for word in (item.name, *item.aliases)]
        shown = name if len(name) <= 40 else name[:40] + "..."
        raise UnknownCpuError(
            f"unknown CPU {shown!r}{suggestion(shown, words)}"
            " (`legacy-doctor cpu --list` names them all)"
        ) from None


@cache
def _index() -> dict[str, _Row]:
    return {_fold(word): row for row in _ROWS for word in (row.name, *row.aliases)}


def _fold(name: str) -> str:
    return "".join(character for character in name.lower() if character not in "-_ ")


@cache
def _build(row: _Row) -> NamedCpu:
    family, model, stepping = row.signature
    cpu = Cpu(
        vendor=row.vendor,
        brand=row.brand,
        family=family,
        model=model,
        stepping=stepping,
        features=row.features,
        level=features.level_of(row.features),
        source=f"model:{row.name}",
        cpuid_level=row.leaf,
        microarchitecture=row.microarchitecture,
        hypervisor=row.hypervisor,
    )
    return NamedCpu(
        name=row.name,
        title=row.title,
        aliases=row.aliases,
        year=row.year,
        cpu=cpu,
        facts=row.facts,
        emulation=_emulation(row),
    )


def _emulation(row: _Row) -> Emulation | None:
    if row.qemu is None:
        return None
    return Emulation(
        cpu=_command(row, row.qemu),
        lacks=row.features & TCG_LACKS,
        adds=row.adds,
        note=row.note,
    )


def _command(row: _Row, qemu: str) -> str:
    """Compose the `-cpu` argument: QEMU's nearest model, told to say who it plays."""
    base, _, tweaks = qemu.partition(",")
    parts = [base]
    if row.vendor != _GENERIC:
        family, model, stepping = row.signature
        parts += [f"family={family}", f"model={model}", f"stepping={stepping}"]
        parts += [f"level={row.leaf}"] if row.leaf is not None else []
        # QEMU splits at every comma, so a brand that holds one cannot be passed on
        parts += [f"model-id={row.brand}"] if "," not in row.brand else []
    return ",".join([*parts, tweaks] if tweaks else parts)
